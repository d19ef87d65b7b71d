"""The processes of a service: one that listens, or several workers under a supervisor."""
