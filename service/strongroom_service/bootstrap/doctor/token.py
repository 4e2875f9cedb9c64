"""The token: that it can be reached, does what is asked of it, and holds this vault's keys as they must be."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pkcs11
from pkcs11 import Attribute, Mechanism

from strongroom_service.bootstrap.doctor.findings import attempt, fail, ok, skip
from strongroom_service.bootstrap.system import keys_lock
from strongroom_service.domain.epochs import EpochState
from strongroom_service.domain.errors import StrongroomError
from strongroom_service.keeper.token.errors import translated
from strongroom_service.keeper.token.keys import find_key, object_classes
from strongroom_service.keeper.token.offer import choose_profile, probe_offer
from strongroom_service.keeper.token.pin import read_pin
from strongroom_service.keeper.token.pkcs11_token import Pkcs11Token
from strongroom_service.keeper.token.port import NO_EPOCH, KeyName, KeyPurpose
from strongroom_service.keeper.token.session import open_session
from strongroom_service.keeper.vault_keys import open_vault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from strongroom_service.application.rows import VaultRow
    from strongroom_service.bootstrap.doctor.findings import Finding
    from strongroom_service.config.vault_file import Pkcs11

_NEEDED: Final = (
    Mechanism.SHA256_HMAC,
    Mechanism.ECDSA,
    Mechanism.GENERIC_SECRET_KEY_GEN,
    Mechanism.EC_KEY_PAIR_GEN,
)
TOKEN_CHECKS: Final = ("module", "mechanisms", "token_login", "profile", "key_attributes", "check_values")
"""Names of all that `check_token` yields, in this order."""

_DOCUMENT: Final = "docs/tokens.md says which tokens will do"


@dataclass(slots=True)
class KeysFound:
    """Check values by label, of every key that the vault's row names; None while it could not be opened."""

    check_values: dict[str, bytes] | None = field(default=None)


def check_token(settings: Pkcs11, run_dir: Path, row: VaultRow | None, keys: KeysFound) -> Iterator[Finding]:
    """As the keepers' user, look at each in turn; logs in once, and not at all where that would waste a PIN's tries.

    `keys` is filled in for who asks about them later.
    """
    os.environ.update(settings.environment)  # the library reads it when it is loaded
    module = attempt("module", lambda: _load(settings), _module_remedy(settings))
    yield module
    if module.remedy:
        yield from (skip(check, "the module does not load") for check in TOKEN_CHECKS[1:])
        return
    yield _mechanisms(settings)
    with contextlib.ExitStack() as held:
        try:
            if run_dir.is_dir():
                held.enter_context(keys_lock(run_dir, exclusive=False))
            session = open_session(
                module=settings.module_file,
                token_label=settings.token_label,
                pin=read_pin(settings.pin_file),
                writable=False,
            )
        except StrongroomError as error:
            yield fail(
                "token_login", str(error), "mend pkcs11.token_label or the PIN file; tokens lock after few tries"
            )
            yield from (skip(check, "there is no session") for check in TOKEN_CHECKS[3:])
            return
        held.callback(_close, session)
        yield ok("token_login", f"token {settings.token_label} takes the PIN")
        yield attempt("profile", lambda: _profile(settings, session), "choose another pkcs11.profile; " + _DOCUMENT)
        attributes = _attributes(session)
        yield attributes
        if attributes.remedy:
            yield skip("check_values", "a key is not as it must be")
        else:
            yield _check_values(session, row, keys)


def _module_remedy(settings: Pkcs11) -> str:
    if settings.module_file.is_file():
        return (
            f"the library does not start for user {os.geteuid()}: look at what pkcs11.environment names (for SoftHSM"
            " the folder in directories.tokendir), and who may read it; a token that is gone: docs/operations.md, on a"
            " lost token"
        )
    return "install the vendor's library and name it in pkcs11.module_file; " + _DOCUMENT


def _load(settings: Pkcs11) -> str:
    with translated(f"loading {settings.module_file}"):
        library = pkcs11.lib(str(settings.module_file))
    return f"{library.manufacturer_id} {library.library_description}, PKCS#11 {library.cryptoki_version}"


def _mechanisms(settings: Pkcs11) -> Finding:
    try:
        with translated("asking for mechanisms"):
            token = pkcs11.lib(str(settings.module_file)).get_token(token_label=settings.token_label)
            offered = set(token.slot.get_mechanisms())
    except StrongroomError as error:
        return fail("mechanisms", str(error), "name the token in pkcs11.token_label as its maker's tools show it")
    missing = [mechanism.name for mechanism in _NEEDED if mechanism not in offered]
    if missing:
        return fail("mechanisms", f"the token does not offer {', '.join(missing)}", _DOCUMENT)
    return ok("mechanisms", f"all {len(_NEEDED)} that are needed")


def _profile(settings: Pkcs11, session: pkcs11.Session) -> str:
    offer = probe_offer(session)
    chosen = choose_profile(offer, wanted=settings.profile)
    unfit = "".join(f"; {profile.value} does not work: {why}" for profile, why in offer.unfit.items())
    return f"new KEK epochs wrap by {chosen.value}{unfit}"


def _attributes(session: pkcs11.Session) -> Finding:
    """Check every key with a label of ours; which of them must be there, the vault's row says afterwards."""
    try:
        names = sorted(_names(session), key=lambda name: name.label)
        for name in names:
            for object_class in object_classes(name.purpose):
                find_key(session, name, object_class)
    except StrongroomError as error:
        return fail("key_attributes", str(error), "go on from the second token: docs/operations.md, on a lost token")
    if not names:
        return fail("key_attributes", "the token holds no key of a vault", "run `strongroomd init`")
    return ok("key_attributes", f"{len(names)} keys, each as it must be")


def _names(session: pkcs11.Session) -> set[KeyName]:
    with translated("looking at the token's keys"):
        labels = {str(found[Attribute.LABEL]) for found in session.get_objects()}
    return {name for label in labels if (name := _parse(label)) is not None}


def _parse(label: str) -> KeyName | None:
    for purpose in KeyPurpose:
        stem, _, epoch = label.rpartition("-")
        if purpose is KeyPurpose.INDEX:
            if label == purpose.value:
                return KeyName(purpose, NO_EPOCH)
        elif stem == purpose.value and epoch.isdecimal() and int(epoch) > NO_EPOCH:
            return KeyName(purpose, int(epoch))
    return None


def _check_values(session: pkcs11.Session, row: VaultRow | None, keys: KeysFound) -> Finding:
    if row is None:
        return skip("check_values", "the vault's row could not be read")

    def look() -> str:
        vault = open_vault(Pkcs11Token(session=session), version=row.version, sealed=row.sealed)
        keys.check_values = {
            key.name.label: key.check_value for key in vault.contents.keys if key.state is not EpochState.DESTROYED
        }
        return f"all {len(keys.check_values)} keys are those of this vault, and work"

    return attempt(
        "check_values",
        look,
        "this token is not this vault's, or was changed: go on from the second token, or take"
        " the database that belongs to it",
    )


def _close(session: pkcs11.Session) -> None:
    with contextlib.suppress(pkcs11.PKCS11Error):
        session.close()
