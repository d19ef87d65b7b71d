"""The sections of the model card: what is said, and the tables under it."""
