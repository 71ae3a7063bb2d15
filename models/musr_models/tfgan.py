"""The generator of TFGAN (Tian et al. 2020), the vocoder with which Zhang et al. repair phases."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from musr_models.blocks import relative_log
from musr_models.mel import mel_powers
from musr_models.transforms import Stft
from musr_models.waveform import ResidualUnit, TimeConv, TransposedConv

_LEVEL_FRAMES = 33
_FLOOR = 1e-8
_MEAN, _DEVIATION = -4.0, 4.0
_KERNEL = 7


@dataclass(frozen=True)
class TfGanConfig:
    """Sizes; the defaults have 5.7 M parameters (Zhang et al., table 1: 6 M).

    Attributes:
        sample_rate: in Hz.
        n_fft: window of the mel spectrum; a quarter of it is the hop (Zhang et al., 3.1: 1024 and 256 at 16 kHz).
        mels: bands of the mel spectrum.
        width: channels at the frame rate; every step up halves them.
        strides: of the steps up; their product is the hop.
        dilations: of the residual units after each step.
    """

    sample_rate: int = 16000
    n_fft: int = 1024
    mels: int = 80
    width: int = 512
    strides: tuple[int, ...] = (8, 8, 2, 2)
    dilations: tuple[int, ...] = (1, 3, 9, 27, 27, 9, 3, 1)

    @property
    def stft(self) -> Stft:
        """The transform whose magnitudes are looked at."""
        return Stft(self.n_fft, math.prod(self.strides))


class TfGan(nn.Module):
    """Magnitudes in, a waveform with coherent phases out.

    The mel spectrum is taken relative to its local level and the waveform multiplied by it: louder magnitudes give the
    same waveform, louder. Nothing depends on where a chunk begins.
    """

    def __init__(self, config: TfGanConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.width // 2**level for level in range(len(config.strides) + 1)]
        self.inp = TimeConv(config.mels, widths[0], _KERNEL)
        self.steps = nn.ModuleList(
            _step(*pair, stride, config.dilations)
            for pair, stride in zip(pairwise(widths), config.strides, strict=True)
        )
        self.head = TimeConv(widths[-1], 1, _KERNEL)

    @property
    def context(self) -> int:
        """Samples on each side that one output sample depends on, the window included."""
        stft, scale = self.config.stft, self.config.stft.hop
        total = stft.n_fft // 2 + (_LEVEL_FRAMES // 2 + 1 + _KERNEL // 2) * scale
        for stride in self.config.strides:
            total += 2 * scale
            scale //= stride
            total += sum(self.config.dilations) * scale
        return total + _KERNEL // 2

    def forward(self, magnitude: Tensor) -> Tensor:
        """Magnitudes [B, bins, N] of `config.stft` → waveform [B, N · hop], which begins half a hop before frame 0."""
        config = self.config
        mels = mel_powers(magnitude.float().square(), config.stft, config.sample_rate, config.mels)
        level = F.avg_pool1d(mels.mean(dim=1, keepdim=True), _LEVEL_FRAMES, 1, _LEVEL_FRAMES // 2)
        x = (relative_log(mels, level, _FLOOR) - _MEAN) / _DEVIATION
        hidden = self.inp(x[:, :, None])
        for step in self.steps:
            hidden = step(hidden)
        made = self.head(F.leaky_relu(hidden)).float()[:, 0, 0]
        # a Hann window over a signal of level 1 has magnitudes whose mean square is 3/8 n_fft
        gain = F.interpolate(
            (level / (0.375 * config.n_fft)).sqrt(), scale_factor=float(config.stft.hop), mode="linear"
        )
        signal: Tensor = made * gain[:, 0]
        return signal

    def resynthesise(self, magnitude: Tensor, samples: int) -> Tensor:
        """Magnitudes [B, bins, N] → waveform [B, samples], its first sample at the centre of frame 0."""
        hop = self.config.stft.hop
        signal: Tensor = F.pad(self(magnitude), (0, hop))
        return signal[:, hop // 2 : hop // 2 + samples]


def _step(in_channels: int, out_channels: int, stride: int, dilations: tuple[int, ...]) -> nn.Sequential:
    """Raise the rate, then residual units."""
    units = (ResidualUnit(out_channels, dilation, nn.LeakyReLU) for dilation in dilations)
    return nn.Sequential(nn.LeakyReLU(), TransposedConv(in_channels, out_channels, stride), *units)
