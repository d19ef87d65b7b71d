"""How a model is made: the only room that knows torch and transformers."""
