"""Benchmarks: how fast the shipped thing is, each by one command that ends in one JSON document."""
