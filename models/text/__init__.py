"""A text as the model reads it: normalised, its language identified, cut into windows with its context."""
