"""Stereo magnitude autoencoders on STFT and constant-Q spectra (Miron & Davies 2018), two forms of one idea.

Chunks of 30 frames of both channels go in, and come out whole; they lie over each other by 10. The paper's text leaves
the shapes to figures that print no figures: sizes that are not in the text are said to be ours.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musr_models.contract import Band, Network, Output, silent
from musr_models.cqt import TAPER, Cqt
from musr_models.transforms import Stft, Transform, fade_out, power

SAMPLE_RATE = 44100
FRAMES = 30
"""Frames of a chunk (4.1.2: T)."""

OVERLAP = 10
"""Frames by which chunks lie over each other (4.1.2: O)."""

STEP = FRAMES - OVERLAP
TRANSFORMS: dict[str, Transform] = {"stft": Stft(1024, 512), "cqt": Cqt()}
_TINY = 1e-15
_ALL = slice(None)
_LN_10 = math.log(10)


@dataclass(frozen=True)
class AutoencoderConfig:
    """What both forms share.

    Attributes:
        transform: "stft" (Hann 1024/512) or "cqt" (48 bands an octave from 27.5 Hz on).
        cutoffs_hz: lowest and highest band edge in Hz; twice the same for a network of one edge.
        is_masked: what lies above the edge is not looked at. The published networks see what a Butterworth filter's
            slope leaves there.
        gain: β of the paper (4.1.2: 1 for the STFT, 4 for the CQT) where the given band's magnitudes have an RMS of 1.
            The paper takes recordings as loud as they are; below 4 kHz an STFT of music at −20 dBFS has an RMS of 5.
        filters: N of the paper.
        hidden: units between the dense layers; ours, so that the network has the parameters of the paper.
    """

    transform: Literal["stft", "cqt"] = "stft"
    cutoffs_hz: tuple[float, ...] = (3500.0, 3500.0)
    is_masked: bool = False
    gain: float = 5.0
    filters: int = 175
    hidden: int = 64


@dataclass(frozen=True)
class Look:
    """Chunks as the networks see them.

    Attributes:
        chunks: [K, C, rows, 30], scaled logarithms.
        level: RMS of the given band, [K, C, 1, 1].
        loudest: largest magnitude of each frame over `level`, [K, C, 1, 30].
    """

    chunks: Tensor
    level: Tensor
    loudest: Tensor


class Autoencoder(Network):
    """Estimates the magnitudes above the band edge from those below, both channels at once.

    The paper's networks know levels; ours see each chunk and channel relative to the level of its given band, so that
    ten decibels more of input are ten decibels more of output. Left and right are taken in both orders, and the mean
    of both counts: equal channels stay equal. A mono file is such a pair.
    """

    output = Output.MAGNITUDE
    default_phase = "band-limited"
    sample_rates = (SAMPLE_RATE,)
    is_joint = True
    scale: Tensor

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        self.cutoffs_hz = config.cutoffs_hz
        # largest value of the training data (4.1.2)
        self.register_buffer("scale", torch.ones(()))

    @abstractmethod
    def body(self, chunks: Tensor, first: int) -> Tensor:
        """Scaled logarithms [K, 2, rows, 30] → estimates of the rows from `first` on, [K, 2, rows − first, 30]."""

    @property
    def domain(self) -> Transform:
        """What `transform` returns for every band."""
        return TRANSFORMS[self.config.transform]

    def transform(self, band: Band) -> Transform:
        """The network's STFT or constant-Q transform."""
        del band
        return self.domain

    def align(self, band: Band) -> int:
        """Chunks of frames begin at multiples of 20 frames, or of a slice."""
        del band
        return math.lcm(self.domain.align, STEP * self.domain.hop)

    def context(self, band: Band) -> int:
        """The transform's reach; chunks of an STFT reach 30 frames further, those of slices stay inside."""
        del band
        return self.domain.reach + (0 if isinstance(self.domain, Cqt) else FRAMES * self.domain.hop)

    def look(self, spectrum: Tensor, first: Tensor, chosen: Tensor | slice = _ALL) -> Look:
        """Spectra [B, C, rows, N] with band edges at rows `first` [B] → their chunks, spectrum after spectrum.

        `chosen` are indices of the only chunks that are wanted.
        """
        powers = self.chunks(power(spectrum))
        first = first.repeat_interleave(len(powers) // len(first))
        powers, first = powers[chosen], first[chosen]
        is_given = torch.arange(powers.shape[-2], device=powers.device) < first[:, None]
        energy = (powers.sum(dim=-1) * is_given[:, None]).sum(dim=-1)
        level = (energy / (FRAMES * first[:, None]).clamp_min(1)).sqrt()[..., None, None]
        seen = powers * is_given[:, None, :, None] if self.config.is_masked else powers
        loudest = seen.amax(dim=-2, keepdim=True).sqrt() / level.clamp_min(_TINY)
        return Look(self._log(seen, level), level, loudest)

    def target(self, spectrum: Tensor, look: Look, chosen: Tensor | slice = _ALL) -> Tensor:
        """What `body` learns: the same chunks of the full-band spectra [B, C, rows, N], relative to the same levels."""
        return self._log(self.chunks(power(spectrum))[chosen], look.level)

    def forward(self, x: Tensor, band: Band, first: int = 0) -> Tensor:
        """Spectrum [B, C, rows, N] → magnitude, zero below the band edge; C is 1 or 2."""
        del first
        row = band.cutoff_bin(self.domain)
        if row >= self.domain.bins:
            return silent(x)
        is_mono = x.shape[1] == 1 or torch.equal(x[:, :1], x[:, 1:])
        seen = x[:, :1] if is_mono else x
        # a slice knows nothing of others: one after the other they take less memory, and less time
        *_, length = self._margins(x.shape[-1])
        high = torch.cat([self._estimate(part, row) for part in torch.split(seen, length, dim=-1)], dim=-1)
        if self.config.is_masked:
            # the published networks, for one filter, reach the Nyquist frequency
            high = high * fade_out(self.domain, SAMPLE_RATE)[row:].to(high.device)
        return F.pad(high.expand(-1, x.shape[1], -1, -1), (0, 0, row, 0))

    def _estimate(self, x: Tensor, row: int) -> Tensor:
        """Spectrum [B, C, rows, N] → magnitudes of the rows from `row` on."""
        look = self.look(x, torch.full((len(x),), row, device=x.device))
        logs = self._both_orders(look.chunks, row)
        # no frame's high band is louder than its loudest part (3.3)
        relative = (torch.expm1(logs * (self.scale * _LN_10)) / self.config.gain).clamp_min(0).minimum(look.loudest)
        return self.join(relative * look.level, x.shape[-1])

    def _both_orders(self, chunks: Tensor, row: int) -> Tensor:
        """Estimates of the rows from `row` on of chunks [K, C, rows, 30]; one channel is a pair of equal ones."""
        forwards = self.body(chunks.expand(-1, 2, -1, -1), row).float()
        if chunks.shape[1] == 1:
            return forwards.mean(dim=1, keepdim=True)
        return (forwards + self.body(chunks.flip(1), row).float().flip(1)) / 2

    def chunks(self, x: Tensor) -> Tensor:
        """[B, C, rows, N] → [K, C, rows, 30]; the first chunk begins 20 frames before the first frame."""
        before, after, length = self._margins(x.shape[-1])
        parts = torch.unflatten(x, -1, (-1, length)).movedim(-2, 1).flatten(0, 1)
        # a view where frames are left out, which padding by less than nothing would copy
        wanted = parts[..., -before : length + after] if before < 0 else F.pad(parts, (before, after))
        # rows before channels in memory, as a product over all that a row has wants them
        return wanted.unfold(-1, FRAMES, STEP).permute(0, 3, 2, 1, 4).flatten(0, 1).movedim(1, 2)

    def join(self, chunks: Tensor, frames: int) -> Tensor:
        """The inverse: chunks [K, C, rows, 30], faded over where they overlap, → [B, C, rows, frames]."""
        before, after, length = self._margins(frames)
        count = self.chunk_count(frames) // (frames // length)
        fade = (torch.arange(OVERLAP, device=chunks.device) + 0.5) / OVERLAP
        parts = torch.unflatten(chunks, 0, (-1, count))
        blocks = parts[..., :STEP].clone()
        blocks[..., :OVERLAP] *= fade
        blocks[:, 1:, ..., :OVERLAP] += parts[:, :-1, ..., STEP:] * (1 - fade)
        whole = F.pad(blocks.movedim(1, -2).flatten(-2), (-before, OVERLAP - after))
        return torch.unflatten(whole, 0, (-1, frames // length)).movedim(1, -2).flatten(-2)

    def chunk_count(self, frames: int) -> int:
        """Number of chunks of a spectrum of `frames` frames."""
        before, after, length = self._margins(frames)
        return frames // length * ((before + length + after - OVERLAP) // STEP)

    def _margins(self, frames: int) -> tuple[int, int, int]:
        """Frames added before and after each part, and its length: a part is a slice, or the whole of an STFT."""
        if isinstance(self.domain, Cqt):
            # what is faded out counts for nothing
            cut = (int(TAPER * self.domain.frames_per_slice) // STEP - 1) * STEP
            return -cut, -cut - OVERLAP, self.domain.frames_per_slice
        return STEP, OVERLAP + -frames % STEP, frames

    def _log(self, powers: Tensor, level: Tensor) -> Tensor:
        """log10(α + βX) with α = 1, between 0 and 1 (4.1.2)."""
        relative = powers.sqrt() * (self.config.gain / level.clamp_min(_TINY))
        return torch.log1p(relative) * (1 / (self.scale * _LN_10))


class Bottleneck(Autoencoder):
    """One horizontal convolution, one vertical, two dense layers, and the way back (3.3.1).

    As long as the chunk is the first kernel, as far as the second reaches are its steps (both ours): they are matrix
    products, and written as such.
    """

    KERNEL = 20
    """Rows of the vertical kernel, and from one to the next."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__(config)
        self.positions = -(-self.domain.bins // self.KERNEL)
        filters, maps = config.filters, self.positions * config.filters
        self.conv1, self.conv1_inverse = _there_and_back(2 * FRAMES, filters)
        self.conv2, self.conv2_inverse = _there_and_back(self.KERNEL * filters, filters)
        self.dense1, self.dense2 = _there_and_back(maps, config.hidden)

    def body(self, chunks: Tensor, first: int) -> Tensor:
        """See `Autoencoder.body`."""
        rows = chunks.shape[-2]
        padded = F.pad(chunks.movedim(1, 2).flatten(-2), (0, 0, 0, self.positions * self.KERNEL - rows))
        maps = F.relu(self.conv1(padded), inplace=True)
        maps = F.relu(self.conv2(torch.unflatten(maps, 1, (self.positions, -1)).flatten(-2)), inplace=True)
        maps = torch.relu(self.dense2(torch.relu(self.dense1(maps.flatten(1)))))
        maps = torch.unflatten(maps, 1, (self.positions, -1))
        # only what lies above the edge is wanted
        start = first // self.KERNEL
        maps = F.relu(self.conv2_inverse(maps[:, start:]), inplace=True)
        maps = torch.unflatten(maps, -1, (self.KERNEL, -1)).flatten(1, 2)
        wanted = maps[:, first - start * self.KERNEL : rows - start * self.KERNEL]
        return torch.unflatten(self.conv1_inverse(wanted), -1, (2, FRAMES)).movedim(2, 1)


class Stride2(Autoencoder):
    """Six convolutions in strides of two, two dense layers, and the way back (3.3.2).

    Four of (1, 5) along frequency, F_k = (F_{k−1} − 5) / 2 + 1, two of (3, 3) along both. The paper names no dense
    layers here; without them the network would have 0.1 of its 1.8 million parameters.
    """

    KERNELS = ((5, 1), (5, 1), (5, 1), (5, 1), (3, 3), (3, 3))
    """Rows and frames."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__(config)
        channels = (2, *(config.filters for _ in self.KERNELS))
        size = (self.domain.bins, FRAMES)
        self.sizes: list[tuple[int, int]] = []
        self.convs, self.inverses = nn.ModuleList(), nn.ModuleList()
        for (given, made), kernel in zip(pairwise(channels), self.KERNELS, strict=True):
            stride = (2, 2 if kernel[1] > 1 else 1)
            self.sizes.append(size)
            size = ((size[0] - kernel[0]) // stride[0] + 1, (size[1] - kernel[1]) // stride[1] + 1)
            self.convs.append(nn.Conv2d(given, made, kernel, stride))
            # what may be missing at the end, and is cut off where it is not
            spare = (stride[0] - 1, stride[1] - 1)
            self.inverses.insert(0, nn.ConvTranspose2d(made, given, kernel, stride, output_padding=spare))
        self.smallest = (config.filters, *size)
        self.dense1, self.dense2 = _there_and_back(config.filters * size[0] * size[1], config.hidden)

    def body(self, chunks: Tensor, first: int) -> Tensor:
        """See `Autoencoder.body`."""
        maps = chunks.to(memory_format=torch.channels_last)
        for conv in self.convs:
            maps = F.relu(conv(maps), inplace=True)
        maps = torch.unflatten(self.dense2(torch.relu(self.dense1(maps.flatten(1)))), 1, self.smallest)
        starts = self._starts(first)
        maps = maps[:, :, starts[0] :].contiguous(memory_format=torch.channels_last)
        for inverse, (start, wanted), size in zip(self.inverses, pairwise(starts), self.sizes[::-1], strict=True):
            maps = inverse(F.relu(maps, inplace=True))[:, :, wanted - 2 * start : size[0] - 2 * start, : size[1]]
        return maps

    def _starts(self, first: int) -> list[int]:
        """From which row on the maps in front of each inverse, and the estimate, are wanted: the edge's and above."""
        starts = [first]
        for (kernel, _), (rows, _) in zip(self.KERNELS, self.sizes, strict=True):
            last = (rows - kernel) // 2
            starts.insert(0, min(max(-(-(starts[0] - kernel + 1) // 2), 0), last))
        return starts


def _there_and_back(wide: int, narrow: int) -> tuple[nn.Linear, nn.Linear]:
    return nn.Linear(wide, narrow), nn.Linear(narrow, wide)
