"""The default network: one view of the given band for all edges, one estimate for all channels, any rate."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from musr_models.contract import Band
from musr_models.holes import beyond
from musr_models.restore import LARGEST_FACTOR, Restore, RestoreConfig, _views
from tests.conftest import Music

BAND = Band(44100, 8000)
SMALL = RestoreConfig(views=32, width=24, hidden=48, blocks=2, kernel=5, level_frames=9)


def network(config: RestoreConfig = SMALL) -> Restore:
    torch.manual_seed(0)
    made = Restore(config).eval()
    # fresh networks have zero mean and unit deviation: give the statistics something to do
    made.mean.copy_(torch.linspace(2, -12, config.bins)[:, None])
    made.std.fill_(3.0)
    return made


def spectrum(music: Music, band: Band = BAND, channels: int = 2, seconds: float = 1.0) -> Tensor:
    x = torch.from_numpy(music(band.sample_rate, seconds, channels, 0, 0.97 * band.cutoff_hz))[None]
    return network().transform(band).analyse(x)


def above(made: Tensor, band: Band = BAND) -> Tensor:
    """The new band: from the edge to the last bin that the network knows."""
    return made[..., band.cutoff_bin(network().transform(band)) : SMALL.bins, :]


@pytest.mark.parametrize("rate", [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000])
def test_bins_lie_at_the_same_hertz_at_every_rate(rate: int) -> None:
    stft = network().transform(Band(rate, rate / 4))
    assert stft.n_fft == 4 * stft.hop
    assert rate / stft.n_fft == pytest.approx(44100 / 2048, rel=0.01)
    rest = stft.n_fft
    for factor in range(2, LARGEST_FACTOR + 1):
        while rest % factor == 0:
            rest //= factor
    assert rest == 1


@pytest.mark.parametrize("band", [Band(8000, 2000), Band(16000, 7000), Band(44100, 17000), Band(48000, 3500)], ids=str)
def test_low_band_is_the_inputs_own_and_the_rest_is_made(band: Band, music: Music) -> None:
    x = spectrum(music, band)
    y = network()(x, band)
    cutoff_bin = band.cutoff_bin(network().transform(band))
    assert y.shape == x.shape
    assert torch.equal(y[..., :cutoff_bin, :], x[..., :cutoff_bin, :])
    assert bool(torch.isfinite(y.abs()).all())
    assert float((above(y, band)[..., 5:-5].abs() > 0).float().mean()) > 0.99


def test_the_new_band_ends_with_the_bins_that_the_network_knows(music: Music) -> None:
    band = Band(48000, 8000)
    y = network()(spectrum(music, band), band)
    assert y[..., SMALL.bins - 1, 5:-5].abs().min() > 0
    assert not y[..., SMALL.bins :, :].any()


def test_declared_context_is_the_measured_one(music: Music) -> None:
    """The gradient of one frame of the envelope reaches exactly as many frames as the network declares."""
    made = network()
    x = spectrum(music, channels=1).requires_grad_()
    at = x.shape[-1] // 2
    made.envelope_of(made.look(x, [BAND]))[..., at].sum().backward()
    assert x.grad is not None
    reached = torch.nonzero(x.grad.abs().sum(dim=(0, 1, 2))).flatten()
    assert at - made.context_frames <= int(reached.min())
    assert int(reached.max()) <= at + made.context_frames
    trunk = SMALL.blocks * (SMALL.kernel // 2)
    assert int(reached.max() - reached.min()) >= 2 * trunk


def test_examples_have_an_edge_each(music: Music) -> None:
    made, bands = network(), [BAND, Band(44100, 3000), Band(44100, 15000)]
    x = torch.cat([spectrum(music, band) for band in bands])
    together = made.estimate(x, bands)
    for one, band, own in zip(x, bands, together, strict=True):
        torch.testing.assert_close(above(own, band), above(made(one[None], band)[0], band), rtol=1e-3, atol=1e-5)


def test_what_lies_above_the_edge_is_looked_at(music: Music) -> None:
    """The edge is a hint: what is there counts, wherever the edge is said to be."""
    x = spectrum(music)
    other = x.clone()
    above(other).fill_(0.01)
    assert not torch.allclose(above(network()(x, BAND)), above(network()(other, BAND)))


def test_the_given_band_is_the_inputs_own_unless_it_is_mended(music: Music) -> None:
    x, made = spectrum(music), network()
    low = slice(0, BAND.cutoff_bin(made.transform(BAND)))
    assert torch.equal(made(x, BAND)[..., low, :], x[..., low, :])
    assert not torch.allclose(made.mend(x, BAND)[..., low, :], x[..., low, :])


@torch.no_grad()
def test_mending_knows_the_frame_and_not_the_chunk(music: Music) -> None:
    """What is made for a frame is the same wherever the chunk begins."""
    x, made = spectrum(music, seconds=2.0), network()
    skipped, margin = 40, made.context_frames
    whole, part = made.mend(x, BAND), made.mend(x[..., skipped:], BAND, first=skipped)
    torch.testing.assert_close(
        part[..., margin:-1], whole[..., skipped + margin : -1], rtol=1e-3, atol=1e-3 * float(whole.abs().max())
    )


def test_silence_is_mended_to_silence(music: Music) -> None:
    x = torch.zeros_like(spectrum(music))
    assert not beyond(network().mend(x, BAND), x).any()


@pytest.mark.parametrize("gain", [1e-3, 0.1, 3.0])
def test_louder_input_gives_the_same_output_louder(gain: float, music: Music) -> None:
    x = spectrum(music)
    torch.testing.assert_close(above(network()(gain * x, BAND)), gain * above(network()(x, BAND)), rtol=1e-2, atol=1e-7)


def test_silence_stays_silent(music: Music) -> None:
    assert not network()(torch.zeros_like(spectrum(music)), BAND).any()


def test_channels_share_the_envelope_and_keep_their_phases(music: Music) -> None:
    x = spectrum(music)
    y = above(network()(x, BAND))
    assert not torch.allclose(y[:, 0], y[:, 1])
    ratio = (y[0, 0].abs() / y[0, 1].abs())[..., 10:-10]
    # one factor a frame, wherever neither channel is empty
    assert float((ratio / ratio.median(dim=0).values).log().abs().median().detach()) < 0.01


def test_a_silent_channel_stays_silent(music: Music) -> None:
    x = spectrum(music)
    x[:, 1] = 0
    y = above(network()(x, BAND))
    assert y[:, 0].abs().max() > 0
    assert not y[:, 1].any()


@pytest.mark.parametrize("edge", [7, 40, 500, 1024])
def test_views_divide_the_given_band_evenly(edge: int) -> None:
    edges = torch.tensor([edge])
    constant, ramp = torch.full((1, 1025, 2), 3.0), torch.arange(1025.0)[None, :, None]
    torch.testing.assert_close(_views(constant, edges, 16), torch.full((1, 16, 2), 3.0))
    views = _views(ramp, edges, 16)[0, :, 0]
    inner = slice(2, -2)  # at the ends, bands of a whole bin are cut
    expected = (torch.arange(16) + 0.5) * edge / 16 - 0.5
    torch.testing.assert_close(views[inner], expected[inner], rtol=0, atol=0.1)


def test_views_do_not_see_beyond_the_edge() -> None:
    x = torch.zeros(1, 1025, 1)
    x[:, 300:] = 100
    assert _views(x, torch.tensor([300]), 64).abs().max() < 1e-2
