"""The token room: the only code that speaks PKCS#11 or sees the PIN."""
