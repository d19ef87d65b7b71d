"""Perspective's endpoints: comments, attributes, sentences and Google's errors over our use case."""
