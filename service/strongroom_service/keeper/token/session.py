"""Opening a session: module, token by label, login. One session and one thread per process.

python-pkcs11 0.10 initialises modules for a single thread and yet releases the GIL in calls: a second thread crashes.
Closing a session that logged in logs the whole process out, so a process must not open two.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pkcs11

from strongroom_service.keeper.token.errors import translated
from strongroom_service.keeper.token.pin import Pin


def open_session(*, module: Path, token_label: str, pin: Pin, writable: bool) -> pkcs11.Session:
    """Load `module`, find the one token labelled `token_label` and log in.

    Tokens are found by label because slot numbers change. Keys can only be made in a writable session.

    Raises:
        TokenFault: the module does not load, or no such token is there.
        Misconfigured: two tokens have that label, or the PIN is refused.
    """
    with translated(f"loading {module}"):
        library = pkcs11.lib(str(module))
    with translated(f"finding token {token_label}"):
        token = library.get_token(token_label=token_label)
    with translated(f"login to token {token_label}"):
        return token.open(rw=writable, user_pin=pin.reveal())


@contextmanager
def writable_session(*, module: Path, token_label: str, pin: Pin) -> Iterator[pkcs11.Session]:
    """Open a session that can make and destroy keys, and close it: for ceremonies with the service stopped.

    SoftHSM readers that start beside a writer fail now and then, hence never while serving.

    Raises:
        TokenFault, Misconfigured: as `open_session`.
    """
    session = open_session(module=module, token_label=token_label, pin=pin, writable=True)
    try:
        yield session
    finally:
        with translated("closing the session"):
            session.close()
