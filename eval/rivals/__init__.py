"""What the model is compared with: an earlier release, a baseline on the same rows, published numbers."""
