"""Judging: suites and a subject in, metrics per category out."""
