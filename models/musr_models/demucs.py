"""Demucs for waveforms (Défossez, Usunier, Bottou & Bach 2019, version 2), one of Zhang et al.'s three networks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musr_models.waveform import TimeConv, TransposedConv, WaveformConfig, WaveformNetwork, step_sizes


@dataclass(frozen=True)
class DemucsConfig(WaveformConfig):
    """Sizes; the defaults have 134.3 M parameters (Zhang et al., table 1: 134 M).

    Version 2 with its own 64 channels, three-tap decoders and a bidirectional LSTM has 265.7 M. A decoder of one tap
    and an LSTM of one direction, as in the authors' denoiser, come to the figure of the paper, so that is what is
    assumed.

    Attributes:
        width: channels of the first layer; every layer doubles them.
        widest: most channels that a layer has.
        depth: number of layers on either side.
        stride: of every layer; filters are twice as long.
        lstm_layers: depth of the LSTM between encoder and decoder.
        is_bidirectional: it runs both ways, and a linear layer joins them.
        window: steps of the LSTM that are taken from each of its runs; runs begin on an absolute grid.
        margin: steps that each run sees on either side of them.
    """

    width: int = 64
    widest: int = 2048
    depth: int = 6
    stride: int = 4
    lstm_layers: int = 2
    is_bidirectional: bool = False
    window: int = 8
    margin: int = 8

    @property
    def widths(self) -> list[int]:
        """Channels of the layers, from the first on."""
        return [min(self.width * 2**level, self.widest) for level in range(self.depth)]


class Demucs(WaveformNetwork):
    """Strided convolutions with gated linear units, an LSTM between them, additive shortcuts.

    The original runs its LSTM over the whole track. Here it runs over windows with margins on an absolute grid, so
    that a track of any length gives the same in chunks as in one piece. The resampling around the original, by which
    it avoids artefacts at the ends of the spectrum, is left out: what is made near the band edge is blended anyway.
    """

    config: DemucsConfig

    def __init__(self, config: DemucsConfig) -> None:
        super().__init__(config)
        pairs = list(pairwise((1, *config.widths)))
        self.encoder = nn.ModuleList(_Encoder(*pair, config.stride) for pair in pairs)
        self.lstm = WindowedLstm(
            config.widths[-1],
            config.lstm_layers,
            config.window,
            config.margin,
            is_bidirectional=config.is_bidirectional,
        )
        self.decoder = nn.ModuleList(_Decoder(wide, narrow, config.stride) for narrow, wide in reversed(pairs))

    @property
    def grid(self) -> int:
        """Samples of a window of the LSTM."""
        return self._scales[-1] * self.config.window

    @property
    def _scales(self) -> list[int]:
        """Samples that a step takes at every depth."""
        return step_sizes(self.config.stride, self.config.depth)

    @property
    def reach(self) -> int:
        """A window and its margin, and the filters of encoder and decoder."""
        return 3 * sum(self._scales) + self.grid + self._scales[-1] * self.config.margin

    def body(self, x: Tensor) -> Tensor:
        """See `WaveformNetwork.body`."""
        hidden, shortcuts = x, []
        for layer in self.encoder:
            hidden = layer(hidden)
            shortcuts.append(hidden)
        hidden = self.lstm(hidden)
        for index, layer in enumerate(self.decoder):
            hidden = layer(hidden + shortcuts.pop())
            hidden = F.relu(hidden) if index + 1 < self.config.depth else hidden
        residual: Tensor = hidden
        return residual


class _Encoder(nn.Sequential):
    """Strided convolution, ReLU, gated mixture of channels."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__(
            TimeConv(in_channels, out_channels, 2 * stride, stride=stride),
            nn.ReLU(),
            TimeConv(out_channels, 2 * out_channels, 1),
            nn.GLU(dim=1),
        )


class _Decoder(nn.Sequential):
    """Gated mixture of channels, transposed convolution."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__(
            TimeConv(in_channels, 2 * in_channels, 1),
            nn.GLU(dim=1),
            TransposedConv(in_channels, out_channels, stride),
        )


class WindowedLstm(nn.Module):
    """An LSTM over [B, C, 1, T], T a multiple of `window`: each window in a run of its own, with margins."""

    def __init__(self, channels: int, layers: int, window: int, margin: int, *, is_bidirectional: bool) -> None:
        super().__init__()
        self.window, self.margin = window, margin
        self.lstm = nn.LSTM(channels, channels, layers, batch_first=True, bidirectional=is_bidirectional)
        self.join = nn.Linear(2 * channels, channels) if is_bidirectional else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Windows become examples: [B, C, 1, T] → [B · T / window, margin + window + margin, C] and back."""
        batch, channels, _, steps = x.shape
        padded = F.pad(x[:, :, 0].transpose(1, 2), (0, 0, self.margin, self.margin))
        runs = padded.unfold(1, self.window + 2 * self.margin, self.window).transpose(2, 3)
        made = self.join(self.lstm(runs.reshape(-1, *runs.shape[2:]))[0])
        kept = made[:, self.margin : self.margin + self.window].reshape(batch, 1, steps, channels)
        return torch.permute(kept, (0, 3, 1, 2))
