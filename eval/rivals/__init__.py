"""What the model is compared with: an earlier release, a baseline fitted on the same rows, published numbers."""
