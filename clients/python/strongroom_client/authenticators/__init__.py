"""Passkey authenticators behind one port: USB security keys, and a software one for tests and demonstrations."""
