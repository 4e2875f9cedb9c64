"""WebAuthn Level 3 sections 7.1 and 7.2 as this vault applies them; knows nothing of the token.

python-fido2 serves as CBOR decoder and verifier of attestation statements. It is never asked for a decision: it does
not look at counters, user handles, framing or backup flags, and its server class takes user verification from the
caller's own state.
"""
