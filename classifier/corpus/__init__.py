"""The corpus: labelled sources read, merged, augmented and cut into training batches."""
