"""Runs operations of `Pkcs11Token` under orders to the fault module, each in a process of its own.

    python -m tests.contract.token_fault_child MODULE LABEL PIN_FILE ORDERS CALLS

Reads a list of [operation, orders] from stdin, writes a list of [outcome, text, calls, afterwards] to stdout, as JSON:
`outcome` is `answered` or the type of what was raised, `calls` the module's functions in the order called, and
`afterwards` what the same operation comes to with the same token once the orders are taken back (empty for `open`).
Operations named `first/...` are the first to use their key, which must be found.
This process never loads the module: what it forks does, so each case begins with a module never loaded before.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from strongroom_service.keeper.token.pin import read_pin
from strongroom_service.keeper.token.pkcs11_token import Pkcs11Token
from strongroom_service.keeper.token.port import KeyPurpose, Wrapped

PLAINTEXT: Final = b"an archive key"
AAD: Final = b"account"


class _Desk:
    def __init__(self, module: str, label: str, pin_file: str, orders: str, calls: str) -> None:
        self._module, self._label, self._pin_file = Path(module), label, Path(pin_file)
        self._orders, self._calls = Path(orders), Path(calls)

    def open(self) -> Pkcs11Token:
        pin = read_pin(self._pin_file)
        return Pkcs11Token.open(module=self._module, token_label=self._label, pin=pin)

    def run(self, name: str, orders: str) -> tuple[str, str, list[str], str]:
        """Do one operation in this process, which must be new."""
        self._orders.write_text("", encoding="ascii")
        if name == "open":
            return (*self._under(orders, self.open), "")
        token = self.open()
        wrapped = token.wrap(epoch=1, plaintext=PLAINTEXT, aad=AAD)
        first, _, kind = name.rpartition("/")
        if first:
            token.close()
            token = self.open()
        operation = _operation(token, kind, wrapped)
        if not first:
            _outcome(operation)  # the keys are found and kept
        result = self._under(orders, operation)
        self._orders.write_text("", encoding="ascii")
        return (*result, _outcome(operation)[0])

    def _under(self, orders: str, operation: Callable[[], object]) -> tuple[str, str, list[str]]:
        self._calls.write_text("", encoding="ascii")
        self._orders.write_text(orders, encoding="ascii")
        outcome, text = _outcome(operation)
        return outcome, text, self._calls.read_text(encoding="ascii").split()


def _operation(token: Pkcs11Token, kind: str, wrapped: Wrapped) -> Callable[[], object]:
    def unwrap() -> None:
        assert token.unwrap(epoch=1, wrapped=wrapped, aad=AAD) == PLAINTEXT

    def wrap() -> None:
        made = token.wrap(epoch=1, plaintext=PLAINTEXT, aad=AAD)
        assert len(made.ciphertext) == len(wrapped.ciphertext)

    altered = replace(wrapped, ciphertext=bytes([wrapped.ciphertext[0] ^ 1]) + wrapped.ciphertext[1:])
    operations: dict[str, Callable[[], object]] = {
        "wrap": wrap,
        "unwrap": unwrap,
        "unwrap-altered": lambda: token.unwrap(epoch=1, wrapped=altered, aad=AAD),
        "unwrap-elsewhere": lambda: token.unwrap(epoch=1, wrapped=wrapped, aad=b"another account"),
        "derive": lambda: token.derive(purpose=KeyPurpose.SEAL, epoch=1, label="label", context=b""),
        "sign": lambda: token.sign(epoch=1, digest=bytes(32)),
        "identity": lambda: token.identity_public_key(epoch=1),
        "probe": token.probe,
    }
    return operations[kind]


def _outcome(operation: Callable[[], object]) -> tuple[str, str]:
    try:
        operation()
    except Exception as error:  # noqa: BLE001  whatever it is, the test is to judge it
        return type(error).__name__, str(error)
    return "answered", ""


def _in_fork(case: Callable[[], object]) -> object:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with os.fdopen(writing, "w", encoding="ascii") as pipe:
            json.dump(case(), pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="ascii") as pipe:
        written = pipe.read()
    _, status = os.waitpid(child, 0)
    if status:
        return ("died", f"status {status}", [], "")
    return json.loads(written)


def _main() -> None:
    desk = _Desk(*sys.argv[1:])
    cases = json.load(sys.stdin)
    json.dump([_in_fork(partial(desk.run, name, orders)) for name, orders in cases], sys.stdout)


if __name__ == "__main__":
    _main()
