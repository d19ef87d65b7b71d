"""How a model is used: the engine, policies, the store, the API and the console."""
