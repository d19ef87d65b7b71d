"""The network and how it learns: its parts, its loss, the trainer and the record of a run."""
