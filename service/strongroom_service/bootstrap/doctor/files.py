"""Who may read and write what lies on this host."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from strongroom_service.bootstrap.doctor.findings import fail, ok, skip
from strongroom_service.bootstrap.system import acting_as, checkpoint_folder
from strongroom_service.config.secret_file import read_secret
from strongroom_service.domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strongroom_service.bootstrap.doctor.findings import Finding
    from strongroom_service.config.vault_file import VaultConfig

_ROOT: Final = 0
_OTHERS: Final = stat.S_IRWXO
_GROUP_AND_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_WRITING: Final = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class _Rule:
    """One file or folder: whose it is, which bits it must not have, and the mode that mends it."""

    check: str
    path: Path
    owner: int | None
    forbidden: int
    mode: str


def check_files(config: VaultConfig, config_path: Path) -> Iterator[Finding]:
    """Look at the mode and owner of each. What is not there yet is made right by `init`, `serve` or who needs it."""
    for rule in _rules(config, config_path):
        yield _check(rule)
    token = _token_folder(config)
    if token is None:
        yield skip("token_folder_mode", "the token is none that lies in a folder")
    elif not token.exists():
        remedy = "bring the token, or its copy, back there: docs/operations.md, on a lost token"
        yield fail("token_folder_mode", f"{token} is not there", remedy)
    else:
        yield _check(_Rule("token_folder_mode", token, _keeper(config), _GROUP_AND_OTHERS, "0700"))
    yield _check_pin_file(config)


def _rules(config: VaultConfig, config_path: Path) -> Iterator[_Rule]:
    front, keeper = _front(config), _keeper(config)
    # Whoever can write it can name another module to load, or another database.
    yield _Rule("config_mode", config_path, None, _WRITING, "0644")
    yield _Rule("tenants_mode", config.tenants_dir, None, _WRITING, "0755")
    yield _Rule("run_dir_mode", config.run_dir, keeper, _OTHERS | stat.S_IWGRP, "0750")
    yield _Rule("data_dir_mode", config.folder, front, _OTHERS, "0700")
    yield _Rule("checkpoints_mode", checkpoint_folder(config), front, _OTHERS, "0700")
    yield _Rule("log_mode", config.keepers.log_file, keeper, _GROUP_AND_OTHERS, "0600")
    # Kubernetes gives a secret's files to a pod by a group of its own.
    yield _Rule("tls_key_mode", config.listen.tls_key_file, front, _OTHERS | _WRITING, "0600")
    if config.browser is not None and config.browser.tls_key_file is not None:
        yield _Rule("browser_key_mode", config.browser.tls_key_file, front, _OTHERS | _WRITING, "0600")


def _check(rule: _Rule) -> Finding:
    try:
        status = rule.path.stat()
    except FileNotFoundError:
        return skip(rule.check, f"{rule.path} is not there")
    except OSError as error:
        return fail(rule.check, f"{rule.path}: {error.strerror}", "run doctor as root")
    mode = stat.S_IMODE(status.st_mode)
    if mode & rule.forbidden:
        return fail(rule.check, f"{rule.path} has mode {mode:04o}", f"chmod {rule.mode} {rule.path}")
    # Kubernetes gives what it mounts to root and a group of the pod's; without such a group root's is root's alone.
    by_group = status.st_uid == _ROOT and mode & stat.S_IRGRP
    if rule.owner is not None and status.st_uid != rule.owner and not by_group:
        return fail(rule.check, f"{rule.path} belongs to user {status.st_uid}", f"chown {rule.owner} {rule.path}")
    return ok(rule.check, f"{rule.path} has mode {mode:04o}")


def _check_pin_file(config: VaultConfig) -> Finding:
    path, users = config.pkcs11.pin_file, config.users
    try:
        with acting_as(None if users is None else users.keeper_uid, None if users is None else users.keeper_gid):
            read_secret(path, name="PIN file", reader="the keeper's user")
    except Misconfigured as error:
        return fail("pin_file", str(error), f"make {path} a regular file of the keepers' user with mode 0400")
    return ok("pin_file", f"{path} can be read by the keepers' user alone")


def _token_folder(config: VaultConfig) -> Path | None:
    """Return SoftHSM's folder, if that is what the token is."""
    named = config.pkcs11.environment.get("SOFTHSM2_CONF")
    if named is None:
        return None
    try:
        lines = Path(named).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    folders = [line.partition("=")[2].strip() for line in lines if line.partition("=")[0].strip() == _SOFTHSM_FOLDER]
    return Path(folders[0]) if folders else None


_SOFTHSM_FOLDER: Final = "directories.tokendir"


def _front(config: VaultConfig) -> int | None:
    return None if config.users is None else config.users.front_uid


def _keeper(config: VaultConfig) -> int | None:
    return None if config.users is None else config.users.keeper_uid
