"""Output of a bulk run: columns, parts, the finished file and its manifest."""
