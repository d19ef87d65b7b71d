"""What a model is once it is made: from a text to calibrated scores. Imports no other room."""
