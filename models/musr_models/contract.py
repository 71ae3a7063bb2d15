"""What every network promises the engine, so that the engine never knows a network by name.

A network estimates what is missing above a band edge, and nothing else: resampling, phase, blending and
files belong to the engine. It sees either a waveform or, where it names a transform, that transform's spectrum.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

import torch
from torch import Tensor, nn

from musr_models.transforms import Transform


class ModelError(Exception):
    """A model, variant or checkpoint that cannot be used; the message is one line that names the way out."""


class Output(str, Enum):
    """What `Network.forward` returns."""

    WAVEFORM = "waveform"
    COMPLEX = "complex"
    MAGNITUDE = "magnitude"


@dataclass(frozen=True)
class Band:
    """The band that a signal still has, inside the rate at which it is restored.

    Attributes:
        sample_rate: rate in Hz of the signal that the network sees and returns.
        cutoff_hz: band edge, the −12 dB point of the long-term response, in Hz.
    """

    sample_rate: int
    cutoff_hz: float

    @property
    def ratio(self) -> float:
        """Super-resolution factor: sample_rate / (2 · cutoff_hz)."""
        return self.sample_rate / (2 * self.cutoff_hz)

    @property
    def simple_ratio(self) -> Fraction:
        """`ratio` as a fraction with a small denominator (16 kHz → 44.1 kHz stays exact: 441/160)."""
        return Fraction(self.ratio).limit_denominator(320)

    def cutoff_bin(self, transform: Transform) -> int:
        """First bin that counts as missing: the one after the band edge."""
        return transform.first_above(self.cutoff_hz, self.sample_rate)


class Network(nn.Module, ABC):
    """Estimates the missing band of a signal.

    The same input gives the same output wherever a chunk begins: no statistics of the chunk, no unkeyed randomness.
    Channels share weights. They are independent, or estimated together with those that are handed in with them
    (`is_joint`). Estimates of spectral networks scale with their input, so that a source panned anywhere keeps its
    place: its channels differ by a gain only, and so do their estimates.

    Attributes:
        output: what `forward` returns.
        default_phase: name of the phase source used where the user names none ("native": the network's own).
        sample_rates: rates in Hz at which it may run; empty for any.
        ratio: the one super-resolution factor it was trained for (± 5 %); None for any.
        cutoffs_hz: lowest and highest band edge in Hz that it was trained for (± 150 Hz); empty for any.
        is_joint: the estimate of a channel depends on those that are handed in with it.
        can_mend: it estimates the given band too, and so knows what is missing from it (`mend`).
    """

    output: Output = Output.WAVEFORM
    default_phase: str = "native"
    sample_rates: tuple[int, ...] = ()
    ratio: float | None = None
    cutoffs_hz: tuple[float, ...] = ()
    is_joint: bool = False
    can_mend: bool = False

    def transform(self, band: Band) -> Transform | None:
        """The transform whose spectrum `forward` takes; None where it takes the waveform."""
        del band
        return None

    @abstractmethod
    def context(self, band: Band) -> int:
        """Samples on each side that one output sample depends on, transform included."""

    def align(self, band: Band) -> int:
        """Chunks must start at multiples of this many samples (grid of the transform, or of the network)."""
        transform = self.transform(band)
        return transform.align if transform else 1

    @abstractmethod
    def forward(self, x: Tensor, band: Band, first: int = 0) -> Tensor:
        """Estimate the full-band signal.

        Args:
            x: waveform [B, C, T], or complex spectrum [B, C, F, N] where `transform` names one; float32 / complex64.
            band: rate and band edge of `x`.
            first: absolute index, in the file, of the first sample (waveform) or frame (spectrum) of `x`.

        Returns:
            The same shape: waveform, complex spectrum or (real, non-negative) magnitude as `output` says.
            What it holds below the band edge is ignored.
        """

    def mend(self, x: Tensor, band: Band, first: int = 0) -> Tensor:
        """Estimate the whole signal, the given band included; only where `can_mend`. See `forward`.

        Args:
            x: complex spectrum [B, C, F, N].
            band: rate and band edge of `x`; the edge is a hint, and the Nyquist frequency where nobody knows it.
            first: absolute index, in the file, of the first frame.
        """
        raise NotImplementedError

    def expect(self, x: Tensor, band: Band) -> Tensor:
        """Power that every bin should have, mean of the channels [B, F, N]; only where `can_mend`. See `mend`."""
        raise NotImplementedError


def silent(x: Tensor) -> Tensor:
    """A result of zeros shaped like `x` and real: what every network gives for digital silence."""
    return torch.zeros(x.shape, dtype=torch.float32, device=x.device)
