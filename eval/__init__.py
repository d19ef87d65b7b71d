"""How well a model did: the maker never grades itself."""
