from __future__ import annotations

import math

import numpy as np
import pytest

from musr_cli.metrics.framing import Transform
from musr_cli.metrics.mrstft import RESOLUTIONS, mrstft_log, mrstft_sc
from tests.metrics.signals import noise


def test_a_gain_is_a_distance():
    x = noise(0.5)
    assert mrstft_sc(x, 3 * x) == pytest.approx(2)
    assert mrstft_log(x, 3 * x) == pytest.approx(math.log(3), abs=1e-4)


def test_silence():
    x = noise(0.5)
    assert math.isnan(mrstft_sc(0 * x, x))
    assert mrstft_sc(x, 0 * x) == pytest.approx(1)
    assert mrstft_log(0 * x, 0 * x) == 0
    assert mrstft_log(0 * x, x) > 1


def test_resolutions_are_the_papers():
    assert [(t.n_fft, t.hop, t.window_length) for t in RESOLUTIONS] == [
        (1024, 120, 600),
        (2048, 240, 1200),
        (512, 50, 240),
    ]


@pytest.mark.parametrize(("n_fft", "window"), [(512, 240), (512, 241), (512, 512), (15, 8)])
def test_a_short_window_lies_in_the_middle_of_the_transform(n_fft, window):
    x = np.random.default_rng(0).standard_normal((2, 3000))
    found = Transform(n_fft, 50, "hann", window_length=window).analyse(x, 6, 4)
    before = (n_fft - window) // 2
    padded = np.zeros((2, 4, n_fft))
    for n in range(4):
        start = (6 + n) * 50 - n_fft // 2 + before
        padded[:, n, before : before + window] = x[:, start : start + window] * np.hanning(window + 1)[:-1]
    assert np.abs(found - np.fft.rfft(padded)).max() < 1e-9
