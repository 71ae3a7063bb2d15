"""The waveform networks: sizes as published, contexts as measured, and what level and layout promise."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from musr_models.checkpoint import build
from musr_models.contract import Band
from musr_models.demucs import WindowedLstm
from musr_models.mel import mel_filters
from musr_models.tfgan import TfGan, TfGanConfig
from musr_models.transforms import Stft
from musr_models.waveform import LEVEL_BLOCK, TimeConv, TransposedConv, WaveformNetwork, unfold_time

RATE = 16000
EDGE = Band(RATE, 4000.0)
SMALL: dict[str, dict[str, Any]] = {
    "audio-unet": {"widths": (8, 12, 16), "kernels": (17, 9, 9), "dropout": 0.0},
    "seanet": {"width": 4, "strides": (2, 4, 8)},
    "demucs": {"width": 8, "widest": 16, "depth": 3, "window": 8, "margin": 8, "is_bidirectional": True},
    "resgan": {"sample_rates": (RATE,), "widths": (8, 12)},
}
every_network = pytest.mark.parametrize("architecture", SMALL)


def small(architecture: str, **config: Any) -> WaveformNetwork:
    torch.manual_seed(0)
    network = build(architecture, {**SMALL[architecture], **config})
    assert isinstance(network, WaveformNetwork)
    return network.eval()


def noise(samples: int, channels: int = 1) -> Tensor:
    return 0.1 * torch.randn(1, channels, samples, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("architecture", "millions"), [("audio-unet", 56), ("seanet", 11), ("demucs", 134), ("tfgan", 6)]
)
def test_published_sizes(architecture: str, millions: float) -> None:
    """Zhang et al. 2024, table 1, prints them to the million."""
    with torch.device("meta"):
        network = build(architecture, {})
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(millions * 1e6, rel=0.05)


@every_network
def test_declared_context_holds_and_is_no_waste(architecture: str) -> None:
    network = small(architecture)
    grid = network.align(EDGE)
    x = noise(grid * (2 * network.context(EDGE) // grid + 3)).requires_grad_()
    middle = x.shape[-1] // 2
    reached = []
    # the first, the last and some sample of a grid reach furthest
    for place in (middle // grid * grid, middle // grid * grid + grid - 1, middle):
        (slope,) = torch.autograd.grad(network(x, EDGE)[0, 0, place], x)
        heard = torch.nonzero(slope[0, 0]).flatten()
        reached += [place - int(heard[0]), int(heard[-1]) - place]
    assert max(reached) <= network.context(EDGE)
    assert max(reached) > 0.6 * network.context(EDGE)


@every_network
@pytest.mark.parametrize("gain_db", [-60.0, 10.0])
def test_louder_input_gives_the_same_output_louder(architecture: str, gain_db: float) -> None:
    network, gain, x = small(architecture), 10 ** (gain_db / 20), noise(8192, 2)
    torch.testing.assert_close(network(gain * x, EDGE), gain * network(x, EDGE), rtol=1e-3, atol=1e-5 * gain)


@every_network
def test_channels_are_alike_and_silence_stays(architecture: str) -> None:
    network, x = small(architecture), noise(5000)
    left, right = network(torch.cat([x, x], dim=1), EDGE)[0]
    torch.testing.assert_close(left, right)
    assert network(torch.zeros(1, 2, 5000), EDGE).abs().max() < 1e-6


@every_network
@pytest.mark.parametrize("samples", [1, 255, 4097])
def test_any_length(architecture: str, samples: int) -> None:
    assert small(architecture)(noise(samples, 2), EDGE).shape == (1, 2, samples)


@every_network
def test_later_grid_points_see_the_same(architecture: str) -> None:
    """A stretch of a longer signal, with its context, gives what the longer signal gives there."""
    network = small(architecture)
    grid = network.align(EDGE)
    context = -(-network.context(EDGE) // grid) * grid
    x = noise(4 * context + 2 * grid)
    start, stop = 2 * context - context, 2 * context + grid + context
    part = network(x[..., start:stop], EDGE, start)
    whole = network(x, EDGE)[..., start:stop]
    torch.testing.assert_close(part[..., context:-context], whole[..., context:-context], rtol=0, atol=1e-6)


def test_spline_input_is_a_spline() -> None:
    """With nothing learnt, AudioUNet returns the spline through the samples of the low rate."""
    network = small("audio-unet", is_spline=True, ratio=2)
    torch.nn.init.zeros_(network.head.weight)  # type: ignore[arg-type, union-attr]
    torch.nn.init.zeros_(network.head.bias)  # type: ignore[arg-type, union-attr]
    x = torch.sin(2 * torch.pi * 500 / RATE * torch.arange(4096.0))[None, None]
    y = network(x, EDGE)
    torch.testing.assert_close(y[..., 200:-200], x[..., 200:-200], rtol=0, atol=2e-3)


def fold_time(x: Tensor, factor: int) -> Tensor:
    """[B, C, 1, factor · T] → [B, factor · C, 1, T]: neighbours in time become channels of one step."""
    batch, channels, _, steps = x.shape
    return (
        x.reshape(batch, channels, steps // factor, factor).permute(0, 3, 1, 2).reshape(batch, -1, 1, steps // factor)
    )


def test_folding_time_is_undone_by_unfolding() -> None:
    x = torch.randn(2, 6, 1, 40)
    assert fold_time(x, 4).shape == (2, 24, 1, 10)
    torch.testing.assert_close(unfold_time(fold_time(x, 4), 4), x)
    # the subpixel shuffle of Shi et al.: channels of one step are neighbours in time
    torch.testing.assert_close(
        unfold_time(torch.arange(6.0).reshape(1, 6, 1, 1), 3)[0, :, 0], torch.tensor([[0.0, 2, 4], [1, 3, 5]])
    )


def test_transposed_convolution_is_one() -> None:
    ours = TransposedConv(3, 2, 4)
    taps = ours.taps.weight[:, :, 0].detach()  # [stride · out, in, 2]
    kernel = taps.reshape(4, 2, 3, 2).permute(2, 1, 3, 0).flip(2).reshape(3, 2, 8)
    x = torch.randn(1, 3, 1, 10)
    torch.nn.init.zeros_(ours.taps.bias)  # type: ignore[arg-type]
    theirs = F.conv_transpose1d(x[:, :, 0], kernel, stride=4, padding=2)
    torch.testing.assert_close(ours(x)[:, :, 0], theirs)


@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 1, 1), (3, 1, 9), (8, 4, 1), (17, 2, 1)])
def test_time_convolution_divides_the_length_by_its_stride(kernel: int, stride: int, dilation: int) -> None:
    layer = TimeConv(2, 3, kernel, stride=stride, dilation=dilation)
    assert layer(torch.randn(1, 2, 1, 64)).shape == (1, 3, 1, 64 // stride)


def test_windows_of_the_lstm_hear_their_margins_only() -> None:
    torch.manual_seed(0)
    lstm = WindowedLstm(4, 1, window=4, margin=2, is_bidirectional=True)
    x = torch.randn(1, 4, 1, 16).requires_grad_()
    (slope,) = torch.autograd.grad(lstm(x)[0, :, 0, 4:8].sum(), x)
    heard = torch.nonzero(slope[0].abs().sum(dim=(0, 1))).flatten()
    assert (int(heard[0]), int(heard[-1])) == (2, 9)


def test_mel_filters_are_means_and_cover_the_band() -> None:
    filters = mel_filters(Stft(1024, 256), RATE, 80)
    torch.testing.assert_close(filters.sum(dim=1), torch.ones(80))
    assert (filters.sum(dim=0)[1:-1] > 0).all()
    assert (filters.argmax(dim=1).diff() >= 0).all()


def test_vocoder_scales_and_hears_its_context_only() -> None:
    torch.manual_seed(0)
    vocoder = TfGan(TfGanConfig(width=16, strides=(8, 8, 4), dilations=(1, 3))).eval()
    stft, samples = vocoder.config.stft, 40 * LEVEL_BLOCK
    x = noise(samples)[0]
    signal = vocoder.resynthesise(stft.analyse(x).abs(), samples)
    assert signal.shape == (1, samples)
    torch.testing.assert_close(
        vocoder.resynthesise(stft.analyse(5 * x).abs(), samples), 5 * signal, rtol=1e-3, atol=1e-5
    )
    x = x.clone().requires_grad_()
    place = samples // 2
    (slope,) = torch.autograd.grad(vocoder.resynthesise(stft.analyse(x).abs(), samples)[0, place], x)
    heard = torch.nonzero(slope[0]).flatten()
    assert max(place - int(heard[0]), int(heard[-1]) - place) <= vocoder.context
