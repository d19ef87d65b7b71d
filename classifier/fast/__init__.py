"""How the fast stage of a model is made: its recipe, its lessons, its student and its release."""
