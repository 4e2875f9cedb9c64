"""All checks in order. One that cannot look is skipped: what keeps it from looking is another one's finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from fido2.ctap import CtapDevice

from strongroom_client.cli.configuration import FILE_NAME, ConfigurationFault, load_configuration
from strongroom_client.cli.doctor.devices import check_archives, check_authenticator
from strongroom_client.cli.doctor.files import check_memory, check_modes, check_token
from strongroom_client.cli.doctor.findings import Finding, Outcome, fail, ok, skip
from strongroom_client.cli.doctor.vault import check_answers, check_way
from strongroom_client.clock import Clock
from strongroom_client.errors import UnpinnedVault


def examine_client(state: Path, *, clock: Clock, list_devices: Callable[[], Sequence[CtapDevice]]) -> Iterator[Finding]:
    """Look for what is wrong with this device's side; changes nothing."""
    try:
        configuration = load_configuration(state)
    except (ConfigurationFault, UnpinnedVault) as error:
        yield fail("configuration", str(error), f"mend {state / FILE_NAME}; docs/command-line.md says what it holds")
        yield from check_archives()
        return
    yield ok("configuration", f"{state / FILE_NAME} is sound")
    yield from check_modes(configuration)
    about_memory, memory = check_memory(configuration)
    yield about_memory
    about_token = list(check_token(configuration, now_seconds=clock() / 1_000))
    yield from about_token
    way = list(check_way(configuration))
    yield from way
    if any(finding.outcome is Outcome.FAIL for finding in way):
        yield skip("vault_answers", "there is no way to the vault")
    elif about_token[0].outcome is Outcome.FAIL and len(about_token) == 1:
        yield skip("vault_answers", "there is no account token to ask with")
    else:
        yield from check_answers(configuration, memory, clock=clock)
    yield check_authenticator(configuration, list_devices)
    yield from check_archives()
