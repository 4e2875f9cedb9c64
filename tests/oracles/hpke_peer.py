"""Another hand's HPKE (RFC 9180); runs in the environment that has it, not in the project's.

Standard input: a JSON list of {"key", "info"} with "sealed" (to be opened by the private key) or "plaintext" (to be
sealed to the public key); all in hex. Standard output: a JSON list of {"plaintext"}, {"sealed"} or {"error"}.
"""

from __future__ import annotations

import json
import sys

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from pyhpke import AEADId, CipherSuite, KDFId, KEMId, KEMKey  # type: ignore[import-not-found]  # other environment only

SUITE = CipherSuite.new(KEMId.DHKEM_X25519_HKDF_SHA256, KDFId.HKDF_SHA256, AEADId.AES256_GCM)
ENC_BYTES = 32


def answer(asked: dict[str, str]) -> dict[str, str]:
    """Open or seal; whatever the library raises is told as its type's name."""
    key, info = bytes.fromhex(asked["key"]), bytes.fromhex(asked["info"])
    try:
        if "sealed" in asked:
            sealed = bytes.fromhex(asked["sealed"])
            private_key = KEMKey.from_pyca_cryptography_key(X25519PrivateKey.from_private_bytes(key))
            context = SUITE.create_recipient_context(sealed[:ENC_BYTES], private_key, info=info)
            return {"plaintext": context.open(sealed[ENC_BYTES:]).hex()}
        public_key = KEMKey.from_pyca_cryptography_key(X25519PublicKey.from_public_bytes(key))
        enc, context = SUITE.create_sender_context(public_key, info=info)
        return {"sealed": (enc + context.seal(bytes.fromhex(asked["plaintext"]))).hex()}
    except Exception as error:  # noqa: BLE001  it raises its own kinds, and each means no
        return {"error": type(error).__name__}


if __name__ == "__main__":
    json.dump([answer(asked) for asked in json.load(sys.stdin)], sys.stdout)
