"""What a recording has been through before musr sees it, by name: `mp3-24`, `bessel-4000`, `resample-8000`, `disc`, …

* `CODEC-KBPS`, such as `aac-64`: decoded at the rate it is coded at; for MP3 the lower rates that LAME changes to.
* `FAMILY-HZ`, such as `butterworth-11000`: a low-pass at the reference's rate; `resample-HZ`: a rate of twice that.
* `telephone`: 300-3400 Hz at 8 kHz. `hiss-HZ`: a low-pass, then white hiss. `disc`: 100-4000 Hz, hiss 38 dB below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from musr_cli.audio.resampling import MINUS_1_DB
from musr_cli.degrade import FAMILIES, RESAMPLE, Chain, Degradation, response
from musr_cli.degrade.codecs import CODECS
from musr_cli.dsp.filters import IIR_FAMILIES, filter_sections

Array = NDArray[np.float32]

LAME_RATES = ((24, 16000), (40, 22050), (56, 24000), (80, 32000))
"""Highest bitrate in kbit/s for two channels at which LAME changes to a rate in Hz; above, it keeps the rate."""

ORDERS = dict.fromkeys(IIR_FAMILIES, 8) | {"bessel": 6}
TELEPHONE_HZ, TELEPHONE_RATE = (300.0, 3400.0), 8000
DISC_HZ, DISC_HISS_DB = (100.0, 4000.0), -38.0
HISS = 0.003
_HIGHPASS_ORDER = 4
_RATE_UNIT = 11025
_STEEP = 10 ** (-1 / 20)


@dataclass(frozen=True)
class Heard:
    """What is left of a reference.

    Attributes:
        samples: [C, T].
        sample_rate: in Hz.
        edge_hz: where the band ends, the −12 dB point.
        slope_hz: where its fall towards the edge begins, the −1 dB point; the edge for codecs.
        is_coded: whether it has been through a codec, which leaves holes below the edge.
    """

    samples: Array
    sample_rate: int
    edge_hz: float
    slope_hz: float
    is_coded: bool = False


Condition = Callable[[Array, int], Heard]
"""From a reference [C, T] and its rate in Hz to what is left of it."""


def find_condition(name: str) -> Condition:
    """The condition of that name.

    Raises:
        ValueError: there is none.
    """
    kind, _, number = name.rpartition("-")
    if name == "telephone":
        return _telephone
    if name == "disc":
        return _disc
    try:
        value = float(number)
    except ValueError as error:
        raise ValueError(f"no condition '{name}'") from error
    if kind in CODECS:
        return lambda x, rate: _coded(x, rate, kind, value)
    if kind == "hiss":
        return lambda x, rate: _with_hiss(_lowpassed(x, rate, "butterworth", value), HISS)
    if kind == RESAMPLE:
        return lambda x, rate: _through(Chain(rate, None, low_rate(value), None), x)
    if kind in FAMILIES:
        return lambda x, rate: _lowpassed(x, rate, kind, value)
    raise ValueError(f"no condition '{name}'")


def low_rate(cutoff_hz: float) -> int:
    """Twice the cutoff in Hz; 11025 Hz and its multiples for cutoffs that are rounded."""
    near = _RATE_UNIT * round(2 * cutoff_hz / _RATE_UNIT)
    return near if abs(near - 2 * cutoff_hz) <= 1 else round(2 * cutoff_hz)


def _coded(x: Array, rate: int, codec: str, kbps: float) -> Heard:
    lower = [low for highest, low in LAME_RATES if kbps <= highest] if codec.startswith("mp3") else []
    how = Degradation(codec, bitrate_kbps=kbps)
    return replace(_through(Chain(rate, None, min([*lower, rate]), how), x), is_coded=True)


def _lowpassed(x: Array, rate: int, family: str, cutoff_hz: float, out_rate: int | None = None) -> Heard:
    return _through(Chain(rate, Degradation(family, cutoff_hz, ORDERS.get(family)), out_rate or rate, None), x)


def _through(chain: Chain, x: Array) -> Heard:
    chain.check()
    y = np.concatenate(list(chain.apply([x], len(x))), axis=-1).astype(np.float32)
    edge_hz = slope_hz = chain.edge_hz()
    if chain.lowpass:
        frequencies_hz, gain = response(chain.lowpass, chain.sample_rate)
        slope_hz = min(slope_hz, float(frequencies_hz[np.argmax(gain < _STEEP)]))
    if chain.output_rate < chain.sample_rate:
        slope_hz = min(slope_hz, MINUS_1_DB * chain.output_rate / 2)
    return Heard(y, chain.output_rate, edge_hz, slope_hz)


def _highpassed(x: Array, rate: int, cutoff_hz: float) -> Array:
    from scipy import signal

    sections = signal.butter(_HIGHPASS_ORDER, cutoff_hz, "highpass", fs=rate, output="sos")
    return filter_sections(x, sections, causal=False).astype(np.float32)


def _telephone(x: Array, rate: int) -> Heard:
    low_hz, high_hz = TELEPHONE_HZ
    return _lowpassed(_highpassed(x, rate, low_hz), rate, "butterworth", high_hz, TELEPHONE_RATE)


def _disc(x: Array, rate: int) -> Heard:
    low_hz, high_hz = DISC_HZ
    heard = _lowpassed(_highpassed(x, rate, low_hz), rate, "butterworth", high_hz)
    return _with_hiss(heard, float(np.sqrt(np.mean(np.square(heard.samples)))) * 10 ** (DISC_HISS_DB / 20))


def _with_hiss(heard: Heard, level: float) -> Heard:
    """White noise of this RMS on top, independent in each channel and the same in every run."""
    noise = np.random.default_rng(0).standard_normal(heard.samples.shape, dtype=np.float32)
    return replace(heard, samples=heard.samples + np.float32(level) * noise)
