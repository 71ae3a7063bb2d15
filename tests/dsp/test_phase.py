from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from musr_cli.dsp.phase import Flip, GriffinLim, Native, Observed, Random
from musr_cli.dsp.phases import PHASES
from musr_models.contract import Band
from musr_models.cqt import Cqt
from musr_models.transforms import Stft

DAI = Stft(512, 256, "hamming")
RATE = 16000
LISTENERS = {"griffin-lim", "vocoder", "vocoder-full"}


def noise(samples: int = 8192, channels: int = 1, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((1, channels, samples)).astype(np.float32))


def lowpassed(x: Tensor, cutoff_hz: float) -> Tensor:
    spectrum = torch.fft.rfft(x)
    spectrum[..., int(cutoff_hz / RATE * x.shape[-1]) + 1 :] = 0
    return torch.fft.irfft(spectrum, x.shape[-1])


def observe(x: Tensor, cutoff_hz: float = 4000.0, stft: Stft = DAI, first: int = 0, seed: int = 0) -> Observed:
    band = Band(RATE, cutoff_hz)
    return Observed(x, stft.analyse(x), band, stft, band.cutoff_bin(stft), first, seed)


def magnitudes(observed: Observed, value: float = 1.0) -> Tensor:
    spectrum = observed.spectrum[..., observed.low :, :]
    return torch.full(spectrum.shape, value)


def angles(x: Tensor) -> Tensor:
    return torch.angle(x)


def test_flip_is_the_mirror_of_the_paper_at_x2() -> None:
    observed = observe(noise())
    assert observed.low == 129
    phased = Flip().apply(magnitudes(observed), observed)
    for k in (1, 2, 64, 127):
        assert torch.allclose(angles(phased[..., k - 1, :]), angles(observed.spectrum[..., 128 - k, :]), atol=1e-4)


def test_flip_reflects_again_and_again_at_x4() -> None:
    observed = observe(noise(), cutoff_hz=2000.0)
    assert observed.low == 65
    phased = Flip().apply(magnitudes(observed), observed)
    for bin_, source in ((65, 63), (127, 1), (129, 1), (190, 62), (193, 63), (255, 1)):
        assert torch.allclose(angles(phased[..., bin_ - 65, :]), angles(observed.spectrum[..., source, :]), atol=1e-4)


@pytest.mark.parametrize("stft", [DAI, Stft(512, 128), Stft(512, 200)])
@pytest.mark.parametrize(("cutoff_hz", "tone_hz", "image_hz"), [(4000.0, 2711.0, 5289.0), (2000.0, 1311.0, 5311.0)])
def test_conjugate_flip_makes_the_tone_that_modulation_would(
    stft: Stft, cutoff_hz: float, tone_hz: float, image_hz: float
) -> None:
    """×2: the mirror image 2 · edge − f; ×4, third patch: the right way round, 2 · edge + f. Frames begin at 5."""
    first, samples = 5, 16384
    time = (torch.arange(samples) + first * stft.hop) / RATE
    observed = observe(torch.sin(2 * torch.pi * tone_hz * time)[None, None], cutoff_hz, stft, first)
    image = stft.analyse(torch.sin(2 * torch.pi * image_hz * time)[None, None])[..., observed.low :, :]
    phased = PHASES["flip-conjugate"].apply(image.abs(), observed)
    spectrum = torch.nn.functional.pad(phased, (0, 0, observed.low, 0))
    y = stft.synthesise(spectrum, samples)[0, 0, 2048:-2048].numpy()
    power = np.abs(np.fft.rfft(y * np.hanning(len(y)))) ** 2
    found_hz = np.fft.rfftfreq(len(y), 1 / RATE)
    near = np.abs(found_hz - image_hz) < 4
    assert power[near].sum() / power.sum() > 0.99
    assert 10 * np.log10(np.mean(y**2) / 0.5) == pytest.approx(0, abs=0.2)


@pytest.mark.parametrize("name", ["flip", "flip-conjugate", "griffin-lim"])
def test_sources_change_no_magnitude(name: str) -> None:
    observed = observe(lowpassed(noise(), 3900.0))
    wanted = torch.rand(magnitudes(observed).shape, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(PHASES[name].apply(wanted, observed).abs(), wanted, atol=1e-4)


@pytest.mark.parametrize("name", sorted(set(PHASES) - LISTENERS))
def test_frames_know_where_they_are_and_not_where_the_chunk_begins(name: str) -> None:
    """The same frames, seen from a chunk that begins ten frames later (the context of the others: tests/engine)."""
    source, x = PHASES[name], lowpassed(noise(40960), 3900.0)
    whole, later = observe(x, first=3), observe(x[..., 2560:], first=13)
    a = source.apply(magnitudes(whole), whole)[..., 12:100]
    b = source.apply(magnitudes(later), later)[..., 2:90]
    assert torch.allclose(a, b, atol=2e-3)


@pytest.mark.parametrize("name", sorted(PHASES))
def test_a_panned_source_keeps_its_place(name: str) -> None:
    x = lowpassed(noise(), 3900.0)
    panned = torch.cat([x, 0.25 * x], dim=1)
    observed = observe(panned)
    wanted = torch.cat([magnitudes(observe(x)), 0.25 * magnitudes(observe(x))], dim=1)
    left, right = PHASES[name].apply(wanted, observed)[0]
    assert torch.allclose(0.25 * left, right, atol=1e-3)


@pytest.mark.parametrize("name", sorted(PHASES))
def test_silence_has_no_phase_and_stays_finite(name: str) -> None:
    x = noise()
    x[..., 2000:6000] = 0
    observed = observe(x)
    wanted = observed.spectrum[..., observed.low :, :].abs()
    phased = PHASES[name].apply(wanted, observed)
    assert torch.isfinite(torch.view_as_real(phased)).all()
    assert not phased[..., 10:22].any()


def test_random_phase_follows_its_seed() -> None:
    observed = observe(noise())
    first = Random().apply(magnitudes(observed), observed)
    again = Random().apply(magnitudes(observed), observed)
    other = Random().apply(magnitudes(observed), replace(observed, seed=1))
    assert torch.equal(first, again)
    assert (first - other).abs().mean() > 0.5


@pytest.mark.parametrize("seed", [0, 7, 2**63 + 5, -1])
def test_random_phase_is_uniform_and_uncorrelated(seed: int) -> None:
    observed = observe(noise(131072), seed=seed)
    phasors = Random().apply(magnitudes(observed), observed)[0, 0]
    phasors = phasors / phasors.abs()
    count = phasors.numel()
    for shifted in (phasors[:-1] * phasors[1:].conj(), phasors[:, :-1] * phasors[:, 1:].conj(), phasors, phasors**2):
        # a sum of n independent phasors has a length of √n; four times that happens once in ten million seeds
        assert shifted.sum().abs() < 4 * count**0.5


@pytest.mark.parametrize("stft", [DAI, Stft(512, 128), Stft(1024, 256)])
def test_random_phase_keeps_the_power(stft: Stft) -> None:
    x = noise(65536)
    observed = observe(x, stft=stft)
    wanted = observed.spectrum[..., observed.low :, :].abs()
    phased = Random().apply(wanted, observed)
    y = stft.synthesise(torch.nn.functional.pad(phased, (0, 0, observed.low, 0)), x.shape[-1])
    expected = (x - lowpassed(x, 4000.0)).square().mean()
    assert 10 * torch.log10(y.square().mean() / expected).item() == pytest.approx(0, abs=0.7)


def test_band_limited_takes_the_phase_of_the_slope_and_is_random_below_it() -> None:
    x = noise()
    faint = lowpassed(x, 3900.0) + 1e-3 * (x - lowpassed(x, 3900.0))
    stft = Stft(512, 256)
    observed = observe(faint, stft=stft)
    phased = PHASES["band-limited"].apply(magnitudes(observed), observed)
    truth = stft.analyse(x)[..., 140:, :]
    deviation = (phased[..., 140 - observed.low :, :] * (truth / truth.abs()).conj()).mean()
    assert deviation.real > 0.9
    empty = observe(lowpassed(x, 3900.0), stft=stft)
    far = (..., slice(60, None), slice(4, -4))
    phased = PHASES["band-limited"].apply(magnitudes(empty), empty)
    assert torch.equal(phased[far], Random().apply(magnitudes(empty), empty)[far])


def test_a_network_s_own_phase_counts_where_it_estimates() -> None:
    observed = replace(observe(noise()), low=100)
    estimate = observed.stft.analyse(noise(seed=1))
    phased = Native(estimate, cutoff_bin=129).apply(torch.ones(1, 1, 157, estimate.shape[-1]), observed)
    assert torch.allclose(phased[..., 29:, :], estimate[..., 129:, :] / estimate[..., 129:, :].abs(), atol=1e-4)
    random = Random().apply(torch.ones(phased.shape), observed)
    assert torch.equal(phased[..., :29, :], random[..., :29, :])


def test_griffin_lim_brings_frames_to_agree() -> None:
    """What matters is how far the spectrum is from that of a signal; tones have one to find."""
    time = torch.arange(16384) / RATE
    x = sum(torch.sin(2 * torch.pi * 317.0 * k * time + k * k) / k for k in range(1, 25))[None, None]
    observed = observe(lowpassed(x, 3900.0), stft=Stft(512, 128))
    wanted = Stft(512, 128).analyse(x)[..., observed.low :, :].abs()

    def inconsistency(name: str) -> float:
        spectrum = torch.cat([observed.spectrum[..., : observed.low, :], PHASES[name].apply(wanted, observed)], dim=-2)
        signal = observed.stft.synthesise(spectrum, x.shape[-1])
        return float((observed.stft.analyse(signal) - spectrum)[..., observed.low :, 8:-8].abs().square().sum())

    assert inconsistency("griffin-lim") < 0.2 * inconsistency("flip")
    assert inconsistency("griffin-lim") < 0.2 * inconsistency("random")


def test_only_some_look_at_other_frames() -> None:
    assert {name for name, source in PHASES.items() if source.context(DAI, Band(16000, 4000.0))} == LISTENERS
    assert GriffinLim().context(DAI, Band(16000, 4000.0)) == GriffinLim.iterations * 512


def test_any_transform_has_phases_of_its_own_and_random_ones() -> None:
    willing = {name for name, source in PHASES.items() if not source.refuse(Cqt(16000), Band(16000, 4000.0))}
    assert willing == {"band-limited", "random"}
