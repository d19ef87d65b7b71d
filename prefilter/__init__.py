"""The door: `from prefilter import Scorer`, and the command `prefilter`."""
