"""The fast stage as it ships: clears texts that are certainly harmless, under a certificate."""
