"""A SoftHSM token for development and tests, ready to log in to.

    python -m deploy.development.token DIRECTORY LABEL

Never for production: SoftHSM keeps keys in files. The PINs are drawn inside the process that needs them, go to the
token by function call, and the user PIN to a file with mode 0400; neither argv nor the environment carries one.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pkcs11

_MODULES: Final = (
    Path("/usr/lib/softhsm/libsofthsm2.so"),
    Path("/usr/lib64/pkcs11/libsofthsm2.so"),
    Path("/opt/homebrew/lib/softhsm/libsofthsm2.so"),
)
_PIN_BYTES: Final = 16
_LABEL_BYTES: Final = 32  # CK_TOKEN_INFO.label, padded with blanks
_TIMEOUT_SECONDS: Final = 60
_ROOT: Final = Path(__file__).resolve().parents[2]
_IN_CHILD: Final = "--in-child"
_CONFIGURATION: Final = """\
directories.tokendir = {tokens}
objectstore.backend = file
slots.removable = false
log.level = ERROR
"""


@dataclass(frozen=True, kw_only=True)
class DevelopmentToken:
    """Where to find the token.

    Attributes:
        module_path: the PKCS#11 module.
        label: the token's label.
        conf_path: SoftHSM's configuration; SOFTHSM2_CONF must name it before the module is loaded.
        pin_file: holds the user PIN, mode 0400.
    """

    module_path: Path
    label: str
    conf_path: Path
    pin_file: Path


def create_development_token(*, directory: Path, label: str) -> DevelopmentToken:
    """Make a token in `directory`, which is made if need be and may hold others, with random PINs.

    It holds no keys yet. The security officer's PIN is forgotten: make a new token instead of resetting one.
    The work is done in a child process, so that the module is not loaded here.

    Raises:
        FileNotFoundError: SoftHSM is not installed.
        FileExistsError: a token with this label has been made here.
        RuntimeError: SoftHSM refused; carries its message.
    """
    token = _layout(directory.resolve(), label)
    if token.pin_file.exists():
        raise FileExistsError(token.pin_file)
    token.conf_path.parent.joinpath("tokens").mkdir(mode=0o700, parents=True, exist_ok=True)
    token.conf_path.write_text(_CONFIGURATION.format(tokens=token.conf_path.parent / "tokens"), encoding="utf-8")
    child = subprocess.run(
        [sys.executable, "-m", "deploy.development.token", _IN_CHILD, str(directory.resolve()), label],
        check=False,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        cwd=_ROOT,
    )
    if child.returncode != 0:
        raise RuntimeError(f"making token {label} failed: {child.stderr.strip()}")
    return token


def _layout(directory: Path, label: str) -> DevelopmentToken:
    return DevelopmentToken(
        module_path=_module(),
        label=label,
        conf_path=directory / "softhsm2.conf",
        pin_file=directory / f"{label}.pin",
    )


def _module() -> Path:
    for candidate in _MODULES:
        if candidate.exists():
            return candidate
    raise FileNotFoundError("SoftHSM is not installed (Debian: softhsm2)")


def _initialise(token: DevelopmentToken) -> None:
    os.environ["SOFTHSM2_CONF"] = str(token.conf_path)
    so_pin, user_pin = secrets.token_hex(_PIN_BYTES), secrets.token_hex(_PIN_BYTES)
    slot = _free_slot(token.module_path)
    _init_token(token, slot, so_pin.encode("ascii"))
    with slot.get_token().open(rw=True, so_pin=so_pin) as session:
        session.init_pin(user_pin)
    # Written last: a PIN file says that the token is ready.
    descriptor = os.open(token.pin_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(user_pin + "\n")


def _free_slot(module: Path) -> pkcs11.Slot:
    for slot in pkcs11.lib(str(module)).get_slots(token_present=True):
        if not slot.get_token().flags & pkcs11.TokenFlag.TOKEN_INITIALIZED:
            return slot
    raise RuntimeError("SoftHSM offers no free slot")


def _init_token(token: DevelopmentToken, slot: pkcs11.Slot, so_pin: bytes) -> None:
    # The library has no C_InitToken; the module it has loaded and initialised does.
    function = ctypes.CDLL(str(token.module_path)).C_InitToken
    function.argtypes = (ctypes.c_ulong, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
    function.restype = ctypes.c_ulong
    code = function(slot.slot_id, so_pin, len(so_pin), token.label.encode("utf-8").ljust(_LABEL_BYTES))
    if code != 0:
        raise RuntimeError(f"C_InitToken answered {code:#x}")


def _main(*arguments: str) -> None:
    match arguments:
        case [flag, directory, label] if flag == _IN_CHILD:
            _initialise(_layout(Path(directory), label))
        case [directory, label]:
            print(create_development_token(directory=Path(directory), label=label))
        case _:
            raise SystemExit("usage: python -m deploy.development.token DIRECTORY LABEL")


if __name__ == "__main__":
    _main(*sys.argv[1:])
