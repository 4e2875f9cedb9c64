"""Accounts under load by the client library itself: pinned, verifying all, remembering what it saw."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from google.protobuf.message import Message

from deploy.development.environment import DevelopmentVault
from strongroom.v1 import event_pb2
from strongroom_client.authenticators.port import Assertion, Attestation
from strongroom_client.client import VaultClient
from strongroom_client.envelope_content import EnvelopeError
from strongroom_client.errors import NotProven, OutcomeUnknown, StrongroomError, VaultFault, VaultRefused
from strongroom_client.memory import AccountMemory, AccountRef
from strongroom_client.session import VaultSettings
from strongroom_client.steps import Rpc
from strongroom_client.transport import Address, GrpcConnection
from strongroom_client.verification.bundles import Trust
from tests.campaign.hand_account import DEADLINE_SECONDS, WRONG, synced_passkey, whole_history
from tests.campaign.history import COMPLETIONS, Chronicle, KeptCall
from tests.fakes.client import FakeMemory
from tests.fakes.hand_client import HandClient
from tests.fakes.passkey import HONEST, SoftwarePasskey


@dataclass
class PasskeyAuthenticator:
    """The client library's authenticator over a `SoftwarePasskey`; signs wrong when told to."""

    passkey: SoftwarePasskey
    secret: bytes = field(default_factory=lambda: os.urandom(32))
    wrong: bool = False

    def make_credential(self, *, challenge: bytes, user_handle: bytes, prf_input: bytes, **_: object) -> Attestation:
        self.passkey.user_handle = user_handle
        made = self.passkey.make_attestation(challenge)
        return Attestation(
            credential_id=made.credential_id,
            client_data_json=made.client_data_json,
            attestation_object=made.attestation_object,
            transports=made.transports,
            prf_output=self._prf(prf_input),
        )

    def get_assertion(
        self, *, rp_id: str, origin: str, challenge: bytes, allow: Sequence[bytes], prf_input: bytes
    ) -> Assertion:
        made = self.passkey.make_assertion(challenge, WRONG if self.wrong else HONEST)
        return Assertion(
            credential_id=made.credential_id,
            authenticator_data=made.authenticator_data,
            client_data_json=made.client_data_json,
            signature=made.signature,
            user_handle=made.user_handle,
            prf_output=self._prf(prf_input),
        )

    def _prf(self, prf_input: bytes) -> bytes:
        return hmac.digest(self.secret, prf_input, hashlib.sha256)


class _KeptConnection:
    """The client library's connection, with what it is told written down."""

    def __init__(self, account: LibraryAccount, inner: GrpcConnection) -> None:
        self._account = account
        self._inner = inner

    def call(self, rpc: Rpc, request: Message) -> Message:
        account = self._account
        kept = KeptCall(account.chronicle, account.name, rpc.value, request, good=not account.authenticator.wrong)
        try:
            response: Any = self._inner.call(rpc, request)
        except StrongroomError as error:
            kept.end(told=_word_for(error))
            raise
        kept.end(receipt=response.receipt if rpc.value in COMPLETIONS else None)
        return response  # type: ignore[no-any-return]  # whatever message the stub gave

    def close(self) -> None:
        self._inner.close()


class LibraryAccount:
    """One account on a device of its own."""

    def __init__(self, vault: DevelopmentVault, chronicle: Chronicle, *, target: str = "") -> None:
        """`target`: names several replicas to gRPC; default: this vault alone."""
        self.name = f"library-{os.urandom(8).hex()}"
        self.chronicle = chronicle
        self.authenticator = PasskeyAuthenticator(synced_passkey())
        self.hand = HandClient(vault, self.name, passkey=self.authenticator.passkey)
        owner = AccountRef(vault="campaign", tenant=vault.tenant.name, account=self.name)
        token = vault.issue_token(self.name)
        address = Address(
            target=target or vault.address,
            server_name="localhost",
            root_certificates=vault.ca_file,
            deadline_seconds=DEADLINE_SECONDS,
        )
        self._client = VaultClient(
            settings=VaultSettings(owner=owner, trust=Trust(pins=frozenset(map(bytes.fromhex, vault.pins)))),
            connection=_KeptConnection(self, GrpcConnection(address, account_token=lambda: token)),
            memory=FakeMemory(kept=AccountMemory(owner=owner)),
            pause=lambda seconds: time.sleep(min(seconds, 0.1)),
        )

    def enroll_now(self) -> None:
        """Enroll, with the trial release that belongs to it; raises as the library."""
        self._client.enroll(self.authenticator, user_name=self.name)

    def release(self) -> None:
        """Release; raises as the library."""
        self._client.release(self.authenticator)

    def step(self, chance: Random) -> bool:
        self.authenticator.wrong = chance.random() < 0.2
        try:
            self.release()
        except (NotProven, EnvelopeError) as error:
            self.chronicle.stop(self.name, error)
            return False
        except StrongroomError as error:
            return _word_for(error) in {"NOT_VERIFIED", "BEGIN_AGAIN"}
        return True

    def close(self) -> None:
        self._client.close()
        self.hand.channel.close()

    def history(self) -> list[event_pb2.Event]:
        """The account's whole history, oldest first; not part of the load."""
        return whole_history(self.hand)


def _word_for(error: StrongroomError) -> str:
    if isinstance(error, VaultRefused | VaultFault):
        return error.reason
    return "OUTCOME_UNKNOWN" if isinstance(error, OutcomeUnknown) else "UNAVAILABLE"
