"""Two owners of a vault, whose keys lie in files that no service reads, and what they sign."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from strongroom_service.config.owner_keys import read_owner_key
from strongroom_service.front.owner_signatures import cosign, parse_bundle

PATIENCE_SECONDS = 60


def bundle_command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `strongroomd bundle`."""
    command = [sys.executable, "-m", "strongroom_service.cli.main", "bundle", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)


def make_owner(folder: Path, name: str) -> tuple[Path, Path]:
    """Write NAME.pem and NAME.pub of a fresh key, and return both."""
    key, (private, public) = Ed25519PrivateKey.generate(), (folder / f"{name}.pem", folder / f"{name}.pub")
    private.touch(mode=0o600)
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


class Owners:
    """Ada and Grace: what they have signed goes to `handed_out`, numbered, the last of it is `newest`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys: Sequence[tuple[Path, Path]] = [make_owner(folder, name) for name in ("ada", "grace")]
        self.handed_out = folder / "handed-out"
        self.handed_out.mkdir()
        self.newest: Path | None = None
        self._count = 0

    @property
    def settings(self) -> dict[str, str | list[str]]:
        """Lines of the vault's [owners]."""
        return {"bundles_dir": str(self.handed_out), "key_files": [str(public) for _, public in self.keys]}

    def sign(self, config_file: Path) -> Path:
        """Have both sign what the vault serves, after what they signed last; return where it is."""
        self._count += 1
        served, signed = (self.folder / f"{self._count}-{name}" for name in ("served", "signed"))
        shown = bundle_command("show", "--config", config_file, "--file", served)
        assert shown.returncode == 0, shown.stderr
        signed.write_bytes(self.cosign(served.read_bytes(), *self.keys))
        self.newest = signed
        return signed

    def cosign(self, bundle: bytes, *keys: tuple[Path, Path]) -> bytes:
        """What `bundle sign` does, after what was signed last."""
        before = None if self.newest is None else parse_bundle(self.newest.read_bytes())
        for private, _ in keys:
            bundle = cosign(parse_bundle(bundle), read_owner_key(private), previous=before)
        return bundle

    def hand_out(self, bundle: Path) -> None:
        """Give the service what was signed, as a whole."""
        place = self.handed_out / f"{self._count:04}"
        beside = self.handed_out / f".{place.name}"
        beside.write_bytes(bundle.read_bytes())
        beside.rename(place)
