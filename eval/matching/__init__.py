"""Two services compared on the same texts: thresholds of one moved to the other."""
