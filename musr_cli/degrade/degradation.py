"""How music loses its high frequencies: parameters drawn from a seed, and what they do to a signal.

The seven low-pass families are those of Zhang et al. 2024, section 3.2: five recursive filters of order 6 to 10,
subsampling (scipy's resample_poly, images included) and zeroed STFT bins. "resample" is a clean change of rate, for
networks of one fixed ratio; codecs take away what they think nobody hears.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musr_cli.audio.resampling import resample
from musr_cli.degrade.codecs import CODECS, round_trip
from musr_cli.dsp.filters import IIR_FAMILIES, edge_of, filter_sections, lowpass_sections, sections_response
from musr_cli.errors import UsageError

FAMILIES = (*IIR_FAMILIES, "subsampling", "stft")
"""The seven low-pass families of Zhang et al. 2024."""

RESAMPLE = "resample"
ALL_FAMILIES = (*FAMILIES, RESAMPLE, *CODECS)

ORDERS = (6, 10)
"""Lowest and highest filter order of Zhang et al. 2024, section 3.2."""

LOWEST_CUTOFF_HZ = 20.0
"""Below, nothing that one hears would be left, and the arithmetic of high orders fails."""

BITRATES_KBPS = (32.0, 192.0)
"""Lowest and highest bitrate that `sample` draws for codecs, for two channels."""

STFT_LENGTH = 2048
STFT_HOP = 512

_SUBSAMPLING_DENOMINATOR = 160
_HIGHEST_SHARE = 0.95
_PROBE_SAMPLES = 8192
_PROBE_POSITIONS = 7 * np.arange(16)
_PROBE_FRAMES = 32
_SMOOTHING = 2

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Degradation:
    """One way to lose a high band: everything `apply` needs, nothing random left.

    Attributes:
        family: one of `ALL_FAMILIES`.
        cutoff_hz: nominal cutoff in Hz (see `edge`), half the low rate for "subsampling", "resample"; not for codecs.
        order: filter order of one pass; only recursive families have one.
        causal: filter forwards only, which shifts phase, also below the edge; only for recursive families.
        bitrate_kbps: for two channels; only codecs have one.
    """

    family: str
    cutoff_hz: float | None = None
    order: int | None = None
    causal: bool = False
    bitrate_kbps: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON or TOML; what does not apply is left out."""
        return {name: value for name, value in asdict(self).items() if value}

    def describe(self) -> str:
        """In a few words, for people."""
        if self.bitrate_kbps:
            return f"{self.family} {self.bitrate_kbps:g} kbit/s"
        order = f" of order {self.order}" if self.order else ""
        return f"{'causal ' if self.causal else ''}{self.family}{order} at {self.cutoff_hz:g} Hz"

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Degradation:
        """The inverse of `to_dict`."""
        return cls(**values)


def sample(
    seed: int | Sequence[int],
    sample_rate: int,
    *,
    families: Sequence[str] = FAMILIES,
    cutoff_hz: tuple[float, float] = (2000.0, 16000.0),
    orders: tuple[int, int] = ORDERS,
) -> Degradation:
    """Draw a degradation: family, order and cutoff are uniform, and the same seed gives the same one.

    Args:
        seed: any non-negative integer, or several (seed, worker, step).
        sample_rate: rate in Hz of what will be degraded; cutoffs stay below 0.95 of its Nyquist frequency.
        families: names to choose from.
        cutoff_hz: lowest and highest nominal cutoff in Hz.
        orders: lowest and highest filter order.
    """
    generator = np.random.default_rng(seed)
    family = families[int(generator.integers(len(families)))]
    if family in CODECS:
        return Degradation(family, bitrate_kbps=float(round(np.exp(generator.uniform(*np.log(BITRATES_KBPS))))))
    order = int(generator.integers(orders[0], orders[1] + 1)) if family in IIR_FAMILIES else None
    highest = min(cutoff_hz[1], _HIGHEST_SHARE * sample_rate / 2)
    return Degradation(family, float(round(generator.uniform(min(cutoff_hz[0], highest), highest))), order)


def apply(x: Array, sample_rate: int, degradation: Degradation) -> Array:
    """Degrade a signal; length and rate stay as they are.

    Args:
        x: [C, T] float32.
        sample_rate: in Hz.
        degradation: what to do.

    Raises:
        UsageError: for a family or order that does not exist, or a cutoff at or above the Nyquist frequency.
    """
    check(degradation, sample_rate)
    if x.shape[-1] == 0:
        return x.copy()
    return np.ascontiguousarray(_APPLY[degradation.family](x, sample_rate, degradation), dtype=np.float32)


def check(degradation: Degradation, sample_rate: int) -> None:
    """Refuse, in one line, what cannot be done at this rate."""
    family, cutoff_hz, order = degradation.family, degradation.cutoff_hz, degradation.order
    if family not in ALL_FAMILIES:
        close = difflib.get_close_matches(family, ALL_FAMILIES, n=1)
        raise UsageError(
            f"no low-pass or codec '{family}'; "
            + (f"did you mean '{close[0]}'?" if close else f"there are {', '.join(ALL_FAMILIES)}")
        )
    if family not in IIR_FAMILIES and (order is not None or degradation.causal):
        raise UsageError(f"{family} has neither order nor causal form; only {', '.join(IIR_FAMILIES)} have")
    if family in CODECS:
        if cutoff_hz is not None or (degradation.bitrate_kbps or 0.0) <= 0:
            raise UsageError(f"{family} takes a bitrate above 0 kbit/s, and no cutoff")
        return
    if cutoff_hz is None or not LOWEST_CUTOFF_HZ <= cutoff_hz < sample_rate / 2:
        raise UsageError(
            f"{family} needs a cutoff from {LOWEST_CUTOFF_HZ:g} to below {sample_rate / 2:g} Hz, not {cutoff_hz}"
        )
    if family in IIR_FAMILIES and not 1 <= (order or 0) <= 20:
        raise UsageError(f"{family} needs an order between 1 and 20, not {order}")


@lru_cache(maxsize=1 << 13)
def edge(degradation: Degradation, sample_rate: int) -> float:
    """The −12 dB point of `response` in Hz: where the band ends."""
    return edge_of(*response(degradation, sample_rate))


def response(degradation: Degradation, sample_rate: int) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """What `apply` leaves of white noise (images of a poor resampler count): frequencies in Hz and linear gains."""
    check(degradation, sample_rate)
    if degradation.family in IIR_FAMILIES:
        return sections_response(_sections(degradation, sample_rate), degradation.causal, sample_rate)
    probe = _noise() if degradation.family in CODECS else _impulses()
    gain = np.sqrt(_power(apply(probe, sample_rate, degradation)) / _power(probe))
    return np.fft.rfftfreq(_PROBE_SAMPLES, 1 / sample_rate), gain


def _power(x: Array) -> NDArray[np.float64]:
    """Power spectrum over frames and channels, smoothed a little: noise has few frames."""
    power = np.mean(np.abs(np.fft.rfft(x.reshape(-1, _PROBE_SAMPLES))) ** 2, axis=0)
    return np.convolve(np.pad(power, _SMOOTHING, mode="edge"), np.ones(2 * _SMOOTHING + 1), mode="valid")


def _impulses() -> Array:
    """Impulses at several positions [16, T], because neither resamplers nor STFT treat all positions alike."""
    impulses = np.zeros((len(_PROBE_POSITIONS), _PROBE_SAMPLES), np.float32)
    impulses[np.arange(len(_PROBE_POSITIONS)), _PROBE_SAMPLES // 2 + _PROBE_POSITIONS] = 1.0
    return impulses


def _noise() -> Array:
    """White noise [2, T], for codecs, which no impulse can describe, and whose bitrates are those of two channels."""
    samples = _PROBE_FRAMES * _PROBE_SAMPLES
    return np.random.default_rng(0).normal(0, 0.1, (2, samples)).astype(np.float32)


def subsampling_ratio(cutoff_hz: float, sample_rate: int) -> Fraction:
    """Low rate / rate as a small fraction: resample_poly's filters grow with the denominator."""
    ratio = Fraction(2 * cutoff_hz / sample_rate).limit_denominator(_SUBSAMPLING_DENOMINATOR)
    return max(ratio, Fraction(1, _SUBSAMPLING_DENOMINATOR))


def _cutoff(degradation: Degradation) -> float:
    return degradation.cutoff_hz or 0.0


def _sections(degradation: Degradation, sample_rate: int) -> NDArray[np.float64]:
    return lowpass_sections(degradation.family, degradation.order or 0, _cutoff(degradation), sample_rate)


def _filter(x: Array, sample_rate: int, degradation: Degradation) -> NDArray[np.floating]:
    return filter_sections(x, _sections(degradation, sample_rate), degradation.causal)


def _subsample(x: Array, sample_rate: int, degradation: Degradation) -> NDArray[np.floating]:
    """Down and up with scipy's resample_poly."""
    from scipy import signal

    ratio = subsampling_ratio(_cutoff(degradation), sample_rate)
    low = signal.resample_poly(x, ratio.numerator, ratio.denominator, axis=-1)
    return np.asarray(signal.resample_poly(low, ratio.denominator, ratio.numerator, axis=-1)[..., : x.shape[-1]])


def _zero_bins(x: Array, sample_rate: int, degradation: Degradation) -> NDArray[np.floating]:
    import torch

    from musr_models.transforms import Stft

    stft = Stft(STFT_LENGTH, STFT_HOP)
    spectrum = stft.analyse(torch.from_numpy(np.ascontiguousarray(x)))
    spectrum[..., int(_cutoff(degradation) * STFT_LENGTH / sample_rate) :, :] = 0
    return np.asarray(stft.synthesise(spectrum, x.shape[-1]).numpy())


def _resample(x: Array, sample_rate: int, degradation: Degradation) -> NDArray[np.floating]:
    low_rate = round(2 * _cutoff(degradation))
    return resample(resample(x, sample_rate, low_rate), low_rate, sample_rate)[:, : x.shape[-1]]


def _encode(x: Array, sample_rate: int, degradation: Degradation) -> NDArray[np.floating]:
    return round_trip(x, sample_rate, degradation.family, degradation.bitrate_kbps or 0.0)


_APPLY: dict[str, Callable[[Array, int, Degradation], NDArray[np.floating]]] = {
    **dict.fromkeys(IIR_FAMILIES, _filter),
    "subsampling": _subsample,
    "stft": _zero_bins,
    RESAMPLE: _resample,
    **dict.fromkeys(CODECS, _encode),
}
