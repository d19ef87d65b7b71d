"""The network and how it is trained: its parts, its loss, checkpoints, the trainer, inference and the record."""
