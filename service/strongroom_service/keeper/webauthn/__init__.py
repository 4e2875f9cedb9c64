"""Verification of assertions and attestations; knows nothing of the token."""
