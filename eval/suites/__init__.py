"""Suites: which test sets there are, which rows of each count, and how they are read."""
