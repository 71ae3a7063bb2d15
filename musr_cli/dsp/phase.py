"""Phase for magnitude estimates: where the phase of the missing band comes from.

Every source takes magnitudes of the bins from `Observed.low` up and returns them as a complex spectrum. What it does
at a frame depends on that frame (and on `context` samples around it), never on where a chunk begins; channels share
every random number, so that a source panned anywhere stays where it is.

A new source is one class here or in a file of its own, and one entry in `phases.PHASES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from musr_models.contract import Band
from musr_models.transforms import Stft, Transform, power

FLOOR_DB = -90.0
"""Level, against the strongest bin of the frame, below which a bin is round-off and its phase means nothing."""

_PHASE_STEPS = 4096
_TINY_POWER = 1e-37


@dataclass(frozen=True)
class Observed:
    """What a phase source may look at.

    Attributes:
        signal: the band-limited input [B, C, T].
        spectrum: its complex spectrum [B, C, F, N].
        band: rate and band edge of the input.
        transform: the transform of `spectrum`.
        low: first bin that needs a phase; the band below is the input's own.
        first: absolute index, in the file, of the first frame.
        seed: of everything random.
    """

    signal: Tensor
    spectrum: Tensor
    band: Band
    transform: Transform
    low: int
    first: int
    seed: int

    @property
    def stft(self) -> Stft:
        """The transform, for sources that know no other (`PhaseSource.refuse`)."""
        if not isinstance(self.transform, Stft):
            raise TypeError(f"{self.transform}: not a short-time Fourier transform")
        return self.transform

    @property
    def mirror(self) -> int:
        """Last bin of the low band, about which spectra are reflected (bin 128 of 257 in Dai et al.).

        At the edge that the input really has: between a resampler's edge and the Nyquist frequency of the low rate lies
        nothing but leakage, whose phases cancel (measured: a hole of 12 dB above a mirror at the Nyquist frequency).
        """
        return max(self.band.cutoff_bin(self.transform) - 1, 1)


class PhaseSource(ABC):
    """One way to give magnitudes a phase.

    Attributes:
        coherent: the phase is that of the input in the same bin, so what is added to the input adds up in amplitude.
        replaces_all: the given band gets new phases too, and the output is no longer the input there.
        takes_any_transform: it does not need bins of equal width.
    """

    coherent: bool = False
    replaces_all: bool = False
    takes_any_transform: bool = False

    def context(self, transform: Transform, band: Band) -> int:
        """Samples on each side, beyond those of the network, that one output sample depends on."""
        del transform, band
        return 0

    def align(self, band: Band) -> int:
        """Chunks must start at multiples of this many samples."""
        del band
        return 1

    def transform(self, band: Band) -> Transform | None:
        """The transform that suits the source, for networks that have none; None where any will do."""
        del band
        return None

    def refuse(self, transform: Transform, band: Band) -> str | None:
        """Why the source cannot work with spectra of this transform, or at this rate; None where it can."""
        del band
        if isinstance(transform, Stft) or self.takes_any_transform:
            return None
        return "it works on bins of equal width (STFT), and those of this model are not"

    @abstractmethod
    def apply(self, magnitude: Tensor, observed: Observed) -> Tensor:
        """Magnitude [B, C, F − low, N] → complex spectrum of the same shape, bins from `observed.low` up."""


class Flip(PhaseSource):
    """Mirror of the low band's phase about the band edge (Dai et al. 2021, III-A): bin 128 + k takes that of 128 − k.

    For × 4 the low band does not reach far enough: the mirror image is reflected again at every multiple of the edge.
    The unsigned mirror is the paper's. It turns frequencies within a bin backwards: a tone a third of a bin above its
    bin's centre becomes one a third above, where the mirror image of its magnitudes lies a third below. With half a
    window as hop, as in the paper, frames still mostly agree; with a quarter they cancel (−0.9 and −3.5 dB measured).
    """

    def apply(self, magnitude: Tensor, observed: Observed) -> Tensor:
        """See `PhaseSource.apply`."""
        return magnitude * _phasors(observed, self._reflected(observed))

    @staticmethod
    def _reflected(observed: Observed) -> Tensor:
        """Source bin of each bin from `low` up: 0 … m … 0 … m …, m the mirror."""
        bins = torch.arange(observed.low, observed.stft.bins)
        around = bins % (2 * observed.mirror)
        return torch.minimum(around, 2 * observed.mirror - around)


class FlipConjugate(Flip):
    """Mirror with conjugation, which is what a spectrum reflected by modulation has: frequencies run forwards.

    A signal modulated by 2 · edge has, above the edge, the conjugate mirror image of its low band. Odd reflections
    are conjugate, even ones (× 4) the right way round again; each carries its modulator's phase at the frame's start.
    """

    def apply(self, magnitude: Tensor, observed: Observed) -> Tensor:
        """See `PhaseSource.apply`."""
        bins = torch.arange(observed.low, observed.stft.bins, device=magnitude.device)
        odd = (bins // observed.mirror % 2 == 1)[:, None]
        phasors = _phasors(observed, self._reflected(observed))
        forwards = torch.where(odd, phasors.conj(), phasors)
        return magnitude * (forwards * self._modulators(bins, observed))

    @staticmethod
    def _modulators(bins: Tensor, observed: Observed) -> Tensor:
        """Phase [bins, N] of the modulators 2 · edge · ⌈reflections / 2⌉ where each frame starts."""
        stft, frames = observed.stft, observed.spectrum.shape[-1]
        shift = 2 * observed.mirror * ((bins // observed.mirror + 1) // 2)
        starts = (observed.first + torch.arange(frames, device=bins.device)) * stft.hop - stft.n_fft // 2
        turns = (shift[:, None] * starts) % stft.n_fft
        return torch.polar(torch.ones((), device=bins.device), turns * (2 * torch.pi / stft.n_fft))


class BandLimited(PhaseSource):
    """The phase that the band-limited input itself has in its missing band (Miron & Davies 2018, 3.5 and figure 1b).

    Filters with a slope leave something there to take it from. Where they leave only round-off, the phase is random. It
    is read through a Hann window whatever the transform: a Hamming window leaks the low band into every bin at −50 dB,
    with phases that cancel between frames (measured: a sharply cut band came out 10 to 15 dB too quiet).
    """

    coherent = True
    takes_any_transform = True

    def apply(self, magnitude: Tensor, observed: Observed) -> Tensor:
        """See `PhaseSource.apply`."""
        if isinstance(observed.transform, Stft) and observed.transform.window != "hann":
            stft = replace(observed.transform, window="hann")
            observed = replace(observed, transform=stft, spectrum=stft.analyse(observed.signal))
        return magnitude * _phasors(observed, torch.arange(observed.low, observed.transform.bins))


class Random(PhaseSource):
    """Uniformly random phase, keyed by absolute frame, bin and seed (the comparison in Miron & Davies 2018, 4.2)."""

    takes_any_transform = True

    def apply(self, magnitude: Tensor, observed: Observed) -> Tensor:
        """See `PhaseSource.apply`."""
        return magnitude * _random_phasors(observed)


class Native(PhaseSource):
    """The phase that a complex network gives its own estimate; random below the bin from which that counts.

    Args:
        estimate: complex spectrum [B, C, F, N].
        cutoff_bin: first bin that was estimated.
    """

    def __init__(self, estimate: Tensor, cutoff_bin: int) -> None:
        self._estimate, self._cutoff_bin = estimate, cutoff_bin

    def apply(self, magnitude: Tensor, observed: Observed) -> Tensor:
        """See `PhaseSource.apply`."""
        below = self._cutoff_bin - observed.low
        phased = magnitude * unit_phasors(self._estimate[..., observed.low :, :])
        if below:
            phased[..., :below, :] = magnitude[..., :below, :] * _random_phasors(observed)[:below]
        return phased


class GriffinLim(PhaseSource):
    """Iterated projection onto spectra that signals can have (Griffin & Lim 1984), from the flipped phase.

    The low band is known and stays fixed, so only the missing band moves. A reference: slow, and it needs much context.
    """

    iterations = 32

    def context(self, transform: Transform, band: Band) -> int:
        """Each iteration reaches one window further."""
        del band
        return self.iterations * transform.reach

    def apply(self, magnitude: Tensor, observed: Observed) -> Tensor:
        """See `PhaseSource.apply`."""
        stft, known = observed.stft, observed.spectrum[..., : observed.low, :]
        samples = (magnitude.shape[-1] - 1) * stft.hop
        missing = Flip().apply(magnitude, observed)
        for _ in range(self.iterations):
            signal = stft.synthesise(torch.cat([known, missing], dim=-2), samples)
            missing = magnitude * unit_phasors(stft.analyse(signal)[..., observed.low :, :])
        return missing


def unit_phasors(spectrum: Tensor) -> Tensor:
    """exp(j · phase); 0 where the spectrum is 0."""
    return spectrum * power(spectrum).clamp_min(_TINY_POWER).rsqrt()


def _phasors(observed: Observed, bins: Tensor) -> Tensor:
    """Unit phasors [B, C, len(bins), N] of the input in `bins`; random ones where it has only round-off there."""
    powers = power(observed.spectrum)
    floor = powers.amax(dim=-2, keepdim=True) * 10 ** (FLOOR_DB / 10)
    bins = bins.to(powers.device)
    source, level = observed.spectrum.index_select(-2, bins), powers.index_select(-2, bins)
    phasors = source * level.clamp_min(_TINY_POWER).rsqrt()
    audible = level > floor
    return phasors if bool(audible.all()) else torch.where(audible, phasors, _random_phasors(observed))


def _random_phasors(observed: Observed) -> Tensor:
    """Phasors [F − low, N] keyed by place, bin and seed, of the magnitude that keeps their power."""
    if not isinstance(observed.transform, Stft):
        return _noise_phasors(observed)
    stft, device = observed.transform, observed.spectrum.device
    frames = observed.first + np.arange(observed.spectrum.shape[-1])
    phasors = _keyed(frames[None, :], np.arange(observed.low, stft.bins)[:, None], observed.seed)
    # overlapping frames of random phase do not interfere: of their power the inverse keeps hop / n_fft
    scaled: Tensor = torch.from_numpy(phasors).to(device) * (stft.n_fft / stft.hop) ** 0.5
    return scaled


def _noise_phasors(observed: Observed) -> Tensor:
    """Unit phasors of white noise, keyed by absolute sample: where slices cross-fade they have the same phases."""
    start = observed.first * observed.transform.hop
    samples = start + np.arange(observed.signal.shape[-1])
    noise = torch.from_numpy(_keyed(samples, np.zeros(1, np.int64), observed.seed).real)
    return unit_phasors(observed.transform.analyse(noise.to(observed.signal.device), observed.low))


def _keyed(frames: NDArray[np.int64], bins: NDArray[np.int64], seed: int) -> NDArray[np.complex64]:
    """Random points on the unit circle."""
    steps = _hash(frames, bins, seed) % np.uint64(_PHASE_STEPS)
    return np.asarray(_circle().take(steps.astype(np.int64)))


@lru_cache(maxsize=1)
def _circle() -> NDArray[np.complex64]:
    return np.asarray(np.exp(2j * np.pi * np.arange(_PHASE_STEPS) / _PHASE_STEPS), np.complex64)


def _hash(frames: NDArray[np.int64], bins: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """Counter-based random bits: splitmix64 (Steele, Lea & Flood 2014) of a key made of frame, bin and seed."""
    key = np.array([seed % 2**64], dtype=np.uint64) * np.uint64(0xD1342543DE82EF95)
    bits = frames.astype(np.int64).view(np.uint64) * np.uint64(0x9E3779B97F4A7C15) ^ key
    bits = _mix(bits) + bins.astype(np.int64).view(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return _mix(bits)


def _mix(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
