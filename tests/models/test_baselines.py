"""Interpolations and spectral band replication: what theory says of them, and what the contract promises."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from musr_models.baselines import Interpolation, KnotGrid, Linear, Sbr, Sinc, Spline, build
from musr_models.contract import Band, ModelError, Network
from tests.conftest import Music

CURVES = {"linear": Linear, "spline": Spline, "sinc": Sinc}
# × 2, × 4, × 6, 16 kHz → 44.1 kHz, and an edge that no rate fits
BANDS = [Band(44100, 11025), Band(16000, 2000), Band(48000, 4000), Band(44100, 8000), Band(44100, 10321.0)]


def tone(hz: float, band: Band, samples: int, phase: float = 0.3) -> Tensor:
    time = torch.arange(samples, dtype=torch.float64) / band.sample_rate
    return torch.sin(2 * math.pi * hz * time + phase).float()[None, None]


def tensor(music: Music, band: Band, seconds: float, seed: int = 0) -> Tensor:
    return torch.from_numpy(music(band.sample_rate, seconds, 2, seed, band.cutoff_hz))[None]


def snr_db(reference: Tensor, estimate: Tensor) -> float:
    error = (reference.double() - estimate.double()).square().sum()
    return float(10 * torch.log10(reference.double().square().sum() / error.clamp_min(1e-30)))


def amplitude(x: Tensor, hz: float, sample_rate: int) -> float:
    """Amplitude of the component at `hz`, which must fit a whole number of times into `x`."""
    angle = 2 * math.pi * hz / sample_rate * torch.arange(x.shape[-1], dtype=torch.float64)
    return float((2 * x[0, 0].double() * torch.exp(-1j * angle)).mean().abs())


def whole_and_chunk(network: Network, x: Tensor, band: Band, start: int, length: int) -> tuple[Tensor, Tensor]:
    """What the whole signal and a chunk with its context give between `start` and `start + length`."""
    stft, align, context = network.transform(band), network.align(band), network.context(band)
    begin = max(start - context, 0) // align * align
    end = min(start + length + context, x.shape[-1])

    def run(part: Tensor, first: int) -> Tensor:
        if stft is None:
            return network(part, band, first)
        return stft.synthesise(network(stft.analyse(part), band, first // stft.hop), part.shape[-1])

    return run(x, 0)[..., start : start + length], run(x[..., begin:end], begin)[..., start - begin :][..., :length]


@pytest.mark.parametrize("hz", [250.0, 1000.0, 1750.0])
def test_images_of_lines_fall_with_the_square_of_a_sinc(hz: float) -> None:
    band, p = Band(16000, 2000), 4
    x = tone(hz, band, 16000)
    y = Linear()(x, band)[..., 4000:12000]
    for image_hz in (hz, 4000 - hz, 4000 + hz, 8000 - hz):
        turn = math.pi * image_hz / band.sample_rate
        expected = (math.sin(p * turn) / (p * math.sin(turn))) ** 2
        assert amplitude(y, image_hz, band.sample_rate) == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("curve", [Linear(), Spline()])
@pytest.mark.parametrize("band", BANDS[:3])
def test_exact_at_knots(curve: Interpolation, band: Band, music: Music) -> None:
    p = curve.align(band)
    x = tensor(music, band, 0.2)
    torch.testing.assert_close(curve(x, band)[..., ::p], x[..., ::p], rtol=0, atol=1e-6)


def test_knots_between_samples() -> None:
    band = Band(44100, 8000)
    grid = KnotGrid(band.simple_ratio, first=0, samples=20000)
    assert grid.ratio == Fraction(441, 160)
    knots = grid.knots(tone(7000.0, band, 20000))[0, 0]
    expected = tone(7000.0, Band(16000, 8000), len(knots))[0, 0]
    assert snr_db(expected[100:7000], knots[100:7000]) > 95


def test_a_spline_is_a_cubic_between_knots(music: Music) -> None:
    band = Band(16000, 1000)
    y = Spline()(tensor(music, band, 0.5).double(), band)[0, 0]
    pieces = y[: len(y) // 8 * 8].reshape(-1, 8)
    assert float(pieces.diff(n=4).abs().max()) < 1e-12 * 16
    assert float(pieces.diff(n=3).abs().max()) > 1e-6


@pytest.mark.parametrize("band", BANDS)
def test_sinc_gives_the_band_back_and_nothing_above(band: Band) -> None:
    hz = round(0.7 * band.cutoff_hz / 20) * 20.0
    y = Sinc()(tone(hz, band, band.sample_rate), band)[..., band.sample_rate // 4 :][..., : band.sample_rate // 2]
    low_rate_hz = float(band.sample_rate / band.simple_ratio)
    assert amplitude(y, hz, band.sample_rate) == pytest.approx(1.0, abs=1e-3)
    assert float((y - y.mean()).square().mean()) == pytest.approx(0.5, abs=1e-3)
    if band.simple_ratio.denominator == 1:
        assert amplitude(y, low_rate_hz - hz, band.sample_rate) < 1e-4


@pytest.mark.parametrize("name", CURVES)
@settings(max_examples=12, deadline=None)
@given(band=st.sampled_from(BANDS), start=st.integers(1500, 9000), length=st.integers(1, 3000))
def test_curves_do_not_depend_on_where_a_chunk_begins(name: str, band: Band, start: int, length: int) -> None:
    x = torch.randn(1, 1, 20000, generator=torch.Generator().manual_seed(start))
    whole, chunk = whole_and_chunk(CURVES[name](), x, band, start, length)
    assert snr_db(whole, chunk) >= 100


@pytest.mark.parametrize("start", [3000, 4096, 16000])
@pytest.mark.parametrize("band", [Band(44100, 11025), Band(48000, 4000), Band(16000, 2100.0)])
def test_sbr_does_not_depend_on_where_a_chunk_begins(band: Band, start: int, music: Music) -> None:
    whole, chunk = whole_and_chunk(Sbr(), tensor(music, band, 2.0), band, start, 8000)
    assert snr_db(whole, chunk) >= 100


@pytest.mark.parametrize("name", [*CURVES, "sbr"])
@pytest.mark.parametrize("band", BANDS)
def test_level_and_channels(name: str, band: Band, music: Music) -> None:
    network = build(name)
    stft = network.transform(band)
    x = tensor(music, band, 0.4)
    x = stft.analyse(x) if stft else x
    y = network(x, band)
    assert torch.equal(network(x * 2.0**-12, band), y * 2.0**-12)
    torch.testing.assert_close(network(0.3 * x, band), 0.3 * y, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(network(x.flip(1), band), y.flip(1))
    assert y.shape == x.shape


@pytest.mark.parametrize("name", [*CURVES, "sbr"])
@pytest.mark.parametrize("samples", [0, 1, 7, 5000])
def test_silence_of_any_length(name: str, samples: int) -> None:
    network, band = build(name), Band(44100, 8000)
    stft = network.transform(band)
    x = torch.zeros(1, 2, samples)
    x = stft.analyse(x) if stft and samples else x
    if stft is None or samples:
        assert torch.equal(network(x, band), x)


@pytest.mark.parametrize("name", CURVES)
def test_nothing_is_missing_at_ratio_one(name: str, music: Music) -> None:
    band = Band(16000, 8000)
    x = tensor(music, band, 0.1)
    assert torch.equal(build(name)(x, band), x)


@pytest.mark.parametrize("cutoff_hz", [4000.0, 8000.0, 11025.0])
@pytest.mark.parametrize("slope_db", [-18.0, -19.5, -21.0])
def test_sbr_continues_a_steady_slope(cutoff_hz: float, slope_db: float) -> None:
    band, sbr = Band(44100, cutoff_hz), Sbr()
    stft = sbr.transform(band)
    noise = stft.analyse(torch.randn(1, 1, 4 * 44100, generator=torch.Generator().manual_seed(0)))
    octaves = torch.log2(torch.arange(stft.bins).clamp_min(20) / stft.bins)[:, None]
    truth = noise * 10 ** (slope_db / 20 * octaves)
    cutoff_bin = band.cutoff_bin(stft)
    low = truth.clone()
    low[..., cutoff_bin:, :] = 0
    estimate = sbr(low, band)
    assert torch.equal(estimate[..., :cutoff_bin, :], low[..., :cutoff_bin, :])
    error_db = 10 * torch.log10(estimate.abs().square() / truth.abs().square())[..., cutoff_bin:, 5:-5]
    for part in error_db.chunk(4, dim=-2):
        assert float(part.mean()) == pytest.approx(0, abs=1.5)


def test_unknown_baseline() -> None:
    with pytest.raises(ModelError, match="known: linear, spline, sinc, sbr"):
        build("cubic")
