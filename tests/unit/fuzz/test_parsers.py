"""Whatever reads bytes or messages is reached by a fuzz target, or the table says whose bytes they are."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from strongroom.keeper.v1 import frames_pb2, operator_pb2
from strongroom.v1 import ceremony_pb2, tenant_service_pb2, vault_service_pb2
from tests.fuzz import honest
from tests.fuzz.target import Target, accepts
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[3]
ROOMS = (ROOT / "service" / "strongroom_service", ROOT / "clients" / "python" / "strongroom_client")
READS = re.compile(r"_?(parse|decode|read|open|verify|check|extract|unseal|unwrap|load|examine|translate)")
OF_BYTES = re.compile(r"\bbytes\b|_pb2|\bBinaryIO\b|Mapping\[str, Any\]")

NOT_HOSTILE: dict[str, str] = {
    "strongroom_service/application/copy_store.py": "compares and passes rows on, reads none",
    "strongroom_service/application/stores.py": "ports: rows by their ids",
    "strongroom_service/application/verify_histories.py": "compares what chains, files and keepers have read",
    "strongroom_service/bootstrap/doctor/token_proof.py": "passes the operator's own file on to config/token_proof.py",
    "strongroom_service/config/owner_keys.py": "the owners' own keys, of files that the operator names",
    "strongroom_service/bootstrap/key_script.py": "the operator's own token, and files that the witnesses name",
    "strongroom_service/bootstrap/token_reading.py": "what our own process wrote, about the operator's own token",
    "strongroom_service/keeper/token/measured_token.py": "counts, and passes bytes to the token",
    "strongroom_service/config/secret_file.py": "the operator's own secret, of a file that others may not write",
    "strongroom_service/front/traced_store.py": "passes rows on, reads none",
    "strongroom_service/front/owner_signatures.py": "the owners' and operator's own files, offline",
    "strongroom_service/front/unreadable.py": "what is no message: tests/integration/abuse/test_no_message.py",
    "strongroom_service/keeper/token/check_values.py": "the token's own answers",
    "strongroom_service/keeper/token/pkcs11_token.py": "passes bytes to the token: tests/contract/test_token*.py",
    "strongroom_service/keeper/token/self_test.py": "the token's own answers",
    "strongroom_service/store/postgres.py": "stores bytes, reads none",
    "strongroom_service/store/postgres_copy.py": "stores bytes, reads none",
    "strongroom_service/store/postgres_records.py": "stores bytes, reads none",
    "strongroom_service/store/sqlite.py": "stores bytes, reads none",
}
"""Modules that no target reaches, and why they need none."""


PROMISED = {
    "frames": {"frames", "keeper_call", "keeper_field", "operator_call", "operator_field"},
    "statement": {"ceremony", "statement", "client_ceremony"},
    "sealed forms": {"sealed_record", "sealed_event", "sealed_vault", "sealed_padding", "record", "event", "vault_row"},
    "clientDataJSON": {"client_data"},
    "CBOR": {"cbor"},
    "COSE keys": {"cose_key"},
    "attestation": {"attestation", "attestation_statement", "authenticator_data"},
    "JWT": {"account_token", "signed_token", "tenant_token", "signed_tenant_token"},
    "envelope": {"envelope", "envelope_content", "vault_held_envelope", "hpke_to_keeper", "hpke_to_client", "released"},
    "archive extraction": {"tar", "tar_entries", "zstd", "archive"},
    "files of others": {"checkpoint_file", "export_file", "receipt_log", "receipt_line", "configuration_snapshot"},
    "browsers": {"browser_binary", "browser_json", "browser_request"},
    "cursors": {"feed_cursor", "page_token"},
}
"""What is said to be fuzzed, and by which targets."""


def readers() -> Iterator[str]:
    """Modules with a function that reads: by its name, and by a parameter of bytes or of a message."""
    for room in ROOMS:
        for path in sorted(room.rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            if any(_reads(node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
                yield str(path.relative_to(room.parent))


def _reads(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    annotations = (ast.unparse(each.annotation) for each in arguments if each.annotation is not None)
    return bool(READS.match(function.name)) and any(OF_BYTES.search(each) for each in annotations)


def reached_by(target: Target) -> set[str]:
    """Modules that a function was called in while the target's seeds were read."""
    seeds = target.seeds()
    files: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            files.add(frame.f_code.co_filename)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        for seed in seeds:
            accepts(target, seed)
    finally:
        sys.setprofile(before)
    return {str(Path(file).relative_to(room.parent)) for file in files for room in ROOMS if file.startswith(str(room))}


def test_what_is_said_to_be_fuzzed_is() -> None:
    assert set[str]().union(*PROMISED.values()) <= set(TARGETS)


def test_every_rpc_and_operation_has_a_target() -> None:
    services = (
        vault_service_pb2.DESCRIPTOR.services_by_name["VaultService"],
        tenant_service_pb2.DESCRIPTOR.services_by_name["TenantService"],
    )
    names = {re.sub(r"(?<!^)(?=[A-Z])", "_", rpc.name).lower() for service in services for rpc in service.methods}
    assert names <= set(TARGETS)
    seeds = [ceremony_pb2.CeremonyRequest.FromString(seed) for seed in TARGETS["ceremony_request"].seeds()]
    operations = {field.name for field in ceremony_pb2.CeremonyRequest.DESCRIPTOR.oneofs_by_name["operation"].fields}
    assert {seed.WhichOneof("operation") for seed in seeds} == operations


def test_every_call_of_a_keeper_is_a_seed() -> None:
    calls = {call.WhichOneof("call") for call in honest.keeper_calls()}
    assert calls == {field.name for field in frames_pb2.KeeperCall.DESCRIPTOR.oneofs_by_name["call"].fields}
    judged = {call.judge.operation for call in honest.keeper_calls() if call.HasField("judge")}
    assert judged == set(frames_pb2.Operation.values()) - {frames_pb2.OPERATION_UNSPECIFIED}
    asked = {call.WhichOneof("call") for call in honest.operator_calls()}
    assert asked == {field.name for field in operator_pb2.OperatorCall.DESCRIPTOR.oneofs_by_name["call"].fields}


def test_every_reader_of_bytes_has_a_target_or_a_reason() -> None:
    reached = set[str]().union(*(reached_by(target) for target in TARGETS.values()))
    assert set(readers()) - reached == set(NOT_HOSTILE), "give it a target, or say whose bytes it reads"


def test_reader_without_a_target_is_noticed() -> None:
    """Control: without the targets that go through the keeper there is much that nothing reaches."""
    reached = reached_by(TARGETS["client_data"])
    assert "strongroom_service/keeper/webauthn/client_data.py" in reached
    assert "strongroom_service/keeper/formats/sealing.py" in set(readers()) - reached
