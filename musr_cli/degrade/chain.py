"""What `musr degrade` does to a file: a low-pass, a lower rate, a codec, each if asked for, in this order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musr_cli.audio.resampling import MINUS_12_DB, StreamResampler
from musr_cli.degrade.degradation import FAMILIES, Degradation, check, edge, sample
from musr_cli.degrade.streaming import apply_blocks
from musr_cli.dsp.filters import IIR_FAMILIES
from musr_cli.errors import UsageError


@dataclass(frozen=True)
class Wish:
    """What the user asks for; what is None is drawn where a low-pass needs it.

    Attributes:
        family: of the low-pass.
        order: of the low-pass.
        cutoff_hz: nominal cutoff of the low-pass in Hz.
        causal: filter forwards only.
        rate: of the output in Hz, at most the input's.
        codec: a key of `musr_cli.degrade.codecs.CODECS`.
        bitrate_kbps: of the codec, for two channels.
    """

    family: str | None = None
    order: int | None = None
    cutoff_hz: float | None = None
    causal: bool = False
    rate: int | None = None
    codec: str | None = None
    bitrate_kbps: float = 128.0

    def draw(self, seed: int, sample_rate: int) -> Chain:
        """The chain for a file at `sample_rate`; without any wish a random low-pass.

        Raises:
            UsageError: a contradiction, or what cannot be done at this rate.
        """
        codec = Degradation(self.codec, bitrate_kbps=self.bitrate_kbps) if self.codec else None
        chain = Chain(sample_rate, self._lowpass(seed, sample_rate), self.rate or sample_rate, codec)
        chain.check()
        return chain

    def _lowpass(self, seed: int, sample_rate: int) -> Degradation | None:
        is_filter = self.order is not None or self.causal
        if not (self.family or self.cutoff_hz or is_filter) and (self.rate or self.codec):
            return None
        families = (self.family,) if self.family else IIR_FAMILIES if is_filter else FAMILIES
        drawn = sample(seed, sample_rate, families=families)
        order = drawn.order if self.order is None else self.order
        return replace(drawn, order=order, cutoff_hz=self.cutoff_hz or drawn.cutoff_hz, causal=self.causal)


@dataclass(frozen=True)
class Chain:
    """Steps from a signal at `sample_rate` to a poorer one at `output_rate`, in Hz."""

    sample_rate: int
    lowpass: Degradation | None
    output_rate: int
    codec: Degradation | None

    def check(self) -> None:
        """Refuse, in one line, what cannot be done."""
        if not 0 < self.output_rate <= self.sample_rate:
            raise UsageError(
                f"--rate {self.output_rate}: must be above 0 and at most the input's {self.sample_rate} Hz"
            )
        if self.lowpass:
            check(self.lowpass, self.sample_rate)
        if self.codec:
            check(self.codec, self.output_rate)

    def apply(self, blocks: Iterable[NDArray[np.floating]], channels: int) -> Iterator[NDArray[np.floating]]:
        """Blocks [C, n] in, blocks at the output rate out."""
        if self.lowpass:
            blocks = apply_blocks(blocks, self.sample_rate, channels, self.lowpass)
        blocks = _resampled(blocks, self.sample_rate, self.output_rate, channels)
        if self.codec:
            blocks = apply_blocks(blocks, self.output_rate, channels, self.codec)
        yield from blocks

    def edge_hz(self) -> float:
        """The −12 dB point of what is left, in Hz: that of the step that takes most."""
        edges = [edge(self.lowpass, self.sample_rate)] if self.lowpass else []
        if self.output_rate < self.sample_rate:
            edges.append(MINUS_12_DB * self.output_rate / 2)
        if self.codec:
            edges.append(edge(self.codec, self.output_rate))
        return min(edges, default=self.sample_rate / 2)

    def describe(self) -> str:
        """In a few words, for people."""
        parts = [step.describe() for step in (self.lowpass, self.codec) if step]
        if self.output_rate < self.sample_rate:
            parts.insert(bool(self.lowpass), f"{self.output_rate} Hz")
        return ", ".join(parts) or "nothing taken away"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "sample_rate": self.output_rate,
            "lowpass": self.lowpass.to_dict() if self.lowpass else None,
            "codec": self.codec.to_dict() if self.codec else None,
            "edge_hz": round(self.edge_hz(), 1),
        }


def _resampled(
    blocks: Iterable[NDArray[np.floating]], in_rate: int, out_rate: int, channels: int
) -> Iterator[NDArray[np.floating]]:
    stream = StreamResampler(in_rate, out_rate, channels)
    for block in blocks:
        yield stream.push(block)
    yield stream.finish()
