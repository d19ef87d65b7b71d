"""Answers given before, by keyed hash of the text, in one file that processes share."""
