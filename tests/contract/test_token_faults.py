"""`Pkcs11Token` on a module that fails: every class of error at every call of every operation.

Trouble is the token's fault and never the record's; a bad record is the record's fault while the token is well.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle, islice, product
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from deploy.development.token import DevelopmentToken, create_development_token
from tests.fakes.pkcs11_fault.codes import LOST, PIN, SETUP, SUSPECT
from tests.fakes.pkcs11_fault.fault_module import FaultModule

# A case of every code is minutes of work where other work goes on beside it.
PATIENCE_SECONDS: Final = 580.0
pytestmark = pytest.mark.timeout(PATIENCE_SECONDS + 20)

ROOT: Final = Path(__file__).resolve().parents[2]

TROUBLE: Final = LOST | SUSPECT
EVERY_CODE: Final = TROUBLE | SETUP | PIN
ONE_OF_EACH_CLASS: Final = (
    "GENERAL_ERROR",
    "AEAD_DECRYPT_FAILED",
    "DEVICE_ERROR",
    "FUNCTION_FAILED",
    "SESSION_HANDLE_INVALID",
    "MECHANISM_INVALID",
)
# The library asks for attributes again, one by one, and passes over slots without a token.
SURVIVED: Final = {"C_GetAttributeValue", "C_GetTokenInfo", "C_GetMechanismList"}
# Where the library puts FUNCTION_FAILED in place of the code, or another function's error follows.
BLURRED: Final = {"C_GetAttributeValue", "C_FindObjectsFinal"}
# After these a token that refuses has ended the operation: the next may begin.
ENDING: Final = {"C_Sign", "C_Encrypt", "C_Decrypt", "C_FindObjectsFinal", "C_Login"}

ALTERED: Final = ("unwrap-altered", "unwrap-elsewhere")
GOOD_USES: Final = ("wrap", "unwrap", "derive", "sign", "probe")
USES: Final = (*GOOD_USES, *ALTERED)
OPERATIONS: Final = ("open", *USES, *(f"first/{kind}" for kind in (*USES, "identity")))


class Case(NamedTuple):
    operation: str
    orders: str


class Fault(NamedTuple):
    """One code at one call of one operation.

    `mode` is `once` (the real module is not asked), `after` (it is), or `lost` (so is every later call, of whatever
    function).
    """

    operation: str
    function: str
    code: str
    mode: str
    orders: str

    @property
    def case(self) -> Case:
        return Case(self.operation, self.orders)


class Came(NamedTuple):
    """What a case came to; see `token_fault_child`."""

    outcome: str
    text: str
    calls: list[str]
    afterwards: str


class Bench:
    """A token with keys behind the fault module."""

    def __init__(self, folder: Path) -> None:
        self.token: DevelopmentToken = create_development_token(directory=folder / "token", label="faulty")
        self.module = FaultModule.build(folder / "module", real_module=self.token.module_path)
        make = (
            "import sys; from pathlib import Path; from strongroom_service.keeper.token.pin import read_pin\n"
            "from strongroom_service.keeper.token.provision import make_missing_keys\n"
            "from strongroom_service.keeper.token.session import writable_session\n"
            "pin = read_pin(Path(sys.argv[3]))\n"
            "with writable_session(module=Path(sys.argv[1]), token_label=sys.argv[2], pin=pin) as session:\n"
            "    make_missing_keys(session, known=())\n"
        )
        self._run("-c", make)
        clean = self.come([Case(operation, "") for operation in OPERATIONS])
        assert [came.outcome for came in clean] == [expected_of(operation) for operation in OPERATIONS]
        self.traces = {operation: came.calls for operation, came in zip(OPERATIONS, clean, strict=True)}

    def come(self, cases: Sequence[Case]) -> list[Came]:
        """Run the cases."""
        names = ("STRONGROOM_FAULT_ORDERS", "STRONGROOM_FAULT_CALLS")
        arguments = [self.module.environment[name] for name in names]
        written = self._run("-m", "tests.contract.token_fault_child", *arguments, given=json.dumps(cases))
        return [Came(*each) for each in json.loads(written)]

    def faults(self, operation: str, codes: Iterable[str], modes: Iterable[str]) -> Iterator[Fault]:
        """Every fault at every call of the operation."""
        seen: Counter[str] = Counter()
        for number, function in enumerate(self.traces[operation], start=1):
            seen[function] += 1
            nth = seen[function]
            for code, mode in product(codes, modes):
                value = EVERY_CODE[code]
                orders = {
                    "once": f"{function} {nth} {nth} {value:x}",
                    "after": f"{function} {nth} {nth} after:{value:x}",
                    "lost": f"* {number} 0 {value:x}",
                }
                if mode != "after" or function in ENDING:
                    yield Fault(operation, function, code, mode, orders[mode])

    def _run(self, flag: str, program: str, *arguments: str, given: str = "") -> str:
        token = (str(self.module.path), self.token.label, str(self.token.pin_file))
        return subprocess.run(
            [sys.executable, flag, program, *token, *arguments],
            check=True,
            input=given,
            stdout=subprocess.PIPE,
            text=True,
            timeout=PATIENCE_SECONDS,
            cwd=ROOT,
            env={**os.environ, **self.module.environment, "SOFTHSM2_CONF": str(self.token.conf_path)},
        ).stdout


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("faulty"))


def expected_of(operation: str) -> str:
    """What the operation comes to while the token is well."""
    return "RecordRejected" if operation.endswith(ALTERED) else "answered"


def allowed(fault: Fault) -> set[str]:
    """What the fault may come to."""
    well = expected_of(fault.operation)
    found = {"TokenFault"} if fault.code in TROUBLE else {"Misconfigured"}
    if fault.function in BLURRED:
        found.add("TokenFault")
    if fault.function in SURVIVED and fault.mode != "lost":
        found.add(well)
    if fault.code in SUSPECT and fault.function in {"C_Decrypt", "C_DecryptInit"}:
        found.add(well)  # a bad record that this code befell as well
        found.discard("answered")
    return found


def wrong(bench: Bench, faults: Sequence[Fault]) -> list[tuple[Fault, str, str]]:
    """The faults that came to something else than they may, or left the token of no use and not given up."""
    assert faults
    found = []
    for fault, came in zip(faults, bench.come([fault.case for fault in faults]), strict=True):
        # A keeper is replaced after a TokenFault only; after anything else it must go on, or be replaced then.
        usable = came.outcome == "TokenFault" or came.afterwards in {"", "TokenFault", expected_of(fault.operation)}
        if came.outcome not in allowed(fault) or not usable or came.calls.count("C_Login") > 1:
            found.append((fault, came.outcome, came.afterwards))
    return found


def test_trouble_in_an_opened_token_is_never_the_records_fault(bench: Bench) -> None:
    faults = [fault for use in GOOD_USES for fault in bench.faults(use, ONE_OF_EACH_CLASS, ["once"])]
    faults += [fault for use in GOOD_USES for fault in bench.faults(use, ["GENERAL_ERROR"], ["after", "lost"])]
    faults += [fault for use in ALTERED[:1] for fault in bench.faults(use, ["GENERAL_ERROR", "DEVICE_ERROR"], ["once"])]
    assert wrong(bench, faults) == []


def test_trouble_while_opening_and_finding_keys_is_the_tokens_fault(bench: Bench) -> None:
    names = [name for name in OPERATIONS if name not in USES and not name.endswith(ALTERED)]
    codes = cycle([code] for code in ONE_OF_EACH_CLASS)
    # One class at each call: the classes go round.
    faults = [
        next(islice(bench.faults(name, next(codes), ["once"]), call, None))
        for name in names
        for call in range(len(bench.traces[name]))
    ]
    assert wrong(bench, faults) == []


@pytest.mark.verify
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_code_at_every_call_is_taken_for_what_it_is(bench: Bench, operation: str) -> None:
    faults = [*bench.faults(operation, EVERY_CODE, ["once", "after"])]
    faults += bench.faults(operation, ["GENERAL_ERROR", "DEVICE_ERROR", "SESSION_HANDLE_INVALID"], ["lost"])
    assert wrong(bench, faults) == []


@pytest.mark.parametrize("code", PIN)
def test_refused_pin_is_tried_once(bench: Bench, code: str) -> None:
    [came] = bench.come([Case("open", f"C_Login 1 0 {PIN[code]:x}")])
    assert (came.outcome, came.calls.count("C_Login"), came.calls[-1]) == ("Misconfigured", 1, "C_Login")
    assert "PIN refused by the token" in came.text


def test_bad_record_is_told_from_trouble_by_what_else_fails(bench: Bench) -> None:
    refused = f"after:{SUSPECT['GENERAL_ERROR']:x}"
    cases = {
        "unwrap-altered": "",
        "unwrap-elsewhere": "",
        # The HMAC, the encryption or the decryption of the known answers fails too.
        "unwrap": f"C_Decrypt 1 0 {refused}\nC_Sign 1 0 {refused}\n",
        "first/unwrap": f"C_Decrypt 2 2 {refused}\nC_Encrypt 3 0 {refused}\n",
        "first/unwrap-altered": f"C_Decrypt 3 0 {refused}\n",
    }
    assert [came.outcome for came in bench.come([Case(*each) for each in cases.items()])] == [
        "RecordRejected",
        "RecordRejected",
        "TokenFault",
        "TokenFault",
        "TokenFault",
    ]


def test_trouble_that_passes_before_the_known_answers_is_not_the_records_fault(bench: Bench) -> None:
    orders = [f"C_DecryptInit 1 1 {SUSPECT['GENERAL_ERROR']:x}", f"C_Decrypt 2 2 after:{SUSPECT['GENERAL_ERROR']:x}"]
    assert [came[0::3] for came in bench.come([Case("unwrap", each) for each in orders])] == [
        ("TokenFault", "answered"),
        ("TokenFault", "answered"),
    ]


@pytest.mark.parametrize("calls", [2, 3, 12, 22])
def test_key_found_in_passing_trouble_is_not_kept_without_its_uses(bench: Bench, calls: int) -> None:
    """python-pkcs11 asks again for each attribute, and goes on without those that it cannot read."""
    orders = f"C_GetAttributeValue 1 {calls} {LOST['FUNCTION_FAILED']:x}"
    cases = [Case(operation, orders) for operation in ("first/derive", "first/wrap", "first/sign", "first/identity")]
    for came in bench.come(cases):
        assert came.outcome in {"TokenFault", "answered"}, came
        assert came.afterwards == "answered"
