"""From a configuration to an open client and an authenticator: the only module that names concrete parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial

import typer

from strongroom_client.account_tokens import AccountTokenFile
from strongroom_client.authenticators.browser import BrowserAuthenticator, Invitation
from strongroom_client.authenticators.port import Authenticator
from strongroom_client.authenticators.several import SeveralAuthenticators
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.cli.configuration import SECURITY_KEY, AuthenticatorChoice, Configuration
from strongroom_client.cli.security_key import SecurityKeyInTurn, at_terminal, find_security_key
from strongroom_client.cli.showing import notice_line
from strongroom_client.client import VaultClient
from strongroom_client.memory_folder import MemoryFolder
from strongroom_client.notices import Notice, NoticeKind
from strongroom_client.transport import GrpcConnection


@contextmanager
def opened_client(configuration: Configuration) -> Iterator[VaultClient]:
    """Open a client on this device's memory; warn where nothing that the vault says can be proven.

    What the user should know beside the results goes to standard error as it comes up.
    """
    settings = configuration.settings
    if settings.trust.unpinned:
        typer.secho("Warning: no identity key is pinned, so that the vault's receipts prove nothing.", err=True)
    with ExitStack() as stack:
        memory = stack.enter_context(MemoryFolder(configuration.memory_root, owner=settings.owner))
        token = AccountTokenFile(configuration.account_token_file)
        connection = GrpcConnection(configuration.address, account_token=token)
        stack.callback(connection.close)
        notify = partial(warn, names=memory.load().names)  # those of before: a passkey that is gone had one, too
        yield stack.enter_context(VaultClient(settings=settings, connection=connection, memory=memory, notify=notify))


def warn(notice: Notice, *, names: Mapping[bytes, str]) -> None:
    """Tell the user on standard error."""
    if notice.kind is NoticeKind.PASSKEY_WANTED:
        typer.secho(f"Note: {notice_line(notice, names)}.", err=True, bold=True)
        return
    typer.secho(f"Warning: {notice_line(notice, names)}.", err=True, fg=typer.colors.YELLOW)


def two_authenticators(configuration: Configuration) -> tuple[Authenticator, Authenticator]:
    """Return the authenticator of the passkeys that there are, and that of the further one.

    Two security keys are asked for one after the other, whenever either is needed.
    """
    own, further = configuration.authenticator, configuration.further_authenticator
    if own.kind == further.kind == SECURITY_KEY:
        return SecurityKeyInTurn("the security key that the vault knows"), SecurityKeyInTurn("the new security key")
    return chosen_authenticator(own), chosen_authenticator(further)


def all_authenticators(configuration: Configuration) -> Authenticator:
    """Return every authenticator that the configuration names, as one: each passkey is asked for where it is."""
    own, further = configuration.authenticator, configuration.further_authenticator
    if own.kind == further.kind == SECURITY_KEY:
        return SecurityKeyInTurn("the security key that holds the passkey in question")
    if further.kind == SECURITY_KEY:
        return chosen_authenticator(own)
    return SeveralAuthenticators(chosen_authenticator(own), chosen_authenticator(further))


def chosen_authenticator(choice: AuthenticatorChoice) -> Authenticator:
    """Return the authenticator that the configuration names.

    Raises:
        AuthenticatorError: there is not exactly one security key.
    """
    if choice.file is not None:
        return InsecureSoftwareAuthenticator(state_path=choice.file)
    if choice.page is not None:
        return BrowserAuthenticator(page=choice.page, invite=_invite)
    return at_terminal(find_security_key())


def _invite(invitation: Invitation) -> None:
    """Tell the user on standard error where to go on."""
    shown = f"Go on in the browser. Its page must show {invitation.check}; if it shows another code, close it."
    typer.secho(shown, err=True, bold=True)
    if invitation.file is not None:
        typer.echo(f"If no page opens, open this file in a browser on this machine: {invitation.file}", err=True)
