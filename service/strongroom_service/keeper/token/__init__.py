"""The PKCS#11 token: keys, wrapping, derivation, signatures."""
