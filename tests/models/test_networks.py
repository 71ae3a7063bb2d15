"""The networks of Dai et al.: sizes as published, and what the contract promises."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from musr_models.blocks import LogPowerNetwork
from musr_models.checkpoint import build
from musr_models.contract import Band

NARROW = {
    "dnn": {"widths": [16, 16, 16, 16]},
    "cnn": {"filters": [4, 8, 8], "strides": [2, 2, 2], "summary": 4},
    "stft-gan": {"widths": [16, 24, 24, 32], "final_activation": False, "level_frames": 9},
}
X2 = Band(16000, 4000.0)


def narrow(architecture: str, **config: object) -> LogPowerNetwork:
    torch.manual_seed(0)
    network = build(architecture, {**NARROW[architecture], **config})
    assert isinstance(network, LogPowerNetwork)
    # fresh networks have zero mean and unit deviation: give the statistics something to do
    network.high_mean.fill_(-6.0)
    network.low_mean.fill_(-4.0)
    network.low_std.fill_(3.0)
    return network.eval()


def spectrum(network: LogPowerNetwork, frames: int = 60, batch: int = 2, channels: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    samples = (frames - 1) * network.config.stft.hop
    return network.config.stft.analyse(torch.randn(batch, channels, samples, generator=generator))


@pytest.mark.parametrize(
    ("architecture", "parameters"),
    [
        # weights and biases counted by hand from the sizes in the paper, at 16 kHz ×2 (129 → 128 bins)
        ("dnn", 129 * 256 + 256 + 3 * (256 * 256 + 256) + 4 * 512 + 256 * 128 + 128),
        ("cnn", (7 + 1) * 256 + (5 * 256 + 1) * 512 + (3 * 512 + 1) * 1024 + 2 * 1792 + (1024 * 129 + 1) * 128),
        (
            "stft-gan",
            (129 * 7 + 1) * 256 + (256 * 5 + 1) * 512 + (512 * 3 + 1) * 512 + (512 * 3 + 1) * 1024
            + (1024 * 3 + 1) * 512 + (512 * 5 + 1) * 512 + (512 * 7 + 1) * 256 + (256 * 9 + 1) * 128
            + 2 * (256 + 512 + 512 + 1024 + 512 + 512 + 256 + 128),
        ),
    ],
)  # fmt: skip
def test_published_sizes(architecture: str, parameters: int) -> None:
    assert sum(p.numel() for p in build(architecture, {}).parameters()) == parameters


@pytest.mark.parametrize(("ratio", "low", "high"), [(2, 129, 128), (4, 65, 192)])
def test_bins_of_the_paper(ratio: int, low: int, high: int) -> None:
    config = narrow("dnn", ratio=ratio).config
    assert (config.low_bins, config.high_bins) == (low, high)


@pytest.mark.parametrize("architecture", NARROW)
@pytest.mark.parametrize("ratio", [2, 4])
def test_low_band_is_the_inputs_own(architecture: str, ratio: int) -> None:
    network = narrow(architecture, ratio=ratio)
    x = spectrum(network)
    y = network(x, Band(16000, 8000.0 / ratio))
    assert y.shape == x.shape
    assert y.dtype == torch.float32
    torch.testing.assert_close(y[..., : network.config.low_bins, :], x[..., : network.config.low_bins, :].abs())
    assert (y > 0).all()


@pytest.mark.parametrize("architecture", NARROW)
@pytest.mark.parametrize("gain_db", [-60.0, -20.0, 10.0])
def test_louder_input_gives_the_same_output_louder(architecture: str, gain_db: float) -> None:
    network, gain = narrow(architecture), 10 ** (gain_db / 20)
    x = spectrum(network)
    torch.testing.assert_close(network(gain * x, X2), gain * network(x, X2), rtol=2e-3, atol=1e-6 * gain)


@pytest.mark.parametrize("architecture", NARROW)
def test_silence_stays_silent(architecture: str) -> None:
    network = narrow(architecture)
    assert network(torch.zeros_like(spectrum(network)), X2).abs().max() == 0


@pytest.mark.parametrize("architecture", NARROW)
def test_channels_do_not_see_each_other(architecture: str) -> None:
    network = narrow(architecture)
    x = spectrum(network)
    alone = network(x[:, :1], X2)
    torch.testing.assert_close(network(x, X2)[:, :1], alone)


@pytest.mark.parametrize("architecture", NARROW)
def test_declared_context_is_the_measured_one(architecture: str) -> None:
    """The gradient of one output frame reaches exactly as many frames as the network declares."""
    network = narrow(architecture)
    frames = 80
    x = spectrum(network, frames, 1, 1).requires_grad_()
    network(x, X2)[..., network.config.low_bins :, frames // 2].sum().backward()
    assert x.grad is not None
    reached = torch.nonzero(x.grad.abs().sum(dim=(0, 1, 2))).flatten()
    declared = network.body_context + network.config.level_frames // 2
    assert int(reached.min()) >= frames // 2 - declared
    assert int(reached.max()) <= frames // 2 + declared
    # all of the body's frames are used; the level reaches further only through its own average
    assert int(reached.max()) - int(reached.min()) >= 2 * network.body_context


def test_shortcuts_join_mirrored_layers() -> None:
    """With the inner layers silenced, the generator still passes the first layer on to the last (figure 2)."""
    network = narrow("stft-gan")
    layers = network.layers
    assert isinstance(layers, torch.nn.ModuleList)
    for layer in list(layers)[1:]:
        for parameter in layer.parameters():
            parameter.data.zero_()
    outputs = network.body(spectrum(network, batch=1)[:, 0, :129].abs())
    assert outputs.std() > 0
