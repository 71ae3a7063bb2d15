"""`restore`, the default network: it says how loud every bin of a recording should be. No paper has it.

What a bin should hold is made of two things that are known apart from each other:

    Y[c, f, n] = E[f, n] · b[c, f, n] · U[c, f, n]

E, the envelope, is what the trunk estimates for all bins at once and for all channels together: how loud every bin
is, peaks and gaps between partials included. U, the texture, has unit magnitude. Above the band edge it is the given
band copied up: real sound, whose phases go on from frame to frame. Below the edge, where an encoder left holes, it is
made of random phases that are as alike in two channels as what is around them. b shares E out among the channels as
the sound nearby is shared out, so that a source stays where it is, and identical channels stay identical.

The trunk is ConvNeXt (Liu et al. 2022, "A ConvNet for the 2020s") with time as its one dimension. It sees the recording
twice: bin by bin, up to the Nyquist frequency, and in bands whose widths are fractions of the edge. What continues an
envelope lies just below the edge, wherever that is; without the second view a network for any edge must learn this anew
for each one. The edge is a hint: in training it was withheld (then it is the Nyquist frequency) or wrong in many crops.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musr_models.blocks import TINY_POWER, relative_log
from musr_models.contract import Band, Network, Output
from musr_models.holes import KeyedPhases, Phases
from musr_models.texture import patch_source, smooth_frames
from musr_models.transforms import Stft, power

HOP_S = 512 / 44100
"""Distance of frames, about; a frame is four times as long."""

LARGEST_FACTOR = 23
"""Transform lengths have no larger prime factor: they would be slow."""

BALANCE_RANGE = (0.5, 0.95)
"""Where, as fractions of the edge, channels are weighed against each other."""

TEXTURE_FLOOR = 1e-5
"""Power, relative to that of the upper part of the given band, below which a bin of the texture counts as empty."""

ROUND_OFF = 1e-10
"""Power, relative to the level of the given band, below which any bin counts as empty: 20 dB above round-off."""

# standardises relative log powers of the views roughly; the layers that follow do the rest
_VIEW_MEAN, _VIEW_STD = -6.0, 4.0


@dataclass(frozen=True)
class RestoreConfig:
    """Sizes of the network.

    Attributes:
        bins: that the network sees and estimates; 1025 reach 22 kHz. Lower rates have fewer, which lie where they
            always do.
        views: bands of the second view of the given band.
        width: channels of the trunk.
        hidden: channels inside a block.
        blocks: how many.
        kernel: frames that a block's depthwise convolution spans; odd.
        level_frames: frames over which levels are averaged; odd.
    """

    bins: int = 1025
    views: int = 256
    width: int = 256
    hidden: int = 768
    blocks: int = 6
    kernel: int = 7
    level_frames: int = 33


@dataclass(frozen=True)
class Look:
    """What the trunk looks at, and what its estimates are relative to; one for all channels of an example.

    Attributes:
        log_power: of each bin, relative to `level`, [B, bins, N].
        views: mean log power in bands relative to the edge, [B, views, N].
        is_given: 1 below each example's edge, else 0, [B, bins].
        level: mean power of a bin around each frame, [B, 1, N]; of `bins` bins, however many the rate has.
    """

    log_power: Tensor
    views: Tensor
    is_given: Tensor
    level: Tensor


class Block(nn.Module):
    """ConvNeXt block: depthwise convolution over frames, layer normalisation, two dense layers, a scaled shortcut."""

    def __init__(self, width: int, hidden: int, kernel: int) -> None:
        super().__init__()
        self.over_frames = nn.Conv2d(width, width, (1, kernel), padding=(0, kernel // 2), groups=width)
        self.norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, hidden)
        self.contract = nn.Linear(hidden, width)
        self.scale = nn.Parameter(torch.full((width,), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, width] → [B, N, width]."""
        # a convolution in two dimensions takes channels that lie last in memory, one in one dimension copies them
        y = self.over_frames(x.transpose(1, 2)[:, :, None])[:, :, 0].transpose(1, 2)
        added: Tensor = self.contract(F.gelu(self.expand(self.norm(y))))
        return x + self.scale * added


class Restore(Network):
    """Estimates the envelope above any band edge and puts it on the texture of the band below."""

    output = Output.COMPLEX
    is_joint = True
    can_mend = True
    mean: Tensor
    std: Tensor

    def __init__(self, config: RestoreConfig) -> None:
        super().__init__()
        self.config = config
        # of relative log power over music with all its bins
        self.register_buffer("mean", torch.zeros(config.bins, 1))
        self.register_buffer("std", torch.ones(config.bins, 1))
        self.see_bins = nn.Linear(config.bins, config.width)
        self.see_views = nn.Linear(config.views, config.width)
        self.see_edge = nn.Linear(config.bins, config.width)
        self.trunk = nn.Sequential(
            *(Block(config.width, config.hidden, config.kernel) for _ in range(config.blocks)),
            nn.LayerNorm(config.width),
        )
        self.envelope = nn.Linear(config.width, config.bins)

    def transform(self, band: Band) -> Stft:
        """Windows of 2048 samples at 44.1 kHz and about as long at other rates, so that bins lie at the same hertz."""
        return _transform(band.sample_rate)

    @property
    def context_frames(self) -> int:
        """Frames on each side that a frame of the estimate depends on: of the trunk, and of the levels before it."""
        return self.config.blocks * (self.config.kernel // 2) + self.config.level_frames // 2

    def context(self, band: Band) -> int:
        """The frames in samples, and a window for the STFT and its inverse."""
        stft = self.transform(band)
        return self.context_frames * stft.hop + stft.n_fft

    def forward(self, x: Tensor, band: Band, first: int = 0) -> Tensor:
        """Spectrum [B, C, F, N] → spectrum [B, C, F, N]; the low band is the input's own."""
        del first  # texture above an edge is the input's own: nothing is keyed
        low = x[..., : band.cutoff_bin(self.transform(band)), :]
        return torch.cat([low, self.estimate(x, [band] * len(x), first=low.shape[-2])], dim=-2)

    def mend(self, x: Tensor, band: Band, first: int = 0) -> Tensor:
        """See `Network.mend`."""
        return self.estimate(x, [band] * len(x), KeyedPhases(first))

    def expect(self, x: Tensor, band: Band) -> Tensor:
        """See `Network.expect`."""
        return fit_bins(self.envelope_of(self.look(x, [band] * len(x))), x.shape[-2]).square()

    def estimate(self, x: Tensor, bands: Sequence[Band], phases: Phases | None = None, first: int = 0) -> Tensor:
        """Estimate examples that have a band edge each.

        Args:
            x: complex spectra [B, C, F, N].
            bands: rates (one for all) and edges.
            phases: where the phases below the edges come from; None where nobody looks at them.
            first: bins below are left out.

        Returns:
            Complex [B, C, F − first, N]; what it holds below the edges is meaningless without `phases`.
        """
        look = self.look(x, bands)
        envelope = fit_bins(self.envelope_of(look), x.shape[-2])
        textures = (self._texture(*one, phases) for one in zip(x, look.level, bands, strict=True))
        return torch.stack([texture[:, first:] for texture in textures]) * envelope[:, None, first:]

    def look(self, x: Tensor, bands: Sequence[Band]) -> Look:
        """Complex spectra [B, C, F, N] → what the trunk sees of them."""
        bins = self.config.bins
        edges = torch.tensor([band.cutoff_bin(self.transform(band)) for band in bands], device=x.device).clamp_max(bins)
        is_given = (torch.arange(bins, device=x.device) < edges[:, None]).float()
        powers = fit_bins(power(x[..., :bins, :]).mean(dim=1), bins)
        level = smooth_frames(powers.mean(dim=1, keepdim=True), self.config.level_frames)
        log_power = relative_log(powers, level, ROUND_OFF)
        return Look(log_power, _views(log_power, edges, self.config.views), is_given, level)

    def envelope_of(self, look: Look) -> Tensor:
        """The trunk: what it sees → magnitude of all bins [B, bins, N]; exactly zero where the level is."""
        bins = (look.log_power - self.mean) / self.std
        views = (look.views - _VIEW_MEAN) / _VIEW_STD
        seen = self.see_bins(bins.mT) + self.see_views(views.mT) + self.see_edge(look.is_given)[:, None]
        log_power = self.envelope(self.trunk(seen)).float().mT * self.std + self.mean
        # what is made of sounds unlike music must not be loud
        log_power = torch.minimum(log_power, look.views.amax(dim=1, keepdim=True))
        magnitude: Tensor = torch.exp(0.5 * log_power) * look.level.sqrt()
        return magnitude

    def _texture(self, x: Tensor, level: Tensor, band: Band, phases: Phases | None) -> Tensor:
        """Spectra [C, F, N] and their level [1, N] → phases at the channels' share of the magnitude."""
        stft = self.transform(band)
        cutoff_bin = band.cutoff_bin(stft)
        above = self._copied_up(x, level, stft, cutoff_bin)
        below = x[..., :cutoff_bin, :]
        if phases is not None:
            below = phases(below, self.config.level_frames)
        return torch.cat([below, above], dim=-2)

    def _copied_up(self, x: Tensor, level: Tensor, stft: Stft, cutoff_bin: int) -> Tensor:
        bottom, top = (max(int(part * cutoff_bin), 1) for part in BALANCE_RANGE)
        shares = smooth_frames(power(x[..., bottom : top + 1, :]).mean(dim=-2, keepdim=True), self.config.level_frames)
        balance = shares / shares.mean(dim=0).clamp_min(TINY_POWER)
        copy = x.index_select(-2, patch_source(stft, cutoff_bin)[cutoff_bin:].to(x.device))
        powers = power(copy) + TEXTURE_FLOOR * shares + ROUND_OFF * level * balance
        return copy * (balance / powers.clamp_min(TINY_POWER)).sqrt()


@lru_cache(maxsize=16)
def _transform(sample_rate: int) -> Stft:
    wanted = HOP_S * sample_rate / 4
    nearest = sorted(range(1, 2 * math.ceil(wanted) + 1), key=lambda quarter: abs(quarter - wanted))
    hop = 4 * next(quarter for quarter in nearest if _largest_factor(quarter) <= LARGEST_FACTOR)
    return Stft(4 * hop, hop)


def _largest_factor(number: int) -> int:
    factor = 2
    while factor * factor <= number:
        number, factor = (number // factor, factor) if number % factor == 0 else (number, factor + 1)
    return number


def fit_bins(x: Tensor, bins: int) -> Tensor:
    """[B, F, N] cut off, or filled up with zeros, to [B, bins, N]."""
    return F.pad(x[:, :bins], (0, 0, 0, max(bins - x.shape[1], 0)))


def _views(log_power: Tensor, edges: Tensor, views: int) -> Tensor:
    """Means of [B, F, N] over bands that divide the bins below each edge [B] evenly: [B, views, N].

    Bands are a bin wide at least; between bins they are interpolated. Differences of running sums: autocast would round
    a product of matrices.
    """
    width = (edges / views)[:, None]
    centres = width * (torch.arange(views, device=edges.device) + 0.5)
    first = (centres - width.clamp_min(1) / 2).clamp_min(0)
    end = torch.minimum(centres + width.clamp_min(1) / 2, edges[:, None])
    # without their mean, sums stay small and exact
    mean = log_power.mean(dim=1, keepdim=True)
    sums = F.pad((log_power - mean).cumsum(dim=1), (0, 0, 1, 0))
    return (_interpolate(sums, end) - _interpolate(sums, first)) / (end - first)[..., None] + mean


def _interpolate(x: Tensor, position: Tensor) -> Tensor:
    """[B, F, N] at fractional bins [B, K] → [B, K, N]."""
    below = position.long().clamp_max(x.shape[1] - 2)
    at_below, at_above = (x.gather(1, bins[..., None].expand(-1, -1, x.shape[2])) for bins in (below, below + 1))
    return torch.lerp(at_below, at_above, (position - below)[..., None])
