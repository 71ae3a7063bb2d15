"""The constant-Q transform: invertible, at its places, the same in chunks as whole, and differentiable."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from musr_models.cqt import Cqt
from musr_models.transforms import Stft, Transform
from tests.conftest import make_music

RATE = 44100
CQT = Cqt(RATE)
SMALL = Cqt(8000, per_octave=12, hop=8, frames_per_slice=512)


def snr_db(wanted: Tensor, found: Tensor) -> float:
    return float(10 * torch.log10(wanted.square().sum() / (wanted - found).square().sum().clamp_min(1e-30)))


def clicks(samples: int) -> Tensor:
    x = torch.zeros(2, samples)
    x[0, ::9973], x[1, samples // 2] = 1.0, -1.0
    return x


SIGNALS = {
    "noise": torch.randn(2, 100_001, generator=torch.Generator().manual_seed(0)),
    "music": torch.from_numpy(make_music(RATE, 3.0)),
    "clicks": clicks(120_000),
}


def test_it_has_the_rows_of_the_paper() -> None:
    assert CQT.bands == 463
    assert RATE / (2 * CQT.hop) == pytest.approx(647, rel=0.005)


@pytest.mark.parametrize("name", SIGNALS)
def test_round_trip(name: str) -> None:
    x = SIGNALS[name]
    spectrum = CQT.analyse(x)
    assert spectrum.shape == (2, CQT.bins, CQT.frames(x.shape[-1]))
    assert snr_db(x, CQT.synthesise(spectrum, x.shape[-1])) >= 100


@given(samples=st.integers(1, 4 * SMALL.slice), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_round_trip_of_any_length(samples: int, seed: int) -> None:
    x = torch.randn(samples, generator=torch.Generator().manual_seed(seed))
    assert snr_db(x, SMALL.synthesise(SMALL.analyse(x), samples)) >= 100


@pytest.mark.parametrize("band", [100, 300, 450])
def test_a_tone_lies_in_its_band(band: int) -> None:
    hz = CQT.frequencies(RATE)[1 + band]
    tone = torch.sin(2 * torch.pi * hz * torch.arange(3 * CQT.slice, dtype=torch.float64) / RATE).float()
    rows = CQT.analyse(tone)[:, 2 * CQT.frames_per_slice : 3 * CQT.frames_per_slice].abs().mean(dim=-1)
    assert int(rows.argmax()) == 1 + band
    # Hann windows from neighbour to neighbour: nothing but the fading of slices beyond them
    assert float(rows[: band - 2].max()) < 0.01 * float(rows.max())
    assert float(rows[band + 5 :].max()) < 0.01 * float(rows.max())


def test_rows_follow_pitch() -> None:
    hz = CQT.frequencies(RATE)
    assert (np.diff(hz) > 0).all()
    np.testing.assert_allclose(hz[1 + 48 : -1] / hz[1 : -1 - 48], 2.0)
    assert CQT.first_above(7500.0, RATE) == 1 + int(np.ceil(48 * np.log2(7500 / 27.5)))


def test_frames_of_a_chunk_are_those_of_the_whole() -> None:
    x = torch.randn(2, 8 * SMALL.align, generator=torch.Generator().manual_seed(1))
    start, stop = 2 * SMALL.align, 6 * SMALL.align
    whole, part = SMALL.analyse(x), SMALL.analyse(x[:, start:stop])
    first, inner = start // SMALL.hop, slice(SMALL.frames_per_slice, -SMALL.frames_per_slice)
    # but for the slices that reach over the ends of the chunk
    torch.testing.assert_close(whole[..., first : first + part.shape[-1]][..., inner], part[..., inner])


@pytest.mark.parametrize("transform", [SMALL, Stft(256, 64)], ids=["cqt", "stft"])
@pytest.mark.parametrize("share", [0.0, 0.4, 0.98])
def test_upper_bins_alone_are_those_of_the_whole(transform: Transform, share: float) -> None:
    x = torch.randn(2, 3 * SMALL.slice, generator=torch.Generator().manual_seed(2))
    whole = transform.analyse(x)
    first_bin = round(share * transform.bins)
    upper = transform.analyse(x, first_bin)
    torch.testing.assert_close(upper, whole[..., first_bin:, :])
    whole[..., :first_bin, :] = 0
    torch.testing.assert_close(transform.synthesise(upper, x.shape[-1]), transform.synthesise(whole, x.shape[-1]))


def test_gradients_pass() -> None:
    x = torch.randn(2 * SMALL.slice, requires_grad=True)
    made = SMALL.synthesise(2 * SMALL.analyse(x), len(x))
    made.square().sum().backward()
    assert x.grad is not None
    # y = 2 x, and so d Σ y² / dx = 8 x
    assert snr_db(8 * x.detach(), x.grad) >= 80
