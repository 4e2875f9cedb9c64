"""Spoils the first KEK of a vault: `python spoil_key.py CONFIG_FILE missing|extractable|another`.

In a process of its own: a process reads one SoftHSM configuration and opens one token.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pkcs11 import Attribute, KeyType, MechanismFlag, ObjectClass

from strongroom_service.config.vault_file import load_vault_config
from strongroom_service.keeper.token.keys import template
from strongroom_service.keeper.token.pin import read_pin
from strongroom_service.keeper.token.port import KeyName, KeyPurpose
from strongroom_service.keeper.token.provision import destroy_key
from strongroom_service.keeper.token.session import writable_session

KEK = KeyName(KeyPurpose.KEK, 1)


def main(config_file: str, how: str) -> None:
    pkcs11 = load_vault_config(Path(config_file)).pkcs11
    os.environ.update(pkcs11.environment)
    with writable_session(
        module=pkcs11.module_file, token_label=pkcs11.token_label, pin=read_pin(pkcs11.pin_file)
    ) as session:
        destroy_key(session, KEK)
        if how == "missing":
            return
        wanted = template(KEK.purpose, ObjectClass.SECRET_KEY)
        if how == "extractable":
            wanted[Attribute.EXTRACTABLE] = True
        session.generate_key(
            KeyType.AES, 256, label=KEK.label, store=True, capabilities=MechanismFlag(0), template=wanted
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
