"""Screening, the use case that everything turns on: items are scored, decided and recorded."""
