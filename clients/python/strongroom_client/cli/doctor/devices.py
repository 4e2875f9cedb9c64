"""What archives and passkeys need on this device: libraries, tools, an authenticator."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

from fido2.ctap import CtapDevice, CtapError
from fido2.ctap2.base import Ctap2
from fido2.hid import CAPABILITY

from strongroom_client.age_keys import generate_identity, recipient_of
from strongroom_client.archive.errors import ArchiveError
from strongroom_client.archive.reader import verify_archive
from strongroom_client.archive.writer import write_archive
from strongroom_client.cli.configuration import BROWSER, SOFTWARE, AuthenticatorChoice, Configuration
from strongroom_client.cli.doctor.findings import Finding, fail, ok, warn

_TOOLS: Final = ("age", "zstd", "tar")
_LIBRARIES: Final = ("pyrage", "zstandard")
_TOOL_SECONDS: Final = 10
_VERSION: Final = re.compile(r"\d+(\.\d+)+")
_HIDRAW: Final = Path("/dev")


def check_archives() -> Iterator[Finding]:
    """Make an archive of nothing and read it; and look which tools would open one without this program."""
    versions = ", ".join(f"{library} {version(library)}" for library in _LIBRARIES)
    identity = generate_identity()
    try:
        with tempfile.TemporaryDirectory(prefix="strongroom-doctor-") as folder:
            source, archive = Path(folder) / "source", Path(folder) / "archive"
            source.mkdir()
            write_archive(source=source, target=archive, recipients=[recipient_of(identity)], progress=None)
            verify_archive(archive=archive, identities=[identity], progress=None)
        yield ok("archives", f"one is made and read back; {versions}")
    except (ArchiveError, OSError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        yield fail("archives", f"none can be made and read back: {said}", "look at the disk, and at TMPDIR")
    found = {tool: _tool_version(tool) for tool in _TOOLS}
    said = ", ".join(f"{tool} {shown or 'is not here'}" for tool, shown in found.items())
    missing = [tool for tool, shown in found.items() if shown is None]
    yield (
        warn("archive_tools", said, f"with {' and '.join(missing)} archives open without strongroom, too: install them")
        if missing
        else ok("archive_tools", said)
    )


def check_authenticator(configuration: Configuration, list_devices: Callable[[], Sequence[CtapDevice]]) -> Finding:
    """Look whether what holds the passkeys is there. `list_devices` looks for security keys."""
    choice = configuration.authenticator
    if choice.kind == SOFTWARE:
        return _check_software(choice)
    if choice.kind == BROWSER:
        return _check_browser(choice, configuration)
    try:
        devices = list_devices()
    except OSError:
        devices = ()
    if not devices:
        hidden = [path.name for path in _HIDRAW.glob("hidraw*") if not _is_usable(path)]
        if hidden:
            remedy = "let this user open them: a udev rule, as the package libfido2-1 or systemd brings along"
            return fail("authenticator", f"no security key; {', '.join(hidden)} cannot be opened", remedy)
        return warn("authenticator", "no security key is plugged in", "plug one in when a passkey is asked for")
    return next(
        filter(None, map(_check_key, devices)), ok("authenticator", f"{len(devices)} security keys, fit for it")
    )


def _check_software(choice: AuthenticatorChoice) -> Finding:
    remedy = "use a security key or the browser for anything that should be kept"
    if choice.file is None or not choice.file.exists():
        return warn("authenticator", "a software authenticator without passkeys, and keys in clear", remedy)
    return warn("authenticator", f"a software authenticator: keys in clear in {choice.file}", remedy)


def _check_browser(choice: AuthenticatorChoice, configuration: Configuration) -> Finding:
    try:
        webbrowser.get()
    except webbrowser.Error:
        return fail("authenticator", "no browser is found", "install one, or name it in the environment: BROWSER")
    said = f"the browser's passkeys, by {choice.page}"
    origin = configuration.settings.origin
    if origin is not None and not f"{choice.page}/".startswith(f"{origin}/"):
        return fail("authenticator", f"{said}, which is not of {origin}", "let `browser_page` and `origin` agree")
    return ok("authenticator", said)


def _check_key(device: CtapDevice) -> Finding | None:
    """Return what keeps a security key from being used here, or None."""
    if not device.capabilities & CAPABILITY.CBOR:
        return fail("authenticator", "a security key knows U2F only", "use one with FIDO2")
    try:
        info = Ctap2(device).info
    except (CtapError, OSError, ValueError):
        return fail("authenticator", "a security key does not answer", "plug it in again")
    if "hmac-secret" not in info.extensions:
        return fail("authenticator", "a security key has no hmac-secret, so no PRF", "use another, or mode vault-held")
    if not (info.options.get("clientPin") or info.options.get("uv")):
        return fail("authenticator", "a security key has no PIN yet", "set one: ykman fido access change-pin")
    return None


def _is_usable(path: Path) -> bool:
    try:
        with path.open("r+b", buffering=0):
            return True
    except OSError:
        return False


def _tool_version(tool: str) -> str | None:
    path = shutil.which(tool)
    if path is None:
        return None
    try:
        said = subprocess.run(  # noqa: S603  a program that PATH names, with one fixed argument
            [path, "--version"], capture_output=True, text=True, check=False, timeout=_TOOL_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return None
    number = _VERSION.search(said.stdout)
    return number[0] if number else "of an unknown version"
