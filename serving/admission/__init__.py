"""Admission: the gate each HTTP request passes, its permits, and how a refusal is written."""
