"""The keeper's answers: from a call's message to the step that handles it, and back; errors become replies here."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from strongroom.keeper.v1 import frames_pb2
from strongroom.v1 import resources_pb2
from strongroom_service.domain.ceremonies import ORDERS
from strongroom_service.domain.errors import Fault, InvalidField, Misconfigured, RecordRejected, Refusal, TokenFault
from strongroom_service.domain.identifiers import RecordId
from strongroom_service.keeper.beginning import Beginner
from strongroom_service.keeper.calls import completion_of, operation_of
from strongroom_service.keeper.describing import Describer
from strongroom_service.keeper.feeding import Feeder
from strongroom_service.keeper.formats.bundle import is_due
from strongroom_service.keeper.formats.enums import OUTCOMES
from strongroom_service.keeper.formats.sealing import parse_header
from strongroom_service.keeper.formats.statement import challenge_of
from strongroom_service.keeper.fulfilling import Fulfiller
from strongroom_service.keeper.judging import Judge, SealedStep
from strongroom_service.keeper.opened_record import RecordOpener
from strongroom_service.keeper.presented import StaleRow
from strongroom_service.keeper.vault_keys import open_vault, renew_bundle

if TYPE_CHECKING:
    from collections.abc import Callable

    from strongroom_service.domain.clock import Clock
    from strongroom_service.keeper.answers import SignedAnswer
    from strongroom_service.keeper.cases import CaseReader
    from strongroom_service.keeper.condition import Condition
    from strongroom_service.keeper.formats.vault_row import VaultContents
    from strongroom_service.keeper.fulfilments import FulfilmentLog
    from strongroom_service.keeper.presented import PresentedRows
    from strongroom_service.keeper.token.port import Token
    from strongroom_service.keeper.vault_keys import VaultKeys
    from strongroom_service.keeper.visits import Log


class _Chamber:
    """What a keeper works with while one version of the vault row is open."""

    def __init__(
        self,
        keys: VaultKeys,
        *,
        presented: PresentedRows,
        fulfilments: FulfilmentLog,
        random: Callable[[int], bytes],
        log: Log,
    ) -> None:
        self.keys = keys
        self.opener = RecordOpener(keys=keys, presented=presented)
        self.beginner = Beginner(keys=keys, random=random)
        self.judge = Judge(keys=keys, random=random)
        self.fulfiller = Fulfiller(keys=keys, log=fulfilments)
        self.describer = Describer(keys=keys)
        self.feeder = Feeder(keys=keys, log=log)


class KeeperHandler:
    """Answers one call at a time. Holds the token session; everything else is derived from it."""

    def __init__(
        self,
        *,
        token: Token,
        cases: CaseReader,
        presented: PresentedRows,
        fulfilments: FulfilmentLog,
        clock: Clock,
        check_clock: Callable[[], None],
        condition: Callable[[], Condition],
        random: Callable[[int], bytes],
        log: Log,
    ) -> None:
        """`check_clock` raises ClockUntrusted while nothing may be judged by this host's clock; `condition` is told."""
        self._token = token
        self._cases = cases
        self._presented = presented
        self._fulfilments = fulfilments
        self._clock = clock
        self._check_clock = check_clock
        self._condition = condition
        self._random = random
        self._log = log
        self._chamber: _Chamber | None = None
        self._spent = False

    @property
    def spent(self) -> bool:
        """Whether the token session is lost, so that this process must be replaced."""
        return self._spent

    def spend(self) -> None:
        """Note that the token session is lost, as others who use it have found."""
        self._spent = True

    def forget_presented(self, record_id: bytes) -> int:
        """Forget the newest row that was presented of a record; return its version."""
        return self._presented.forget(record_id)

    @property
    def keys(self) -> VaultKeys:
        """The keys of the vault's row that is open.

        Raises:
            Misconfigured: none is.
        """
        if self._chamber is None:
            message = "the vault is not open"
            raise Misconfigured(message)
        return self._chamber.keys

    def handle(self, call: frames_pb2.KeeperCall) -> frames_pb2.KeeperReply:
        """Answer `call`."""
        try:
            return self._answer(call)
        except Refusal as refusal:
            self._log.info(
                "keeper_refused", request_id=call.request_id, reason=refusal.reason.value, why=refusal.detail
            )
            return frames_pb2.KeeperReply(refusal=_refusal_reply(refusal))
        except StaleRow as stale:
            return frames_pb2.KeeperReply(stale=frames_pb2.StaleReply(newest_version=stale.newest_version))
        except Fault as fault:
            self._spent = self._spent or isinstance(fault, TokenFault)
            self._log.error("keeper_fault", request_id=call.request_id, kind=type(fault).__name__, why=str(fault))
            return frames_pb2.KeeperReply(fault=frames_pb2.FaultReply(kind=type(fault).__name__, detail=str(fault)))

    def _answer(self, call: frames_pb2.KeeperCall) -> frames_pb2.KeeperReply:
        match call.WhichOneof("call"):
            case "open_vault":
                return frames_pb2.KeeperReply(open_vault=self._open_vault(call.open_vault))
            case "probe":
                self._token.probe()
                return frames_pb2.KeeperReply(probe=self._condition().reply(self._contents))
            case "begin":
                return frames_pb2.KeeperReply(begin=self._begin(call.begin))
            case "judge":
                return frames_pb2.KeeperReply(judge=self._judge(call.judge, call.request_id))
            case _:
                reply, receipt = self._answer_signed(call)
                return frames_pb2.KeeperReply(signed=frames_pb2.SignedReply(reply=reply, receipt=receipt))

    def _answer_signed(self, call: frames_pb2.KeeperCall) -> SignedAnswer:
        chamber = self._open_chamber
        match call.WhichOneof("call"):
            case "fulfil":
                return self._fulfil(chamber, call.fulfil, call.request_id)
            case "describe_service":
                tenant, now = self._cases.of_service(call.describe_service)
                return chamber.describer.describe_service(tenant, call.describe_service.nonce, now=now)
            case "describe_record":
                case_ = self._cases.of_account(call.describe_record, opener=chamber.opener)
                return chamber.describer.describe_record(case_, call.describe_record.nonce)
            case "list_events":
                asked = call.list_events
                case_ = self._cases.of_account(asked, opener=chamber.opener)
                return chamber.describer.list_events(
                    case_, asked.nonce, page_token=asked.page_token, rows=asked.events, oldest=asked.oldest
                )
            case "list_tenant_events":
                feed = call.list_tenant_events
                return chamber.feeder.list_tenant_events(self._cases.of_feed(feed.tenant_caller), feed)
            case _:
                message = "a call that this release does not know"
                raise Misconfigured(message)

    @property
    def _open_chamber(self) -> _Chamber:
        if self._chamber is None:
            message = "the vault is not open"
            raise Misconfigured(message)
        return self._chamber

    @property
    def _contents(self) -> VaultContents | None:
        return None if self._chamber is None else self._chamber.keys.contents

    def _open_vault(self, call: frames_pb2.OpenVaultCall) -> frames_pb2.OpenVaultReply:
        """Open the vault row, unless a newer one is open; say when the key bundle is due to be renewed."""
        if self._chamber is None or self._chamber.keys.contents.version < call.version:
            keys = open_vault(self._token, version=call.version, sealed=call.sealed)
            self._chamber = _Chamber(
                keys, presented=self._presented, fulfilments=self._fulfilments, random=self._random, log=self._log
            )
        elif self._chamber.keys.contents.version > call.version:
            raise StaleRow(newest_version=self._chamber.keys.contents.version)
        keys, now = self._chamber.keys, self._clock.now()
        due = is_due(keys.contents.key_bundle, now=now)
        successor = renew_bundle(keys, now=now, random=self._random) if due else b""
        return frames_pb2.OpenVaultReply(id_key=keys.id_key, successor_sealed=successor)

    def _begin(self, call: frames_pb2.BeginCall) -> frames_pb2.BeginReply:
        self._check_clock()
        chamber = self._open_chamber
        begun = chamber.beginner.begin(self._cases.of_account(call, opener=chamber.opener), call.request)
        subject = begun.subject
        credentials = () if subject is None else sorted(subject.credentials, key=lambda each: each.credential_id)
        return frames_pb2.BeginReply(
            ceremony=begun.ceremony,
            credentials=[
                resources_pb2.Credential(
                    credential_id=credential.credential_id,
                    cose_key=credential.cose_key,
                    transports=credential.transports,
                )
                for credential in credentials
            ],
            recovery_public_key=b"" if subject is None else subject.effective_recovery_public_key,
        )

    def _judge(self, call: frames_pb2.JudgeCall, request_id: str) -> frames_pb2.JudgeReply:
        self._check_clock()
        chamber, completion = self._open_chamber, completion_of(call)
        case_ = self._cases.of_change(call, operation=completion.operation, opener=chamber.opener)
        step = chamber.judge.judge(case_, completion)
        if step is None:
            return frames_pb2.JudgeReply(already_granted=frames_pb2.AlreadyGranted())
        return self._to_be_committed(chamber, step, record_id=case_.record_id, request_id=request_id)

    def sweep(self, row: frames_pb2.Row) -> frames_pb2.CommitOrder | None:
        """Return the change that erases what is due in `row`, if anything is.

        Raises:
            StaleRow, RecordRejected: as `RecordOpener.open_unasked`.
            ClockUntrusted, TokenFault, Misconfigured: nothing can be judged now.
        """
        self._check_clock()
        chamber = self._open_chamber
        case_ = self._cases.of_sweep(row, opener=chamber.opener)
        step = chamber.judge.sweep(case_)
        if step is None:
            return None
        return self._to_be_committed(chamber, step, record_id=case_.record_id, request_id="").commit

    def rewrap(self, row: frames_pb2.Row, *, chain_head: bytes) -> frames_pb2.CommitOrder | None:
        """Return the change that moves the record in `row` to the keys in use, if anything of it is not.

        Its chain must be at `chain_head`, unless that is empty. Raises as `sweep`.
        """
        self._check_clock()
        chamber = self._open_chamber
        case_ = self._cases.of_sweep(row, opener=chamber.opener)
        if chain_head and not hmac.compare_digest(case_.record.chain_head, chain_head):
            message = "a record's chain does not go on from where the last checkpoint has seen it"
            raise RecordRejected(message)
        step = chamber.judge.rewrap(case_, seal_epoch=parse_header(row.sealed).epoch)
        if step is None:
            return None
        return self._to_be_committed(chamber, step, record_id=case_.record_id, request_id="").commit

    def _to_be_committed(
        self, chamber: _Chamber, step: SealedStep, *, record_id: bytes, request_id: str
    ) -> frames_pb2.JudgeReply:
        chamber.opener.expect(step.record, record_id=RecordId(record_id), sealed=step.sealed_record)
        self._log.info(
            "keeper_judged",
            request_id=request_id,
            operation=step.decided.event.operation.value,
            outcome=step.decided.event.outcome.value,
            why=step.decided.event.reason,
            version=step.version,
        )
        return frames_pb2.JudgeReply(commit=_commit_order(step, record_id=record_id))

    def _fulfil(self, chamber: _Chamber, call: frames_pb2.FulfilCall, request_id: str) -> SignedAnswer:
        operation = operation_of(call.operation)
        case_ = self._cases.of_change(call, operation=operation, opener=chamber.opener)
        challenge = call.nonce if operation in ORDERS else challenge_of(call.ceremony)
        answer = chamber.fulfiller.fulfil(case_, operation=operation, challenge=challenge)
        self._log.info("keeper_fulfilled", request_id=request_id, operation=operation.value)
        return answer


def _commit_order(step: SealedStep, *, record_id: bytes) -> frames_pb2.CommitOrder:
    refusal = step.decided.refusal
    return frames_pb2.CommitOrder(
        row=frames_pb2.Row(record_id=record_id, version=step.version, sealed=step.sealed_record),
        sealed_event=step.sealed_event,
        at=step.decided.event.at,
        refusal=_refusal_reply(refusal) if refusal is not None else None,
        outcome=OUTCOMES[step.decided.event.outcome],
    )


def _refusal_reply(refusal: Refusal) -> frames_pb2.RefusalReply:
    """What may be told: the reason, how long to wait, which field; never `detail`."""
    field, rule = (refusal.field, refusal.rule) if isinstance(refusal, InvalidField) else ("", "")
    return frames_pb2.RefusalReply(
        reason=refusal.reason.value, retry_after_ms=refusal.retry_after_ms, field=field, rule=rule
    )
