"""The results document of an evaluation as frozen values: read from JSON by one reader, written by one writer."""
