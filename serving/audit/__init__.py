"""The audit trail: the hash chain, and whether the tables still agree with it."""
