from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from musr_cli.degrade import Degradation, apply
from musr_cli.degrade.degradation import edge
from musr_cli.dsp.blend import Blender
from musr_cli.dsp.phase import Observed
from musr_cli.dsp.phases import PHASES
from musr_cli.dsp.windows import fade_in
from musr_models.contract import Band
from musr_models.transforms import Stft

RATE = 44100
STFT = Stft(1408, 704, "hamming")


def response_db(blender: Blender) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies and response to an impulse."""
    impulse = torch.zeros(1, 65537)
    impulse[0, 32768] = 1
    spectrum = np.fft.rfft(blender.highpass(impulse)[0].double().numpy())
    return np.fft.rfftfreq(65537, 1 / blender.sample_rate), 20 * np.log10(np.abs(spectrum) + 1e-12)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([16000, 44100, 48000]), st.floats(0.05, 0.97), st.floats(0.0, 0.2))
def test_highpass_stops_the_given_band_and_passes_the_missing_one(rate: int, slope: float, width: float) -> None:
    slope_hz = slope * rate / 2
    cutoff_hz = min(slope_hz * (1 + width), rate / 2)
    frequencies, level_db = response_db(Blender(rate, slope_hz, cutoff_hz))
    below, above = frequencies <= min(slope_hz, rate / 2 - 51), frequencies >= max(cutoff_hz, slope_hz + 51)
    assert level_db[below].max() < -80
    assert np.abs(level_db[above]).max(initial=0) < 0.01


def test_highpass_is_symmetric_and_reaches_as_far_as_it_says() -> None:
    blender = Blender(RATE, 8000, 8600)
    impulse = torch.zeros(1, 4001)
    impulse[0, 2000] = 1
    y = blender.highpass(impulse)[0]
    assert torch.allclose(y, y.flip(0), atol=1e-6)
    far = torch.cat([y[: 2000 - blender.context], y[2001 + blender.context :]])
    assert far.abs().max() < 1e-6
    assert y[2000 - blender.context : 2000].abs().max() > 1e-3


@pytest.mark.parametrize("samples", [1, 2, 4095, 4096, 20000])
def test_blocks_of_the_fast_convolution_leave_no_trace(samples: int) -> None:
    blender = Blender(RATE, 8000, 8400)
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((2, samples)).astype(np.float32))
    impulse = torch.zeros(1, 2 * blender.context + 1)
    impulse[0, blender.context] = 1
    taps = blender.highpass(impulse)[0].double().numpy()
    expected = np.stack([np.convolve(row, taps)[blender.context :][:samples] for row in x.numpy()])
    assert np.allclose(blender.highpass(x).numpy(), expected, atol=2e-5)


def test_highpass_of_silence_is_silence() -> None:
    assert not Blender(RATE, 8000, 8400).highpass(torch.zeros(2, 10000)).any()


@pytest.mark.parametrize("samples", [0, 1, 2, 441])
def test_fades_add_up_to_one(samples: int) -> None:
    assert np.allclose(fade_in(samples) + fade_in(samples)[::-1], 1)


def pink(seconds: float = 3.0) -> NDArray[np.float32]:
    """Noise that falls by 6 dB per octave, as music does, [1, T]."""
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(round(seconds * RATE)))
    spectrum /= np.maximum(np.fft.rfftfreq(round(seconds * RATE), 1 / RATE), 100)
    x = np.fft.irfft(spectrum, round(seconds * RATE))
    return (0.1 * x / x.std()).astype(np.float32)[None]


def filled(x: NDArray[np.float32], truth: NDArray[np.float32], blender: Blender, phase: str) -> NDArray[np.float32]:
    """Blend with a perfect envelope: the mean magnitude of the truth."""
    signal = torch.from_numpy(x)[None]
    band, source = Band(RATE, blender.cutoff_hz), PHASES[phase]
    spectrum = STFT.analyse(signal)
    level = STFT.analyse(torch.from_numpy(truth)[None]).abs().square().mean(dim=-1, keepdim=True).sqrt()
    estimate = level.expand(spectrum.shape)
    missing = blender.missing(estimate, spectrum, STFT, band.cutoff_bin(STFT), source.coherent)
    observed = Observed(signal, spectrum, band, STFT, missing.low, 0, 0)
    whole = blender.assemble(missing, source.apply(missing.magnitude, observed), STFT)
    return x + blender.highpass(STFT.synthesise(whole, x.shape[-1]))[0].numpy()


def levels_db(y: NDArray[np.float32], edges_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    power = np.abs(np.fft.rfft(y[0, 4000:-4000] * np.hanning(y.shape[-1] - 8000))) ** 2
    frequencies = np.fft.rfftfreq(y.shape[-1] - 8000, 1 / RATE)
    return 10 * np.log10([power[(frequencies >= a) & (frequencies < b)].sum() for a, b in pairwise(edges_hz)])


SOFT = Degradation("butterworth", 8000.0, 6)
SHARP = Degradation("resample", 11025.0)
SLOPES_HZ = {SOFT: 6926.0, SHARP: 10397.0}


@pytest.mark.parametrize("degradation", [SOFT, SHARP], ids=["soft", "sharp"])
@pytest.mark.parametrize("phase", ["flip", "flip-conjugate", "band-limited", "random"])
def test_edges_show_neither_hole_nor_bump(degradation: Degradation, phase: str) -> None:
    truth = pink()
    x = apply(truth, RATE, degradation)
    blender = Blender(RATE, SLOPES_HZ[degradation], edge(degradation, RATE))
    y = filled(x, truth, blender, phase)
    edges_hz = np.linspace(blender.slope_hz - 300, 1.3 * blender.cutoff_hz, 10)
    deviation_db = levels_db(y, edges_hz) - levels_db(truth, edges_hz)
    assert np.abs(deviation_db).max() < 2.0
    # and it would show without the fill
    assert (levels_db(x, edges_hz) - levels_db(truth, edges_hz)).min() < -12


@pytest.mark.parametrize("degradation", [SOFT, SHARP], ids=["soft", "sharp"])
def test_the_given_band_is_the_input(degradation: Degradation) -> None:
    truth = pink()
    x = apply(truth, RATE, degradation)
    blender = Blender(RATE, SLOPES_HZ[degradation], edge(degradation, RATE))
    y = filled(x, truth, blender, "random")
    window = np.hanning(x.shape[-1])
    given = np.fft.rfftfreq(x.shape[-1], 1 / RATE) <= blender.slope_hz
    error, signal = (np.abs(np.fft.rfft(part * window))[:, given] ** 2 for part in (y - x, x))
    assert 10 * np.log10(signal.sum() / error.sum()) > 100


def test_what_is_there_already_is_not_added_again() -> None:
    spectrum = torch.ones(1, 1, STFT.bins, 4, dtype=torch.complex64)
    missing = Blender(RATE, 7000, 8000).missing(torch.ones(1, 1, STFT.bins, 4), spectrum, STFT, 256, coherent=False)
    assert missing.boost.abs().max() < 1e-5
    assert missing.magnitude.abs().max() < 1e-2


@pytest.mark.parametrize("coherent", [False, True])
def test_what_is_missing_adds_up_to_the_estimate(coherent: bool) -> None:
    """Above the cutoff: amplitudes where phases agree, powers where they do not."""
    generator = torch.Generator().manual_seed(0)
    spectrum = torch.polar(0.5 * torch.rand(1, 1, STFT.bins, 4, generator=generator), torch.zeros(()))
    estimate = torch.ones(1, 1, STFT.bins, 4)
    missing = Blender(RATE, 7000, 8000).missing(estimate, spectrum, STFT, 256, coherent)
    added, own = missing.magnitude[..., 256 - missing.low :, :], spectrum[..., 256:, :].abs()
    total: Tensor = added + own if coherent else (added.square() + own.square()).sqrt()
    assert torch.allclose(total, torch.ones_like(total), atol=1e-5)


@pytest.mark.parametrize(("slope_hz", "cutoff_hz"), [(30, 80), (7990, 8000), (21950, 22040), (22000, 22050)])
def test_edges_anywhere_are_handled(slope_hz: float, cutoff_hz: float) -> None:
    blender = Blender(RATE, slope_hz, cutoff_hz)
    spectrum = STFT.analyse(torch.from_numpy(pink(0.5))[None])
    cutoff_bin = min(Band(RATE, cutoff_hz).cutoff_bin(STFT), STFT.bins - 1)
    missing = blender.missing(spectrum.abs(), spectrum, STFT, cutoff_bin, coherent=False)
    whole = blender.assemble(missing, missing.magnitude.to(torch.complex64), STFT)
    assert whole.shape == spectrum[..., missing.low :, :].shape
    assert torch.isfinite(torch.view_as_real(whole)).all()
