"""An operator's year on a running service; writes build/year.json.

    python -m tests.year.year [--people 1000]

The vault is made by the release before and upgraded; people enroll; keys are rotated twice, rewrapped under traffic,
while rewraps and keepers are killed; certificates are replaced under traffic; the token is lost, and the second takes
its place; chains and checkpoints are verified, and in the end everybody restores what they stored at the beginning.
Any step that does not do what it must ends it with an error.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import psutil

from deploy.development import vault_folder
from deploy.development.environment import DevelopmentVault, VaultShape, make_files
from tests.fixtures.releases import of_release, unpack_previous_release
from tests.year.people import Person, all_of, traffic

ROOT: Final = Path(__file__).resolve().parents[2]
RESULT: Final = ROOT / "build" / "year.json"
STRONGROOMD: Final = (sys.executable, "-P", "-m", "strongroom_service.cli.main")
_PATIENCE_SECONDS: Final = 120.0
_REOPEN_SECONDS: Final = 0.5
_POLL_SECONDS: Final = 0.05
_RESTORED_AFTER: Final = 30
_KILLS: Final = 3
_MANY: Final = 1_000
_REWRAP_RATE: Final = 200


class Year:
    """The vault, its people, and what was done so far."""

    def __init__(self, folder: Path, *, people: int) -> None:
        self.folder = folder
        self.vault = DevelopmentVault(make_files(folder / "vault", VaultShape()))
        self.people = [Person(number) for number in range(people)]
        self.done: list[dict[str, Any]] = []

    def step(self, name: str, work: Callable[[], dict[str, Any]]) -> None:
        """Do one thing, and tell of it."""
        began = time.monotonic()
        told = work()
        entry = {"step": name, "seconds": round(time.monotonic() - began, 1), **told}
        self.done.append(entry)
        print(json.dumps(entry), flush=True)

    def run(self, *command: str) -> str:
        """Run a command of `strongroomd` that must succeed."""
        return self.vault.run_command(*command, patience_seconds=_PATIENCE_SECONDS)

    def make_by_the_release_before(self) -> dict[str, Any]:
        early = self.people[: len(self.people) // 2]
        with of_release(unpack_previous_release(self.folder / "previous")):
            self.vault.init()
            self.vault.serve()
            all_of(early, "enroll", self.vault)
            self.vault.stop()
        return {"enrolled": len(early)}

    def upgrade(self) -> dict[str, Any]:
        database = f"sqlite:///{self.vault.files.folder}/data/vault.db"
        done = subprocess.run(
            [*STRONGROOMD, "migrate", "--database", database], check=True, capture_output=True, text=True
        )
        assert "from schema version 3 to " in done.stdout, done.stdout
        config = self.vault.files.config_file
        text = config.read_text(encoding="utf-8")
        config.write_text(
            text.replace("[keepers]\n", f"[keepers]\nreopen_seconds = {_REOPEN_SECONDS}\n", 1), encoding="utf-8"
        )
        self.vault.serve()
        late = self.people[len(self.people) // 2 :]
        all_of(late, "enroll", self.vault)
        return {"said": done.stdout.strip(), "enrolled": len(late)}

    def rotate(self, epoch: int) -> dict[str, Any]:
        """Replace KEK, seal and transport key under traffic, and destroy the KEK of before."""
        before, now = epoch - 1, epoch
        with traffic(self.people, self.vault, seed=epoch) as told:
            for kind in ("kek", "seal", "transport"):
                said = self.run("keys", "rotate", kind)
                assert f"strongroom-{kind}-{now} is in use." in said, said
            self.run("checkpoint", "make")
            killed = sum(self._rewrap_killed(number) for number in range(_KILLS))
            moved = self.run("keys", "rewrap", "--rate", "1000")
        assert killed or len(self.people) < _MANY, "no rewrap was killed: they were all too fast"
        for kind in ("kek", "seal"):
            self._retire(f"strongroom-{kind}-{before}")
        label = f"strongroom-kek-{before}"
        self.run("keys", "destroy", label, "--confirm", label)
        return {"restored_meanwhile": told.restored, "rewraps_killed": killed, "said": moved.strip()}

    def _rewrap_killed(self, number: int) -> int:
        """Kill a rewrap, and each time but the last a keeper too."""
        command = [*STRONGROOMD, "keys", "rewrap", "--rate", str(_REWRAP_RATE)]
        with subprocess.Popen(
            [*command, "--config", str(self.vault.files.config_file)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as rewrap:
            try:
                code = rewrap.wait(timeout=1.5 + number / 2)
            except subprocess.TimeoutExpired:
                code = None
                rewrap.kill()
        if number < _KILLS - 1:
            self._kill_a_keeper()
        return int(code is None)

    def _kill_a_keeper(self) -> None:
        keepers = [
            child for child in psutil.Process(self.vault.pid).children() if "run-keeper-child" in child.cmdline()
        ]
        assert keepers, "there is no keeper to kill"
        keepers[0].send_signal(signal.SIGKILL)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _lists_keys(self.vault):
            assert time.monotonic() < deadline, "no keeper came back"

    def _retire(self, label: str) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                self.run("keys", "retire", label)
            except RuntimeError as error:
                if "too short a time" not in str(error) or time.monotonic() > deadline:
                    raise
                continue
            return

    def replace_certificates(self) -> dict[str, Any]:
        """New authority, certificate and key in place of the old, while old connections go on."""
        folder = self.vault.files.folder
        old = (folder / "server.pem").read_bytes()
        with traffic(self.people, self.vault, seed=77) as told:
            fresh = self.folder / "certificates"
            fresh.mkdir()
            vault_folder.write_certificates(fresh)
            authorities = (folder / "ca.pem").read_bytes() + (fresh / "ca.pem").read_bytes()
            _replace(folder / "ca.pem", authorities)
            for name in ("server-key.pem", "server.pem"):
                _replace(folder / name, (fresh / name).read_bytes())
            deadline = time.monotonic() + _PATIENCE_SECONDS
            while not _trusted_by(self.vault, fresh / "ca.pem"):
                assert time.monotonic() < deadline, "the new certificate was not taken up"
            _replace(folder / "ca.pem", (fresh / "ca.pem").read_bytes())
            # By the new authority alone.
            enough = told.restored + _RESTORED_AFTER
            while told.restored < min(enough, len(self.people)) and not told.failed:
                assert time.monotonic() < deadline, "nobody restores by the new certificate"
                time.sleep(_POLL_SECONDS)
        assert (folder / "server.pem").read_bytes() != old
        return {"restored_meanwhile": told.restored}

    def lose_the_token(self) -> dict[str, Any]:
        """Go on with a copy of the token that was kept elsewhere."""
        folder = self.vault.files.folder
        kept = self.folder / "second-token"
        shutil.copytree(folder / "token", kept)
        self.vault.stop()
        shutil.rmtree(folder / "token")
        try:
            self.vault.serve()
        except RuntimeError:
            pass
        else:
            raise AssertionError("the vault serves without a token")
        # The second one where the first was: in its place, as a restored copy or a new device is.
        shutil.copytree(kept, folder / "token")
        self.vault.serve()
        return {"restored": self._some_restore()}

    def rotate_identity(self) -> dict[str, Any]:
        shown = self.run("keys", "rotate", "identity")
        fingerprint = shown.strip().rpartition(" ")[2]
        self.run("keys", "rotate", "identity", "--clients-pin", fingerprint)
        assert self.vault.files.identity_fingerprint == fingerprint
        return {"restored": self._some_restore()}

    def _some_restore(self) -> int:
        some = self.people[:: max(1, len(self.people) // 20)]
        all_of(some, "restore", self.vault)
        return len(some)

    def verify(self, old_pin: str) -> dict[str, Any]:
        """Chains and checkpoints, by keepers that open every row."""
        self.run("checkpoint", "make")
        pins = ("--pin", old_pin, "--pin", self.vault.files.identity_fingerprint)
        events = self.run("events", "verify", "--keeper")
        checkpoints = self.run("checkpoint", "verify", "--keeper", *pins)
        return {"events": events.splitlines()[-1], "checkpoints": checkpoints.splitlines()[-1]}

    def everybody_restores(self) -> dict[str, Any]:
        all_of(self.people, "restore", self.vault)
        return {"restored": len(self.people)}


def _replace(path: Path, content: bytes) -> None:
    """As tools that renew certificates do: whole, by a rename."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.touch(mode=0o600)
    fresh.write_bytes(content)
    fresh.rename(path)


def _trusted_by(vault: DevelopmentVault, authority: Path) -> bool:
    before, vault.ca_file = vault.ca_file, authority
    try:
        return vault.is_serving()
    finally:
        vault.ca_file = before


def _lists_keys(vault: DevelopmentVault) -> bool:
    try:
        vault.run_command("keys", "list")
    except RuntimeError:
        return False
    return True


def main() -> None:
    """Act out the year."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=1_000, help="how many enroll (default %(default)s)")
    people: int = parser.parse_args().people
    RESULT.unlink(missing_ok=True)
    with TemporaryDirectory(prefix="year-") as folder:
        year = Year(Path(folder), people=people)
        with year.vault:
            year.step("init and enroll, by the release before", year.make_by_the_release_before)
            year.step("upgrade the schema, enroll the others", year.upgrade)
            year.step("rotate", lambda: year.rotate(2))
            year.step("replace the certificates", year.replace_certificates)
            year.step("lose the token", year.lose_the_token)
            year.step("rotate again", lambda: year.rotate(3))
            pin = year.vault.files.identity_fingerprint
            year.step("rotate the identity", year.rotate_identity)
            year.step("verify chains and checkpoints", lambda: year.verify(pin))
            year.step("everybody restores", year.everybody_restores)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"people": people, "steps": year.done}, indent=1) + "\n", encoding="utf-8")
    print(f"{people} people, {len(year.done)} steps: {RESULT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
