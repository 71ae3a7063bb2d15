"""The envelope regression: laws it must recover, data it must leave out, and what the contract promises."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from musr_models.checkpoint import Card, load_checkpoint, save_checkpoint
from musr_models.contract import Band, ModelError
from musr_models.envelope import (
    Envelope,
    EnvelopeConfig,
    EnvelopeFit,
    band_weights,
    bin_weights,
    low_band_features,
)
from musr_models.texture import texture_stft
from tests.conftest import Music

# three band edges, few frequencies: 4000, 8000 and 16000 Hz
SMALL = EnvelopeConfig(
    bands=6,
    context_frames=1,
    target_step_hz=500.0,
    lowest_cutoff_hz=4000.0,
    highest_cutoff_hz=16000.0,
    cutoffs_per_octave=1,
)
BAND = Band(44100, 4000)
FULL_HZ = torch.tensor([22050.0])


def noise(frames: int = 400, batch: int = 1, seed: int = 0) -> Tensor:
    """Spectra [B, F, N] whose parts of 500 Hz rise and fall independently of each other."""
    generator = torch.Generator().manual_seed(seed)
    stft = texture_stft(44100)
    levels = torch.randn(batch, stft.bins // 23 + 1, frames, generator=generator)
    gain = levels.repeat_interleave(23, dim=1)[:, : stft.bins].exp()
    phase = torch.rand(batch, stft.bins, frames, generator=generator) * 6.283
    return torch.polar(gain, phase)


def teacher(seed: int = 1) -> Envelope:
    network = Envelope(SMALL)
    generator = torch.Generator().manual_seed(seed)
    network.weight.copy_(0.1 * torch.randn(network.weight.shape, generator=generator))
    network.bias.copy_(torch.randn(network.bias.shape, generator=generator) - 4)
    return network


def obey(network: Envelope, spectrum: Tensor, band: Band) -> Tensor:
    """`spectrum` [B, F, N] with the power above the edge that `network` predicts."""
    low, level = low_band_features(spectrum, band, network.config)
    log_power = bin_weights(network.config, band.sample_rate) @ network.predict(low, band) + torch.log10(level)
    cutoff_bin = band.cutoff_bin(network.transform(band))
    high = torch.polar(10 ** (0.5 * log_power), spectrum.angle())[:, cutoff_bin:]
    return torch.cat([spectrum[:, :cutoff_bin], high], dim=1)


def fit(*clips: tuple[Tensor, Tensor], config: EnvelopeConfig = SMALL, ridge: float = 1e-9) -> Envelope:
    fitting = EnvelopeFit(config)
    for spectrum, bandwidth_hz in clips:
        fitting.add_spectrum(spectrum, 44100, bandwidth_hz)
    return fitting.solve(ridge)


def test_recovers_a_linear_law() -> None:
    law = teacher()
    student = fit((obey(law, noise(frames=600), BAND), FULL_HZ))
    unseen = noise(seed=2)
    low, _ = low_band_features(unseen, BAND, SMALL)
    # targets are means over the bins around them, of a law that is piecewise linear between them
    interpolation = bin_weights(SMALL, 44100)
    means = interpolation.T / interpolation.T.sum(dim=1, keepdim=True)
    expected = (means @ interpolation @ law.predict(low, BAND))[:, 10:40, 1:-1]
    torch.testing.assert_close(student.predict(low, BAND)[:, 10:40, 1:-1], expected, rtol=0, atol=2e-3)


def test_batches_add_up() -> None:
    law = teacher()
    first, second = (obey(law, noise(seed=seed, frames=200), BAND) for seed in (3, 4))
    apart = fit((first, FULL_HZ), (second, FULL_HZ))
    together = fit((torch.cat([first, second]), FULL_HZ.repeat(2)))
    torch.testing.assert_close(apart.weight, together.weight)


def test_nothing_is_learnt_above_a_bandwidth() -> None:
    true = obey(teacher(), noise(frames=300), BAND)
    false = obey(teacher(seed=9), noise(frames=300, seed=5), BAND)
    alone, both = fit((true, FULL_HZ)), fit((true, FULL_HZ), (false, torch.tensor([12500.0])))
    torch.testing.assert_close(both.weight[0, 24:40], alone.weight[0, 24:40])
    assert float((both.weight[0, 10:24] - alone.weight[0, 10:24]).abs().max()) > 0.05


def test_a_clip_without_a_high_band_teaches_nothing() -> None:
    true, narrow = noise(frames=300), noise(frames=300, seed=5)
    both = fit((true, FULL_HZ), (narrow, torch.tensor([3900.0])))
    torch.testing.assert_close(both.weight, fit((true, FULL_HZ)).weight)


def test_a_ridge_makes_weights_smaller() -> None:
    clip = (obey(teacher(), noise(frames=300), BAND), FULL_HZ)
    norms = [float(fit(clip, ridge=ridge).weight.norm()) for ridge in (1e-6, 1e-1, 1e2)]
    assert norms[0] > norms[1] > norms[2]


def test_waveforms_and_level(music: Music) -> None:
    """A clip and the same clip, quieter, ask for the same weights as long as no target reaches the floor."""
    x = torch.from_numpy(music(44100, 2.0, 1)) + 0.1 * torch.randn(1, 88200, generator=torch.Generator().manual_seed(0))
    networks = []
    for gain in (1.0, 0.125):
        fitting = EnvelopeFit(SMALL)
        fitting.add(gain * x, 44100, FULL_HZ)
        networks.append(fitting.solve(1e-2))
    torch.testing.assert_close(networks[0].weight[0], networks[1].weight[0], rtol=1e-2, atol=1e-3)


def test_edges_beyond_the_data_take_the_nearest_below() -> None:
    fitting = EnvelopeFit(SMALL)
    fitting.add(torch.randn(1, 16000, generator=torch.Generator().manual_seed(0)), 16000, torch.tensor([8000.0]))
    network = fitting.solve(1e-2)
    assert torch.equal(network.weight[1], network.weight[0])
    assert torch.equal(network.weight[0, -1], network.weight[0, 11])
    assert network.weight[0].any()


def test_nothing_to_fit() -> None:
    with pytest.raises(ModelError, match="no audio"):
        EnvelopeFit(SMALL).solve(1e-2)
    with pytest.raises(ModelError, match="no audio"):
        fit((noise(frames=4), torch.tensor([1000.0])))


def test_default_size() -> None:
    network = Envelope(EnvelopeConfig())
    assert 2 * sum(tensor.numel() for tensor in network.state_dict().values()) < 1_500_000
    assert network.config.cutoffs_hz[0] == 2000
    assert 20000 <= network.config.cutoffs_hz[-1] < 22050


def test_between_two_edges_lies_their_mean() -> None:
    network = teacher()
    low = torch.linspace(-3, 0, SMALL.features)[None, :, None]
    at = {hz: network.predict(low, Band(44100, hz)) for hz in (3000, 4000, 4000 * 2**0.5, 8000, 20000)}
    torch.testing.assert_close(at[4000 * 2**0.5], (at[4000] + at[8000]) / 2)
    assert torch.equal(at[3000], at[4000])
    assert torch.equal(at[20000], network.predict(low, Band(44100, 16000)))


def test_never_louder_than_the_loudest_band() -> None:
    network = teacher()
    network.bias += 20
    low = torch.linspace(-3, 0.5, SMALL.features)[None, :, None]
    assert torch.equal(network.predict(low, BAND), torch.full((1, SMALL.targets, 1), 0.5))


@given(
    rate=st.sampled_from([8000, 11025, 16000, 22050, 32000, 44100, 48000]),
    part=st.floats(0.0, 1.0),
    seed=st.integers(0),
)
@settings(max_examples=30, deadline=None)
def test_any_rate_and_edge(rate: int, part: float, seed: int) -> None:
    cutoff_hz = 2000 + part * (min(rate / 2, 20000) - 2000)
    band, network = Band(rate, cutoff_hz), Envelope(EnvelopeConfig())
    weights = band_weights(network.config, band)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(16))
    generator = torch.Generator().manual_seed(seed % 1000)
    x = network.transform(band).analyse(torch.randn(1, 1, rate // 4, generator=generator))
    y = network(x, band)
    assert y.shape == x.shape
    assert torch.isfinite(y.abs()).all()
    cutoff_bin = band.cutoff_bin(network.transform(band))
    assert torch.equal(y[..., :cutoff_bin, :], x[..., :cutoff_bin, :])


@pytest.mark.parametrize("cutoff_hz", [4000.0, 9000.0])
def test_level_channels_and_silence(cutoff_hz: float, music: Music) -> None:
    network, band = teacher(), Band(44100, cutoff_hz)
    x = texture_stft(44100).analyse(torch.from_numpy(music(44100, 1.0, 2, 0, cutoff_hz))[None])
    x[..., 40:50] = 0
    y = network(x, band)
    assert torch.equal(network(x * 2.0**-10, band), y * 2.0**-10)
    torch.testing.assert_close(network(0.1 * x, band), 0.1 * y, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(network(x.flip(1), band), y.flip(1))
    assert y[..., band.cutoff_bin(network.transform(band)) :, 30:40].any()
    assert not y[..., 40:50].any()
    assert not network(torch.zeros_like(x), band).any()


@pytest.mark.parametrize("begin", [2048, 10240, 30720])
@pytest.mark.parametrize("band", [Band(44100, 4000), Band(44100, 9000), Band(16000, 5000)])
def test_does_not_depend_on_where_a_chunk_begins(band: Band, begin: int, music: Music) -> None:
    network = teacher()
    stft, context = network.transform(band), network.context(band)
    x = torch.from_numpy(music(band.sample_rate, 1.5, 2, 0, band.cutoff_hz))[None]
    begin = begin * stft.n_fft // 2048 // stft.hop * stft.hop

    def run(part: Tensor, first: int) -> Tensor:
        return stft.synthesise(network(stft.analyse(part), band, first // stft.hop), part.shape[-1])

    whole = run(x, 0)[..., begin + context : begin + context + 2000]
    chunk = run(x[..., begin : begin + 2 * context + 2000], begin)[..., context:-context]
    error = (whole - chunk).double().square().sum() / whole.double().square().sum()
    assert float(error) < 1e-10


def test_a_checkpoint_brings_it_back(tmp_path: Path, music: Music) -> None:
    network = teacher()
    card = save_checkpoint(tmp_path, network, Card("envelope", "envelope", "envelope"))
    again = load_checkpoint(tmp_path)
    assert isinstance(again, Envelope)
    assert card.config == asdict(SMALL)
    assert again.config == SMALL
    x = texture_stft(44100).analyse(torch.from_numpy(music(44100, 0.5, 1, 0, 4000))[None])
    log_ratio = torch.log10(again(x, BAND).abs() / network(x, BAND).abs().clamp_min(1e-20))
    assert float(log_ratio[..., BAND.cutoff_bin(texture_stft(44100)) :, :].nan_to_num(0).abs().max()) < 0.02
