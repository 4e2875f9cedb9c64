"""A short, seeded run of what `make fuzz` does for as long as asked: each parser takes any bytes or refuses them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import control, device_targets
from tests.fuzz.target import Finding, accepts, judge, mutate
from tests.fuzz.targets import TARGETS
from tests.integration.client.archives import extract_naively, member, tar_of

# Threads, files or whole ceremonies make these a hundred times as slow as the others.
SLOW = {"tar", "zstd", "archive", "released", "signed_delete_vault"}
MUTATIONS, SLOW_MUTATIONS, NOISE = 120, 16, 16


@pytest.mark.parametrize("name", TARGETS)
def test_near_misses_and_noise_are_taken_or_refused(name: str) -> None:
    target = TARGETS[name]
    seeds = target.seeds()
    for seed in seeds:
        judge(target, seed)

    @settings(max_examples=SLOW_MUTATIONS if name in SLOW else MUTATIONS, derandomize=True, database=None)
    @given(entropy=st.integers(0, 2**64 - 1))
    def near_misses(entropy: int) -> None:
        judge(target, mutate(seeds, random.Random(entropy)))

    @settings(max_examples=NOISE, derandomize=True, database=None)
    @given(noise=st.binary(max_size=256))
    def any_bytes(noise: bytes) -> None:
        judge(target, noise)

    near_misses()
    any_bytes()


@pytest.mark.parametrize("name", TARGETS)
def test_each_target_has_a_seed_that_is_taken(name: str) -> None:
    """Control: from a seed that is refused at the first check, no run would come any further."""
    target = TARGETS[name]
    assert any(accepts(target, seed) for seed in target.seeds())


def test_another_error_than_a_refusal_is_a_finding() -> None:
    with pytest.raises(Finding, match="IndexError: planted"):
        judge(control.TARGETS["crash"], control.MAGIC)


def test_a_second_of_work_is_a_finding() -> None:
    with pytest.raises(Finding, match="took"):
        judge(control.TARGETS["hang"], b"{" * 8)


def test_extraction_that_writes_outside_is_a_finding() -> None:
    """Control: with an extractor that trusts the archive."""
    tar = tar_of([member("../../outside/new", content=b"evil")])
    with pytest.raises(AssertionError, match="outside of the target"):
        device_targets.watched(lambda target: extract_naively(tar, target))
