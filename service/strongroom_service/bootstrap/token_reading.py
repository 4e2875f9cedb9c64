"""Reading a token's check values in a process of its own: a PKCS#11 module and its environment are one per process.

    python -m strongroom_service.bootstrap.token_reading        question on stdin, answer on stdout, both JSON

The question names files, and holds no secret: {"module_file", "token_label", "pin_file", "environment", "expected"},
the last with 32 hex digits for each "PURPOSE EPOCH". The answer: {"names": {...}, "check_values": {label: hex}}.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from strongroom_service.config.token_proof import TokenNames
from strongroom_service.domain.errors import Misconfigured, StrongroomError
from strongroom_service.keeper.token.pin import read_pin
from strongroom_service.keeper.token.pkcs11_token import Pkcs11Token
from strongroom_service.keeper.token.port import KeyName, KeyPurpose
from strongroom_service.keeper.token.self_test import check_keys
from strongroom_service.keeper.token.session import open_session
from strongroom_service.link.hardening import harden_process

if TYPE_CHECKING:
    from collections.abc import Mapping

    from strongroom_service.config.vault_file import Pkcs11

_TIMEOUT_SECONDS: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenReading:
    """How a token calls itself, and the check value of each key by its label."""

    names: TokenNames
    check_values: Mapping[str, str]


def read_token(pkcs11: Pkcs11, expected: Mapping[KeyName, bytes], *, environment: Mapping[str, str]) -> TokenReading:
    """Have a process of its own find every key in a token, work with it, and tell its check value.

    Raises:
        Misconfigured: a key is missing, or another than `expected`; or the token could not be opened.
    """
    question = {
        "module_file": str(pkcs11.module_file),
        "token_label": pkcs11.token_label,
        "pin_file": str(pkcs11.pin_file),
        "environment": {**pkcs11.environment, **environment},
        "expected": {f"{name.purpose.name} {name.epoch}": value.hex() for name, value in expected.items()},
    }
    done = subprocess.run(
        [sys.executable, "-P", "-m", "strongroom_service.bootstrap.token_reading"],
        input=json.dumps(question),
        capture_output=True,
        user=os.geteuid(),  # root acts as the keepers' user here: for the vendor's code, for good
        group=os.getegid(),
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise Misconfigured(f"token {pkcs11.token_label}: {done.stderr.strip() or 'its reading failed'}")
    answer = json.loads(done.stdout)
    return TokenReading(names=TokenNames.model_validate(answer["names"]), check_values=answer["check_values"])


def _answer(question: Mapping[str, Any]) -> dict[str, object]:
    os.environ.update(question["environment"])  # the library reads it when it is loaded
    session = open_session(
        module=Path(question["module_file"]),
        token_label=question["token_label"],
        pin=read_pin(Path(question["pin_file"])),
        writable=False,
    )
    expected = {}
    for key, value in question["expected"].items():
        purpose, epoch = key.split(" ")
        expected[KeyName(KeyPurpose[purpose], int(epoch))] = bytes.fromhex(value)
    found = session.token
    names = {
        "label": str(found.label),
        "serial": _text(found.serial),
        "manufacturer": _text(found.manufacturer_id),
        "model": _text(found.model),
    }
    token = Pkcs11Token(session=session)
    check_keys(token, expected)
    values = {name.label: token.check_value(purpose=name.purpose, epoch=name.epoch).hex() for name in expected}
    token.close()
    return {"names": names, "check_values": values}


def _text(value: object) -> str:
    return value.decode("utf-8", "replace").strip() if isinstance(value, bytes) else str(value).strip()


def _main() -> int:
    harden_process()
    try:
        json.dump(_answer(json.load(sys.stdin)), sys.stdout)
    except StrongroomError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main())
