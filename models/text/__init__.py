"""A text as the model reads it: normalised, in which language, in which windows, beside which context."""
