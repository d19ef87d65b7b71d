"""A bulk run: rows in chunks, scored by this process, by several or by a Ray cluster."""
