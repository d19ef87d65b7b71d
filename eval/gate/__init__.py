"""The gate before a model goes live: its bounds, the measurement they need, findings and promotion."""
