from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from musr_cli.errors import UnavailableError
from musr_cli.metrics import evaluate
from musr_cli.metrics.visqol import visqol
from tests.metrics import excerpts

RATE = excerpts.RATE


def test_without_the_package_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "visqol", None)
    with pytest.raises(UnavailableError, match=r"^ViSQOL is not installed: pip install 'musr\[visqol\]'$"):
        evaluate(np.ones((1, 100)), np.ones((1, 100)), RATE, extra=["visqol"])


@pytest.mark.slow
def test_opinions_of_real_music():
    pytest.importorskip("visqol")
    ref, est = excerpts.pairs()["dull"]
    heard = slice(excerpts.SILENCE, RATE * 2)
    ref, est = ref[:, heard], est[:, heard]
    values = evaluate(ref, est, RATE, extra=["visqol"])
    assert list(values)[-1] == "visqol"
    assert values["visqol"] == visqol(ref, est, RATE)
    same, noisy = visqol(ref, ref, RATE), visqol(ref, ref + 0.05 * np.sign(ref), RATE)
    assert same == pytest.approx(4.73, abs=0.01)
    assert 1 <= noisy < values["visqol"] < same
    # the middle of the channels is what counts
    middle = np.repeat(ref.mean(axis=0, keepdims=True), 2, axis=0)
    assert visqol(ref, middle, RATE) == pytest.approx(same)


def test_silent_and_short_signals_have_no_opinion():
    pytest.importorskip("visqol")
    x = 0.1 * np.random.default_rng(0).standard_normal((2, RATE))
    assert math.isnan(visqol(0 * x, x, RATE))
    assert math.isnan(visqol(x, 0 * x, RATE))
    assert math.isnan(visqol(x[:, :100], x[:, :100], RATE))
    assert math.isnan(visqol(x[:, : RATE // 2], x[:, : RATE // 2], RATE))
