"""Making two recordings comparable: one rate, one number of channels, one start, one length, and saying so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from musr_cli.audio.resampling import resample
from musr_cli.errors import MusrError
from musr_cli.metrics.alignment import MAX_DELAY_S, find_delay, overlap
from musr_cli.metrics.framing import Signal

MAX_LENGTH_DIFFERENCE_S = 0.1


@dataclass(frozen=True)
class Clip:
    """A recording in memory: what messages call it, samples [C, T] and rate in Hz."""

    name: str
    samples: Signal
    sample_rate: int


@dataclass(frozen=True)
class Match:
    """How an estimate fits onto its reference.

    Attributes:
        part: of the reference's samples, what there is an estimate for.
        samples: the estimate there, [C, T] at the reference's rate.
        notes: what had to be done, a sentence each.
    """

    part: slice
    samples: Signal
    notes: tuple[str, ...]


def match(ref: Clip, est: Clip) -> Match:
    """Fit `est` onto `ref`.

    Raises:
        MusrError: no samples, lengths that differ by more than 0.1 s, or numbers of channels that do not fit.
    """
    notes: list[str] = []
    _refuse_other_lengths(ref, est)
    samples = _same_rate(ref, est, notes)
    samples = _same_channels(ref, Clip(est.name, samples, ref.sample_rate), notes)
    delay = _mendable_delay(ref, Clip(est.name, samples, ref.sample_rate), notes)
    part, est_part = overlap(ref.samples.shape[-1], samples.shape[-1], delay)
    if not delay and ref.samples.shape[-1] != samples.shape[-1]:
        difference = samples.shape[-1] - ref.samples.shape[-1]
        notes.append(f"{est.name} is {abs(difference)} samples {'longer' if difference > 0 else 'shorter'}: trimmed")
    return Match(part, samples[:, est_part], tuple(notes))


def _refuse_other_lengths(ref: Clip, est: Clip) -> None:
    for clip in (ref, est):
        if not clip.samples.size:
            raise MusrError(f"{clip.name}: holds no samples, nothing to compare")
    ref_s, est_s = (clip.samples.shape[-1] / clip.sample_rate for clip in (ref, est))
    if abs(ref_s - est_s) > MAX_LENGTH_DIFFERENCE_S:
        raise MusrError(f"{est.name}: {est_s:.2f} s, but {ref.name} has {ref_s:.2f} s; cut them to one length first")


def _mendable_delay(ref: Clip, est: Clip, notes: list[str]) -> int:
    delay = find_delay(ref.samples, est.samples, ref.sample_rate)
    seconds = abs(delay) / ref.sample_rate
    told = f"{est.name} is {abs(delay)} samples ({1000 * seconds:.1f} ms) {'late' if delay > 0 else 'early'}"
    if seconds > MAX_DELAY_S:
        notes.append(f"{told}, more than the {1000 * MAX_DELAY_S:.0f} ms that are evened out: left as it is")
        return 0
    if delay:
        notes.append(f"{told}: aligned")
    return delay


def _same_rate(ref: Clip, est: Clip, notes: list[str]) -> Signal:
    if est.sample_rate == ref.sample_rate:
        return est.samples
    notes.append(f"{est.name} resampled from {est.sample_rate} to {ref.sample_rate} Hz")
    return resample(est.samples, est.sample_rate, ref.sample_rate)


def _same_channels(ref: Clip, est: Clip, notes: list[str]) -> Signal:
    wanted, channels = len(ref.samples), len(est.samples)
    if channels == wanted:
        return est.samples
    if channels != 1:
        raise MusrError(f"{est.name}: {channels} channels, but {ref.name} has {wanted}; give it as many, or one")
    notes.append(f"{est.name} is mono: compared with each of {wanted} channels")
    return np.repeat(est.samples, wanted, axis=0)
