"""Policy: what turns scores into an outcome, for one row and for columns, and its versions."""
