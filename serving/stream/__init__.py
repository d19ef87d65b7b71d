"""Streams: a text is screened while it is being written."""
