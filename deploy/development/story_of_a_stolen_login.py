"""What a stolen login can do, what its owner does about it, and what anybody can prove afterwards."""

from __future__ import annotations

from dataclasses import replace

from deploy.development.checks import require, require_refusal
from deploy.development.narration import Narration
from deploy.development.stage import Person, Stage
from strongroom_client.authenticators.port import NoMatchingCredential
from strongroom_client.errors import ResetPending


def take_back(stage: Stage, person: Person, narration: Narration) -> None:
    """Show a thief with the account's token reset the vault and try to be rid of it, and the owner take it back."""
    narration.chapter("5  A stolen login")
    with stage.client(person) as client:
        enrolled = client.enroll(person.passkey, user_name=person.account)
    thief = replace(stage.person("a thief"), account=person.account)
    with stage.client(thief, scope="vault reset") as client:
        client.reset()
        client.enroll(thief.passkey, user_name="a thief")
        client.delete(thief.passkey)
        require_refusal(ResetPending, client.reset)
    narration.fact(
        f"somebody with {person.account}'s login, but not the passkey, resets the vault, enrolls, deletes it:"
    )
    with stage.client(person) as client:
        aside = client.vault().set_aside
        require(aside is not None, "the owner's vault is set aside, not gone")
        require(bool(client.notices), "the owner is told by every call")
        client.reopen_set_aside(person.passkey)
        released = client.release(person.passkey)
        require(released.identities() == (enrolled.backup_identity,), "the archive key is the owner's own")
        require_refusal(NoMatchingCredential, lambda: client.release(thief.passkey))
    narration.fact("set aside for 30 days, told at every call; the passkey takes it back, and the archive key opens")


def prove(stage: Stage, person: Person, narration: Narration) -> None:
    """Show what can be checked afterwards: by the account, by anybody, and by the operator."""
    narration.chapter("6  What can be proven")
    with stage.client(person) as client:
        events, flaws = client.history(), client.examine_history()
        receipts = client.examine_receipts()
        require(not flaws and not receipts.findings and not client.compare_receipts(), "history and receipts hold")
    narration.fact(
        f"{len(events)} events, each signature checked again; {receipts.receipts} receipts, all as the history says"
    )
    stage.vault.run_command("checkpoint", "make")
    said = stage.vault.run_command("checkpoint", "verify", "--keeper").splitlines()
    require(said[-1].endswith(" 0 findings."), f"the database passes through its checkpoint: {said[-1]}")
    narration.fact(f"checkpoint made and verified: {said[-1]}")
