"""Certificates of the fast stage: issued from judged texts, and issued anew for other edges."""
