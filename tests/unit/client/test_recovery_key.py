from __future__ import annotations

import hashlib
import hmac
import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from strongroom_client.age_keys import recipient_of
from strongroom_client.recovery_key import (
    RecoveryKey,
    RecoveryKeyTypo,
    check_digit,
    generate_recovery_key,
    parse_recovery_key,
)

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "recovery_key.json").read_text(encoding="utf-8"))
HEX = "0123456789abcdef"
KEYS = st.builds(RecoveryKey, st.binary(min_size=32, max_size=32))
SAMPLE_ROWS = ["00000000", "ffffffff", "01234567", "89abcdef", "a5a50ff0", "13579bdf"]


def is_right(shown_row: str, row_number: int) -> bool:
    return check_digit(shown_row[:8], row_number=row_number) == shown_row[8]


def shown_rows() -> list[tuple[str, int]]:
    rows = [(row, number) for row in SAMPLE_ROWS for number in range(1, 9)]
    return [(row + check_digit(row, row_number=number), number) for row, number in rows]


@pytest.mark.parametrize("vector", VECTORS["keys"])
def test_vectors(vector: dict[str, Any]) -> None:
    key = RecoveryKey(bytes.fromhex(vector["seed"]))
    assert key.reveal().splitlines() == vector["rows"]
    assert key.age_identity().reveal() == vector["age_identity"]
    assert recipient_of(key.age_identity()) == vector["age_recipient"]
    assert key.credential().public_key.hex() == vector["credential_public_key"]
    assert key.credential().sign(bytes.fromhex(vector["challenge"])).hex() == vector["assertion"]


@given(key=KEYS)
def test_derivations_are_hkdf_of_the_seed_under_their_labels(key: RecoveryKey) -> None:
    label = b"strongroom/v1/recovery-age"
    extracted = hmac.digest(bytes(32), key.seed, "sha256")
    info = len(label).to_bytes(4, "big") + label
    assert key.age_identity().secret == hmac.digest(extracted, info + b"\x01", "sha256")


def test_signature_is_over_label_and_challenge() -> None:
    credential = generate_recovery_key().credential()
    label = b"strongroom/v1/recovery-assertion"
    challenge = hashlib.sha256(b"ceremony").digest()
    signed = len(label).to_bytes(4, "big") + label + len(challenge).to_bytes(4, "big") + challenge
    Ed25519PublicKey.from_public_bytes(credential.public_key).verify(credential.sign(challenge), signed)


@given(key=KEYS)
def test_what_is_shown_can_be_typed_in_any_layout(key: RecoveryKey) -> None:
    shown = key.reveal()
    bare = "".join(character for character in shown if character in HEX)
    for typed in (shown, shown.upper(), bare, " ".join(bare), shown.replace("\n", " - "), f"\r\n\n{shown}\n\n"):
        assert parse_recovery_key(typed) == key


def test_every_single_wrong_digit_in_a_row_is_caught() -> None:
    for shown, number in shown_rows():
        assert is_right(shown, number)
        for place in range(9):
            for digit in HEX:
                wrong = shown[:place] + digit + shown[place + 1 :]
                assert is_right(wrong, number) == (wrong == shown)


def test_every_swap_of_two_digits_in_a_row_is_caught() -> None:
    for digits in combinations(HEX, 2):
        for one, other in combinations(range(9), 2):
            for number in range(1, 9):
                row = list("0f3c5a96" + "0")
                row[one], row[other] = digits
                # Where the pair includes the check digit, some digit outside the pair is set so that the row is right.
                free = next(place for place in range(8) if place not in {one, other})
                shown = next(
                    candidate
                    for digit in HEX
                    if is_right(candidate := "".join([*row[:free], digit, *row[free + 1 :]]), number) or other != 8
                )
                if other != 8:
                    shown = shown[:8] + check_digit(shown[:8], row_number=number)
                swapped = list(shown)
                swapped[one], swapped[other] = swapped[other], swapped[one]
                assert is_right(shown, number)
                assert not is_right("".join(swapped), number)


def test_a_row_in_any_other_place_is_caught() -> None:
    for shown, number in shown_rows():
        assert [place for place in range(1, 9) if is_right(shown, place)] == [number]


def test_check_digits_of_sixteen_rows_that_differ_in_one_place_all_differ() -> None:
    """The algebra behind the two tests above: each weight is invertible."""
    for place in range(8):
        rows = ["00000000"[:place] + digit + "00000000"[place + 1 :] for digit in HEX]
        assert sorted(check_digit(row, row_number=1) for row in rows) == list(HEX)


@pytest.mark.parametrize("number", range(1, 9))
def test_a_typing_mistake_is_located_by_row(number: int) -> None:
    key = RecoveryKey(bytes(range(32)))
    rows = key.reveal().splitlines()
    right = rows[number - 1]
    for wrong in ("O" + right[1:], ("1" if right[0] != "1" else "2") + right[1:], right[:-1], right + "0"):
        typed = "\n".join([*rows[: number - 1], wrong, *rows[number:]])
        with pytest.raises(RecoveryKeyTypo, match=f"row {number}: ") as caught:
            parse_recovery_key(typed)
        assert caught.value.rows == (number,)
        assert right not in str(caught.value)


def test_both_rows_of_a_swapped_pair_are_named() -> None:
    rows = RecoveryKey(bytes(range(32))).reveal().splitlines()
    for one, other in combinations(range(8), 2):
        swapped = list(rows)
        swapped[one], swapped[other] = swapped[other], swapped[one]
        with pytest.raises(RecoveryKeyTypo) as caught:
            parse_recovery_key("\n".join(swapped))
        assert caught.value.rows == (one + 1, other + 1)


@pytest.mark.parametrize("typed", ["", "0", "0" * 64, "0" * 73, "\n" * 8])
def test_another_number_of_digits_is_refused(typed: str) -> None:
    with pytest.raises(RecoveryKeyTypo) as caught:
        parse_recovery_key(typed)
    assert caught.value.rows == ()


def test_letters_that_look_like_digits_are_not_guessed() -> None:
    shown = RecoveryKey(bytes(32)).reveal()
    for lookalike in ("O", "o", "\N{FULLWIDTH DIGIT ZERO}", "\N{ARABIC-INDIC DIGIT ZERO}"):
        with pytest.raises(RecoveryKeyTypo):
            parse_recovery_key(shown.replace("0", lookalike, 1))


def test_secrets_are_in_no_repr() -> None:
    key = generate_recovery_key()
    assert repr(key) == "RecoveryKey()"
    assert key.seed.hex()[:8] not in str(key)
    assert repr(key.credential()) == f"RecoveryCredential(public_key={key.credential().public_key!r})"


def test_a_seed_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        RecoveryKey(bytes(31))
