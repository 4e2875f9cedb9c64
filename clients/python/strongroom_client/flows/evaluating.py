"""Evaluating a passkey's PRF by a signature for nobody: its challenge is this device's own, and stays here."""

from __future__ import annotations

from strongroom_client.authenticators.port import Assertion
from strongroom_client.descriptions import Service
from strongroom_client.envelope import PRF_INPUT
from strongroom_client.session import Session
from strongroom_client.steps import Flow, UsePasskey, use_passkey

_LOCAL_CHALLENGE_BYTES = 32


def evaluate(session: Session, service: Service, credential_id: bytes, *, further: bool) -> Flow[Assertion]:
    """Ask the authenticator, or that of a further passkey, for this passkey's PRF output. One prompt."""
    return (
        yield from use_passkey(
            UsePasskey(
                rp_id=service.rp_id,
                origin=service.origin,
                challenge=session.random(_LOCAL_CHALLENGE_BYTES),
                allow=(credential_id,),
                prf_input=PRF_INPUT,
                further=further,
            )
        )
    )
