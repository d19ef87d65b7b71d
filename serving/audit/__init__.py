"""The audit trail: the hash chain, its entry over decisions, and whether the tables still agree with it."""
