"""Admission: the gate that each request passes, its permits, and how a refusal is written."""
