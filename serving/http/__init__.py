"""What every endpoint shares: who calls, bodies read and described, answers written."""
