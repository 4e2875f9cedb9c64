from __future__ import annotations

import pytest

from tests.bench.refusals import GRANTED, JUDGED, UNJUDGED, print_refusals, refusal_figures


def test_ratio_is_of_the_medians_that_must_not_differ() -> None:
    seconds = {kind: [0.002, 0.002, 9.0] for kind in (*JUDGED, *UNJUDGED)}
    seconds["another_origin"] = [0.003, 0.003, 0.003]
    seconds[GRANTED] = [0.5, 0.5, 0.5]
    figures = refusal_figures(seconds)
    assert figures["refusal_ratio_judged"] == 1.5
    assert figures["refusal_ratio_unjudged"] == 1.0
    assert figures["refusal_seconds_p50_wrong_signature"] == 0.002
    assert (figures["granted_seconds_p50"], figures["refusal_rounds"]) == (0.5, 3)


def test_table_names_every_kind(capsys: pytest.CaptureFixture[str]) -> None:
    print_refusals(refusal_figures({kind: [0.001] for kind in (*JUDGED, *UNJUDGED, GRANTED)}))
    told = capsys.readouterr().out
    assert all(kind in told for kind in (*JUDGED, *UNJUDGED, GRANTED))
