"""The token's checks in a process of their own: a PKCS#11 library has no timeouts, and can take its process with it.

    python -m strongroom_service.bootstrap.doctor.token_process     question on stdin, one finding a line on stdout

Both JSON. The question names files, and holds no secret: {"pkcs11", "run_dir", "version", "sealed"}; the last two are
the vault's row, or null. The last line is {"check_values": {label: hex}}, null in it where they could not be looked at.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from strongroom_service.application.rows import VaultRow
from strongroom_service.bootstrap.doctor.findings import Finding, Outcome, fail, skip
from strongroom_service.bootstrap.doctor.token import TOKEN_CHECKS, KeysFound, check_token
from strongroom_service.config.faults import FOLDER_OF_PATHS
from strongroom_service.config.vault_file import Pkcs11
from strongroom_service.link.hardening import harden_process
from strongroom_service.telemetry.logs import configure_logging

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from strongroom_service.config.vault_file import VaultConfig

# Of keepers.call_deadline_seconds, for each check: the longest, `profile`, makes some twenty calls.
_CALLS: Final = 15
_READ_BYTES: Final = 65_536
_REMEDY: Final = (
    "look at the token by its maker's tools: power, network, who else uses it; keepers that hang are replaced, so"
    " restores fail until it answers"
)


def examine_token(config: VaultConfig, row: VaultRow | None, keys: KeysFound) -> Iterator[Finding]:
    """As `check_token`, for at most fifteen times `keepers.call_deadline_seconds` each; then the process is killed."""
    question = {
        "pkcs11": config.pkcs11.model_dump(mode="json"),
        "run_dir": str(config.run_dir),
        "version": None if row is None else row.version,
        "sealed": None if row is None else row.sealed.hex(),
    }
    patience = _CALLS * config.keepers.call_deadline_seconds
    waiting = list(TOKEN_CHECKS)
    command = [sys.executable, "-P", "-m", __name__]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(  # noqa: S603  ourselves, by a name that is a constant
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            user=os.geteuid(),  # root acts as the keepers' user here: for the vendor's code, for good
            group=os.getegid(),
        ) as process,
    ):
        assert process.stdin is not None  # noqa: S101  pipes were asked for
        assert process.stdout is not None  # noqa: S101  as above
        try:
            with process.stdin:
                process.stdin.write(json.dumps(question).encode())
            for line in _lines(process.stdout, patience=patience):
                said = json.loads(line)
                if "check_values" in said:
                    keys.check_values = _from_hex(said["check_values"])
                    return
                waiting.remove(said["check"])
                yield Finding(said["check"], Outcome(said["outcome"]), said["found"], said["remedy"])
        except TimeoutError:
            found = f"the PKCS#11 library has not answered for {patience:g} s"
        except OSError:
            found = f"the process that asks the token has ended{_last_words(errors)}"
        else:
            found = f"the process that asks the token has ended{_last_words(errors)}"
        finally:
            process.kill()
    yield from (fail(check, found, _REMEDY) for check in waiting[:1])
    yield from (skip(check, "the token does not answer") for check in waiting[1:])


def _lines(stream: IO[bytes], *, patience: float) -> Iterator[bytes]:
    """Yield each whole line until the stream ends.

    Raises:
        TimeoutError: none came for so long.
    """
    held, until = b"", time.monotonic() + patience
    while True:
        ready, _, _ = select.select([stream], [], [], max(until - time.monotonic(), 0))
        if not ready:
            raise TimeoutError
        read = os.read(stream.fileno(), _READ_BYTES)
        if not read:
            return
        *whole, held = (held + read).split(b"\n")
        if whole:
            until = time.monotonic() + patience
        yield from whole


def _last_words(errors: IO[bytes]) -> str:
    errors.seek(0)
    lines = errors.read().decode("utf-8", "replace").split("\n")
    said = [line for line in lines if line.strip()]
    return f": {said[-1]}" if said else ", without a word: a library that crashes does that"


def _from_hex(values: Mapping[str, str] | None) -> dict[str, bytes] | None:
    return None if values is None else {label: bytes.fromhex(value) for label, value in values.items()}


def _answer(question: Mapping[str, Any], answers: IO[str]) -> None:
    keys = KeysFound()
    settings = Pkcs11.model_validate(question["pkcs11"], context={FOLDER_OF_PATHS: Path("/")})
    row = None
    if question["version"] is not None:
        row = VaultRow(version=question["version"], sealed=bytes.fromhex(question["sealed"]))

    def tell(document: Mapping[str, object]) -> None:
        answers.write(json.dumps(document) + "\n")
        answers.flush()

    for finding in check_token(settings, Path(question["run_dir"]), row, keys):
        tell(
            {
                "check": finding.check,
                "outcome": finding.outcome.value,
                "found": finding.found,
                "remedy": finding.remedy,
            }
        )
    values = keys.check_values
    tell({"check_values": None if values is None else {label: value.hex() for label, value in values.items()}})


def _main() -> None:
    harden_process()
    configure_logging("doctor")
    # Vendors' libraries print to stdout what they like.
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        _answer(json.load(sys.stdin), answers)


if __name__ == "__main__":
    _main()
