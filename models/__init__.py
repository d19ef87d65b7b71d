"""The ground floor: what a model is once made, and the only code that turns text into scores; imports no other room."""
