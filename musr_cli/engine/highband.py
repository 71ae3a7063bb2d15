"""From a chunk of the input to what it lacks: network, phase, blend. The only place where networks are run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from musr_cli.dsp.blend import Blender
from musr_cli.dsp.phase import Native, Observed, PhaseSource
from musr_models.contract import Band, Network
from musr_models.holes import GATE, HOLE_GATE, beyond
from musr_models.transforms import Stft, Transform, power

CHANNELS_AT_ONCE = 2
"""Channels that pass the network together: more than stereo takes no more memory than stereo does.

Neighbours in the usual orders are pairs: left and right, centre and low frequencies, the two surrounds."""

FOREIGN_WINDOW_S = 0.04
"""Window of the transform in which a phase source works for a network that has none."""


@dataclass(frozen=True)
class Arithmetic:
    """Where and how networks are run."""

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    is_bf16: bool = False


class HighBand:
    """Estimates the missing band of a signal, chunk by chunk; add the result to the signal and it is whole.

    Args:
        network: what estimates.
        band: what the network is told about the input.
        blender: high-pass at the input's edge.
        phase: where magnitudes take their phase from; None for the network's own.
        arithmetic: device and precision.
        seed: of random phases.
        mends: add what is missing anywhere, bin by bin and frame by frame, and not only above the edge.

    Attributes:
        context: samples per side that an output sample depends on.
        align: chunks must begin at multiples of it.
        is_bf16: the network runs in bf16.
    """

    def __init__(
        self,
        network: Network,
        band: Band,
        blender: Blender,
        phase: PhaseSource | None = None,
        arithmetic: Arithmetic | None = None,
        seed: int = 0,
        mends: bool = False,
    ) -> None:
        arithmetic = arithmetic or Arithmetic()
        self._device = arithmetic.device
        # a network without trained layers has little to multiply, and interpolation needs every bit
        self.is_bf16 = arithmetic.is_bf16 and any(True for _ in network.parameters())
        self._network = network.eval().to(self._device)
        self._band, self._blender, self._phase, self._seed, self._mends = band, blender, phase, seed, mends
        own = network.transform(band)
        self._sees_spectrum = own is not None
        self._transform = own or (phase.transform(band) or foreign_transform(network, band) if phase else None)
        self.context = network.context(band) + blender.context + self._phase_context()
        self.align = math.lcm(
            network.align(band), self._transform.align if self._transform else 1, phase.align(band) if phase else 1
        )

    def __call__(self, x: NDArray[Any], start: int) -> NDArray[np.float32]:
        """What is missing.

        Args:
            x: chunk [C, n] with its context; n ≥ 1, and long enough for the context of whatever is used of the result.
            start: absolute number of its first sample, a multiple of `align`.

        Returns:
            [C, n]; exactly zero where the input is digital silence for `context` samples on both sides.
        """
        missing = np.zeros(x.shape, np.float32)
        for first in range(0, len(x), CHANNELS_AT_ONCE):
            channels = slice(first, first + CHANNELS_AT_ONCE)
            if x[channels].any():
                missing[channels] = self._restore(x[channels].astype(np.float32, copy=False), start)
        for silence in self._silences(x):
            missing[silence] = 0.0
        return missing

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """Where the bins of `expect` lie [F], in Hz."""
        return self._own_transform.frequencies(self._band.sample_rate)

    @property
    def _own_transform(self) -> Transform:
        if self._transform is None:
            raise TypeError("a network without a transform has no bins")
        return self._transform

    @torch.inference_mode()
    def expect(self, x: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
        """Mean powers of the channels of [C, n], and those that the network expects; [F, N] both."""
        spectrum = self._own_transform.analyse(torch.from_numpy(x)[None].to(self._device))
        with self._precision():
            expected = self._network.expect(spectrum, self._band)[0]
        return power(spectrum)[0].mean(dim=0), expected.float()

    @torch.inference_mode()
    def _restore(self, x: NDArray[np.float32], start: int) -> NDArray[np.float32]:
        signal = torch.from_numpy(x)[None].to(self._device)
        missing = self._estimate(signal, start)
        if not (self._phase and self._phase.replaces_all):
            missing = self._blender.highpass(missing)
        return np.asarray(missing[0].cpu().numpy())

    def _estimate(self, signal: Tensor, start: int) -> Tensor:
        """What is missing [1, C, T], before the high-pass."""
        if self._transform is None:
            return self._run(signal, start) - signal
        # a call of its own, so that the spectra it needs are gone when the inverse needs the memory
        return self._transform.synthesise(self._missing_spectrum(signal, start, self._transform), signal.shape[-1])

    def _missing_spectrum(self, signal: Tensor, start: int, transform: Transform) -> Tensor:
        first = start // transform.hop
        spectrum = transform.analyse(signal)
        if self._mends:
            above = torch.arange(transform.bins, device=self._device)[:, None] >= self._band.cutoff_bin(transform)
            return beyond(self._run(spectrum, first), spectrum, torch.where(above, GATE, HOLE_GATE))
        estimate = self._run(spectrum, first) if self._sees_spectrum else transform.analyse(self._run(signal, start))
        if self._phase and self._phase.replaces_all:
            return self._phase.apply(estimate.abs(), self._observe(signal, spectrum, transform, 0, first)) - spectrum
        return self._shape(estimate, signal, spectrum, transform, first)

    def _run(self, x: Tensor, first: int) -> Tensor:
        with self._precision():
            run = self._network.mend if self._mends else self._network
            estimate: Tensor = run(x, self._band, first)
        return estimate if estimate.is_complex() else estimate.float()

    def _precision(self) -> AbstractContextManager[object]:
        # not even a disabled autocast on devices that have none
        return torch.autocast(self._device.type, dtype=torch.bfloat16) if self.is_bf16 else nullcontext()

    def _shape(self, estimate: Tensor, signal: Tensor, spectrum: Tensor, transform: Transform, first: int) -> Tensor:
        """Estimated spectrum → complex spectrum of what the input lacks."""
        cutoff_bin = min(self._estimated_band.cutoff_bin(transform), transform.bins - 1)
        coherent = self._phase is not None and self._phase.coherent
        magnitude = estimate.abs() if estimate.is_complex() else estimate
        missing = self._blender.missing(magnitude, spectrum, transform, cutoff_bin, coherent)
        observed = self._observe(signal, spectrum, transform, missing.low, first)
        phased = (self._phase or Native(estimate, cutoff_bin)).apply(missing.magnitude, observed)
        return self._blender.assemble(missing, phased, transform)

    def _observe(self, signal: Tensor, spectrum: Tensor, transform: Transform, low: int, first: int) -> Observed:
        edge = Band(self._band.sample_rate, self._blender.cutoff_hz)
        return Observed(signal, spectrum, edge, transform, low, first, self._seed)

    @property
    def _estimated_band(self) -> Band:
        """Where the estimate begins: a network of one ratio has none below its own edge, wherever the input's is."""
        nominal_hz = self._band.sample_rate / (2 * self._network.ratio) if self._network.ratio else 0.0
        return Band(self._band.sample_rate, max(self._band.cutoff_hz, nominal_hz))

    def _phase_context(self) -> int:
        if self._phase is None or self._transform is None:
            return 0
        foreign = 0 if self._sees_spectrum else self._transform.reach
        return self._phase.context(self._transform, self._band) + foreign

    def _silences(self, x: NDArray[Any]) -> Iterator[tuple[int, slice]]:
        """Channel and samples where nothing but silence is heard within the context; what is computed is round-off."""
        # a run of zeros that is long enough holds one of these samples, which is quicker to see
        if x[:, :: self.context + 1].all():
            return
        for channel, samples in enumerate(x):
            # nothing is heard beyond the ends of the chunk
            heard = np.concatenate([[-self.context - 1], np.flatnonzero(samples), [len(samples) + self.context]])
            for last in np.flatnonzero(np.diff(heard) > 2 * self.context + 1):
                yield channel, slice(heard[last] + self.context + 1, heard[last + 1] - self.context)


def foreign_transform(network: Network, band: Band) -> Stft:
    """The STFT in which phase sources work for a network that has none: a Hann window of about `FOREIGN_WINDOW_S`.

    The hop is half a window, where every phase source keeps the level (with a quarter, a flipped phase loses 3 dB), and
    a multiple or a divisor of the network's own grid, so that the two do not multiply.
    """
    wanted, align = 1 << round(math.log2(FOREIGN_WINDOW_S * band.sample_rate / 2)), network.align(band)
    if align <= wanted:
        hop = align * round(wanted / align)
    else:
        divisors = [part for part in range(1, align + 1) if align % part == 0]
        hop = min(divisors, key=lambda part: abs(math.log(part / wanted)))
    return Stft(2 * hop, hop)
