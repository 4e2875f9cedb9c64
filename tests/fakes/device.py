"""A person's device: a state folder, and the command line run on it against the vault in this process."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from strongroom_client.cli.main import main
from strongroom_client.clock import system_clock
from tests.fakes.front import CheatingFront
from tests.fakes.grpc_vault import served
from tests.fakes.vault import FakeVault


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@dataclass
class Device:
    """A state folder, and the vault that it is configured for."""

    state: Path
    vault: FakeVault
    front: CheatingFront

    def run(self, *arguments: str | Path, typed: str = "") -> Done:
        """Run the command line in this process, without a terminal and with nothing to read but what is `typed`."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "argv", ["strongroom", *map(str, arguments)])
            patch.setattr(sys, "stdin", io.StringIO(typed))
            patch.setattr(f"{typer.prompt.__module__}.hidden_prompt_func", _typed_unseen)
            with pytest.raises(SystemExit) as ended:
                main()
        code = ended.value.code
        return Done(code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())

    def at_vault(self, *arguments: str | Path, typed: str = "") -> Done:
        return self.run(*arguments, "--state", self.state, typed=typed)

    def enroll(self) -> Path:
        key = self.state / "recovery.txt"
        done = self.at_vault("enroll", "--user-name", "alice", "--recovery-key-out", key)
        assert done.returncode == 0, done.stderr
        return key


def _typed_unseen(prompt: str) -> str:
    """In place of the terminal, which would not show what is typed."""
    sys.stderr.write(prompt)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\n")


@contextmanager
def device_in(folder: Path) -> Iterator[Device]:
    """A device whose configuration pins the vault, which is served over gRPC with TLS; not enrolled yet."""
    vault = FakeVault(now=system_clock())
    front = CheatingFront(vault)
    state = folder / "state"
    state.mkdir()
    with served(front, state) as at:
        (state / "token").write_text("header.claims.signature\n")
        (state / "strongroom.toml").write_text(
            f'vault = "{at.target}"\ntenant = "acme"\naccount = "alice"\naccount_token_file = "token"\n'
            f'ca_file = "ca.pem"\npins = ["{vault.keys.fingerprint.hex()}"]\n'
            '[authenticator]\nkind = "software-insecure"\nfile = "passkeys.json"\n'
        )
        yield Device(state, vault, front)
