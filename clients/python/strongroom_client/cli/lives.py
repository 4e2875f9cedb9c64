"""Commands about the vault as a whole: another recovery key, reset, reopening, and its limits."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, unique
from pathlib import Path
from typing import Annotated

import typer

from strongroom_client.cli.agreeing import agree
from strongroom_client.cli.opening import all_authenticators, chosen_authenticator, opened_client
from strongroom_client.cli.options import (
    KEYS,
    VAULT,
    WRONG,
    Browser,
    ChosenMode,
    KeyFile,
    KeyOut,
    KeyPrompt,
    State,
    Yes,
    load,
)
from strongroom_client.cli.output import Output, Shown, tell
from strongroom_client.cli.recovery_keys import given_recovery_key, hand_over, recovery_key_to_hand_over
from strongroom_client.cli.showing import policy_lines, shown_time
from strongroom_client.consequences import Change
from strongroom_client.descriptions import Policy
from strongroom_client.errors import NoVault
from strongroom_client.memory import Mode

_DAY_SECONDS = 24 * 3600


@unique
class Reopened(Enum):
    """What to reopen."""

    SET_ASIDE = "set-aside"
    CLOSED = "closed"


@unique
class OnExhaustion(Enum):
    """What happens when all attempts are used up."""

    DESTROY = "destroy"
    LOCK = "lock"


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command, panel in (
        (replace_recovery_key, KEYS),
        (renew, KEYS),
        (mode, KEYS),
        (limits, VAULT),
        (reset, WRONG),
        (reopen, WRONG),
    ):
        app.command(rich_help_panel=panel)(command)


def replace_recovery_key(
    *,
    state: State = None,
    mode: ChosenMode = None,
    recovery_key_out: KeyOut = None,
    yes: Yes = False,
    browser: Browser = False,
    output: Shown = Output.TEXT,
) -> None:
    """Get another recovery key. Archives made before still open with the old one, and with the passkeys."""
    configuration = load(state, browser=browser)
    key = recovery_key_to_hand_over(recovery_key_out, output=output)
    with opened_client(configuration) as client:
        agree(client, Change.REPLACE_RECOVERY_KEY, yes=yes)
        hand_over(key, recovery_key_out)
        client.set_recovery(chosen_authenticator(configuration.authenticator), recovery_key=key, mode=mode)
    said = "The new recovery key counts now. Keep the old one as long as you keep older archives."
    tell(output, said, recovery_key_file=recovery_key_out)


def renew(
    *,
    state: State = None,
    mode: ChosenMode = None,
    browser: Browser = False,
    output: Shown = Output.TEXT,
) -> None:
    """Take a fresh archive key for the backups from now on; older ones still open."""
    configuration = load(state, browser=browser)
    with opened_client(configuration) as client:
        agree(client, Change.RENEW)
        renewed = client.renew(chosen_authenticator(configuration.authenticator), mode=mode)
    said = f"Renewed. Archive keys are stored as version {renewed.archive_version}; back up now, to use the fresh one."
    tell(output, said, archive_version=renewed.archive_version, archive_recipient=renewed.archive_recipient)


def mode(
    to: Annotated[Mode, typer.Argument(help="prf: your passkeys lock the keys; vault-held: the vault alone does.")],
    *,
    state: State = None,
    from_: Annotated[
        Mode | None, typer.Option("--mode", help="The mode before; needed where this device does not know vault-held.")
    ] = None,
    yes: Yes = False,
    browser: Browser = False,
    output: Shown = Output.TEXT,
) -> None:
    """Move between the modes. No archive is encrypted anew."""
    configuration = load(state, browser=browser)
    with opened_client(configuration) as client:
        agree(client, Change.TO_PRF if to is Mode.PRF else Change.TO_VAULT_HELD, yes=yes)
        moved = client.change_mode(all_authenticators(configuration), to, mode=from_)
    said = f"Moved to mode {to.value}. Archive keys are stored as version {moved.archive_version}."
    tell(output, said, mode=to, archive_version=moved.archive_version)


def reset(
    *,
    state: State = None,
    account_token_file: Annotated[
        Path | None, typer.Option(help="A token of the product's that allows a reset.", dir_okay=False)
    ] = None,
    yes: Yes = False,
    output: Shown = Output.TEXT,
) -> None:
    """Set the vault aside and start an empty one, for who lost every passkey and the recovery key."""
    configuration = load(state)
    if account_token_file is not None:
        configuration = replace(configuration, account_token_file=account_token_file)
    with opened_client(configuration) as client:
        agree(client, Change.RESET, yes=yes)
        erase_at = client.reset()
    said = f"Reset. What was there is erased {shown_time(erase_at)}, unless one of its passkeys reopens it before."
    tell(output, said, erase_at=erase_at)


def reopen(
    what: Annotated[Reopened, typer.Argument(help="What a reset has set aside, or a vault that is closed.")],
    *,
    state: State = None,
    mode: ChosenMode = None,
    recovery_key_file: KeyFile = None,
    recovery_key_prompt: KeyPrompt = False,
    yes: Yes = False,
    browser: Browser = False,
    output: Shown = Output.TEXT,
) -> None:
    """Bring back what a reset has set aside, in place of the newer vault; or open one that is closed."""
    configuration = load(state, browser=browser)
    key = given_recovery_key(recovery_key_file, prompt=recovery_key_prompt)
    with opened_client(configuration) as client:
        by = chosen_authenticator(configuration.authenticator) if key is None else key
        if what is Reopened.SET_ASIDE:
            agree(client, Change.REOPEN_SET_ASIDE, yes=yes)
            client.reopen_set_aside(by, mode=mode)
        else:
            client.reopen_closed(by, mode=mode)
    tell(output, "Reopened. Restore once, so that this device knows what to back up to.", reopened=what)


def limits(
    *,
    state: State = None,
    mode: ChosenMode = None,
    budget: Annotated[int | None, typer.Option(help="Failed attempts until all are used up.")] = None,
    cool_downs: Annotated[
        str | None, typer.Option(help="Seconds to wait after the fourth failure, the fifth, ...: 60,300,900.")
    ] = None,
    on_exhaustion: Annotated[OnExhaustion | None, typer.Option(help="What happens then.")] = None,
    releases_per_day: Annotated[int | None, typer.Option(help="Releases allowed in a UTC day.")] = None,
    reset_grace_days: Annotated[int | None, typer.Option(help="How long a reset waits before it erases.")] = None,
    browser: Browser = False,
    output: Shown = Output.TEXT,
) -> None:
    """Show the vault's limits, or with options change them, by a passkey."""
    configuration = load(state, browser=browser)
    with opened_client(configuration) as client:
        policy = client.vault().policy
        if policy is None:
            raise NoVault("NO_VAULT")
        changed = _changed(
            policy,
            budget=budget,
            cool_down_seconds=None if cool_downs is None else _seconds(cool_downs),
            on_exhaustion=None if on_exhaustion is None else on_exhaustion.value,
            releases_per_day=releases_per_day,
            reset_grace_seconds=None if reset_grace_days is None else reset_grace_days * _DAY_SECONDS,
        )
        if changed != policy:
            client.set_policy(chosen_authenticator(configuration.authenticator), changed, mode=mode)
    tell(output, "\n".join(policy_lines(changed)), policy=changed)


def _seconds(listed: str) -> tuple[int, ...]:
    parts = [part.strip() for part in listed.split(",") if part.strip()]
    if not all(part.isdecimal() for part in parts):
        raise typer.BadParameter("seconds, parted by commas", param_hint="cool-downs")
    return tuple(map(int, parts))


def _changed(policy: Policy, **given: int | str | tuple[int, ...] | None) -> Policy:
    return replace(policy, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]  # by name, as typed above
