"""How music loses its high frequencies: parameters drawn from a seed, and what they do to a signal.

The seven low-pass families are those of Zhang et al. 2024, section 3.2: five recursive filters of order 6 to 10,
subsampling (scipy's resample_poly, images included) and zeroed STFT bins. "resample" is a clean change of rate, for
networks of one fixed ratio.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musr_cli.dsp.filters import IIR_FAMILIES, edge_of, filter_sections, lowpass_sections, sections_response
from musr_cli.errors import UsageError

FAMILIES = (*IIR_FAMILIES, "subsampling", "stft")
"""The seven low-pass families of Zhang et al. 2024."""

RESAMPLE = "resample"
ALL_FAMILIES = (*FAMILIES, RESAMPLE)

ORDERS = (6, 10)
"""Lowest and highest filter order that `sample` draws."""

STFT_LENGTH = 2048
STFT_HOP = 512

_SUBSAMPLING_DENOMINATOR = 160
_HIGHEST_SHARE = 0.95
_PROBE_SAMPLES = 8192
_PROBE_POSITIONS = 7 * np.arange(16)

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Degradation:
    """One way to lose a high band: everything `apply` needs, nothing random left.

    Attributes:
        family: one of `ALL_FAMILIES`.
        cutoff_hz: nominal cutoff in Hz (half of the low rate for "subsampling" and "resample"); see `edge`.
        order: filter order of one pass; only recursive families have one.
        causal: filter forwards only, which shifts phase, also below the edge.
    """

    family: str
    cutoff_hz: float
    order: int | None = None
    causal: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON or TOML."""
        return {name: value for name, value in asdict(self).items() if value is not None}

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
) -> Degradation:
    """Draw a degradation: family, order and cutoff are uniform, and the same seed gives the same one.

    Args:
        seed: any non-negative integer, or several (seed, worker, step).
        sample_rate: rate in Hz of what will be degraded; cutoffs stay below 0.95 of its Nyquist frequency.
        families: names to choose from.
        cutoff_hz: lowest and highest nominal cutoff in Hz.
    """
    generator = np.random.default_rng(seed)
    highest = min(cutoff_hz[1], _HIGHEST_SHARE * sample_rate / 2)
    family = families[int(generator.integers(len(families)))]
    order = int(generator.integers(ORDERS[0], ORDERS[1] + 1))
    cutoff = round(float(generator.uniform(min(cutoff_hz[0], highest), highest)))
    return Degradation(family, float(cutoff), order if family in IIR_FAMILIES else None)


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
    return np.ascontiguousarray(_APPLY[_kind(degradation)](x, sample_rate, degradation), dtype=np.float32)


def check(degradation: Degradation, sample_rate: int) -> None:
    """Refuse, in one line, what cannot be done at this rate."""
    if degradation.family not in ALL_FAMILIES:
        raise UsageError(f"unknown low-pass family '{degradation.family}': use one of {', '.join(ALL_FAMILIES)}")
    if not 0 < degradation.cutoff_hz < sample_rate / 2:
        raise UsageError(
            f"a cutoff of {degradation.cutoff_hz:g} Hz is not between 0 and {sample_rate / 2:g} Hz (Nyquist)"
        )
    if degradation.family in IIR_FAMILIES and (degradation.order is None or not 1 <= degradation.order <= 20):
        raise UsageError(f"{degradation.family} needs an order between 1 and 20, not {degradation.order}")


@lru_cache(maxsize=512)
def edge(degradation: Degradation, sample_rate: int) -> float:
    """The −12 dB point, in Hz, of what `apply` leaves of white noise (so images of a poor resampler count)."""
    check(degradation, sample_rate)
    if _kind(degradation) == "filter":
        return edge_of(*sections_response(_sections(degradation, sample_rate), degradation.causal, sample_rate))
    impulses = np.zeros((len(_PROBE_POSITIONS), _PROBE_SAMPLES), np.float32)
    impulses[np.arange(len(_PROBE_POSITIONS)), _PROBE_SAMPLES // 2 + _PROBE_POSITIONS] = 1.0
    spectra = np.fft.rfft(apply(impulses, sample_rate, degradation))
    return edge_of(np.fft.rfftfreq(_PROBE_SAMPLES, 1 / sample_rate), np.sqrt(np.mean(np.abs(spectra) ** 2, axis=0)))


def _kind(degradation: Degradation) -> str:
    return "filter" if degradation.family in IIR_FAMILIES else degradation.family


def _sections(degradation: Degradation, sample_rate: int) -> NDArray[np.float64]:
    return lowpass_sections(degradation.family, degradation.order or 0, degradation.cutoff_hz, sample_rate)


def _filter(x: Array, sample_rate: int, degradation: Degradation) -> NDArray[np.floating]:
    return filter_sections(x, _sections(degradation, sample_rate), degradation.causal)


def _subsample(x: Array, sample_rate: int, degradation: Degradation) -> NDArray[np.floating]:
    """Down and up with scipy's resample_poly; small fractions, because its filters grow with the denominator."""
    from scipy import signal

    ratio = Fraction(2 * degradation.cutoff_hz / sample_rate).limit_denominator(_SUBSAMPLING_DENOMINATOR)
    low = signal.resample_poly(x, ratio.numerator, ratio.denominator, axis=-1)
    return np.asarray(signal.resample_poly(low, ratio.denominator, ratio.numerator, axis=-1)[..., : x.shape[-1]])


def _zero_bins(x: Array, sample_rate: int, degradation: Degradation) -> NDArray[np.floating]:
    import torch

    from musr_models.transforms import Stft

    stft = Stft(STFT_LENGTH, STFT_HOP)
    spectrum = stft.analyse(torch.from_numpy(np.ascontiguousarray(x)))
    spectrum[..., int(degradation.cutoff_hz * STFT_LENGTH / sample_rate) :, :] = 0
    return np.asarray(stft.synthesise(spectrum, x.shape[-1]).numpy())


def _resample(x: Array, sample_rate: int, degradation: Degradation) -> NDArray[np.floating]:
    import soxr

    low_rate = 2 * degradation.cutoff_hz
    low = soxr.resample(x.T, sample_rate, low_rate, quality="VHQ")
    y = soxr.resample(low, low_rate, sample_rate, quality="VHQ").T[:, : x.shape[-1]]
    return np.pad(y, ((0, 0), (0, x.shape[-1] - y.shape[-1])))


_APPLY: dict[str, Callable[[Array, int, Degradation], NDArray[np.floating]]] = {
    "filter": _filter,
    "subsampling": _subsample,
    "stft": _zero_bins,
    RESAMPLE: _resample,
}
