"""A text screened while it is being written."""
