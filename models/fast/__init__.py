"""The fast stage as it ships: clears what is plainly harmless, under a certificate."""
