"""The tasks of a gallery: a way in which a band is lost, and the rate at which it is to be had back.

A task is known by its name, which is also that of its folder:

    4000hz-to-44100          a low sample rate with an edge of 4000 Hz, back to 44.1 kHz
    x2-to-16000              the same, said as a ratio: from 8 to 16 kHz
    mp3-64k-to-44100         an encoder, mp3, vorbis or opus, at 64 kbit/s for two channels
    bessel-4000hz-to-44100   a low-pass of `musr degrade` (of order 8, where it has one), at 44.1 kHz all the way
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from musr_cli import degrade
from musr_cli.degrade import RESAMPLE, Degradation, Wish
from musr_cli.dsp.filters import IIR_FAMILIES
from musr_cli.errors import UsageError
from musr_models.contract import Band

DEFAULT = (
    "4000hz-to-44100",
    "8000hz-to-44100",
    "11025hz-to-44100",
    "x2-to-16000",
    "x4-to-16000",
    "mp3-64k-to-44100",
)
ORDER = 8

_NAME = re.compile(
    r"(x(?P<ratio>\d+(\.\d+)?)|((?P<family>[a-z]+\d?)-)?(?P<hz>\d+)hz|(?P<codec>[a-z]+\d?)-(?P<kbps>\d+)k)-to-(?P<rate>\d+)"
)


@dataclass(frozen=True)
class Task:
    """What is done to a reference, and what is asked for.

    Attributes:
        name: of the task and its folder.
        how: what is done.
        rate: of the reference and of what restores it, in Hz.
    """

    name: str
    how: Degradation
    rate: int

    @property
    def edge_hz(self) -> float:
        """Where the rest ends: half a low rate, else the −12 dB point of what white noise keeps."""
        if self.how.family == RESAMPLE and self.how.cutoff_hz:
            return self.how.cutoff_hz
        return degrade.edge(self.how, self.rate)

    @property
    def band(self) -> Band:
        """What a network is chosen for."""
        return Band(self.rate, self.edge_hz)

    @property
    def input_rate(self) -> int:
        """Of what is left, in Hz."""
        return round(2 * self.edge_hz) if self.how.family == RESAMPLE else self.rate

    @property
    def wish(self) -> Wish:
        """The same for `degrade_file`."""
        if self.how.family == RESAMPLE:
            return Wish(rate=self.input_rate)
        if self.how.bitrate_kbps:
            return Wish(codec=self.how.family, bitrate_kbps=self.how.bitrate_kbps)
        return Wish(self.how.family, self.how.order, self.how.cutoff_hz)

    @property
    def title(self) -> str:
        """For people."""
        if self.how.bitrate_kbps:
            return f"{self.how.family.upper()} at {self.how.bitrate_kbps:g} kbit/s, {self.rate / 1000:g} kHz"
        if self.how.family == RESAMPLE:
            return f"Edge at {self.edge_hz:g} Hz, {self.input_rate / 1000:g} to {self.rate / 1000:g} kHz"
        return f"{self.how.describe().capitalize().replace('hz', 'Hz')}, {self.rate / 1000:g} kHz"


def parse(name: str) -> Task:
    """The task of that name.

    Raises:
        UsageError: no task is called so, or it cannot be done.
    """
    found = _NAME.fullmatch(name)
    if not found:
        forms = "4000hz-to-44100, x2-to-16000, mp3-64k-to-44100 or bessel-4000hz-to-44100"
        raise UsageError(f"task '{name}': names look like {forms}")
    part, rate = found.groupdict(), int(found["rate"])
    if part["codec"]:
        how = Degradation(part["codec"], bitrate_kbps=float(part["kbps"]))
    elif part["ratio"]:
        how = Degradation(RESAMPLE, rate / (2 * max(float(part["ratio"]), 1)))
    else:
        family = part["family"] or RESAMPLE
        how = Degradation(family, float(part["hz"]), ORDER if family in IIR_FAMILIES else None)
    degrade.check(how, rate)
    return Task(name, how, rate)
