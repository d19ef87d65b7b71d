"""The engine: one owner of the queue of windows, and the threads that score them."""
