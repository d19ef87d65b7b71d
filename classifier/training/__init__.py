"""The network and how it is trained: its parts, its loss, checkpoints, inference and the record."""
