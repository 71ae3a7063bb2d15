"""How often the band edge of degraded music is found, and how often one is seen where there is none.

    python benchmarks/band_edge.py --data FOLDER

FOLDER holds music; a manifest.csv in it or beside it gives `bandwidth_hz` of each clip. Every clip goes through the
seven low-pass families at several −12 dB edges (order 6 to 10, drawn), is rounded to 16 bits as in a file, and its edge
is looked for. A clip counts for an edge that lies inside its bandwidth, below where an encoder has cut it, and where
its own spectrum stands at least 12 dB above the noise of 16 bits: else there is nothing that the filter could have
taken. A hit is within max(200 Hz, 3 %). False alarms are edges found below 90 % of where the clips end as they are.

A second table is of what people have on their disks: telephone calls (300 to 3400 Hz, at 8 and 44.1 kHz), transfers of
old discs (100 Hz to 3.5..6 kHz at 44.1 kHz, slopes of order 3 to 8, hiss 30 to 45 dB below the music), and encoded
files, where the edge is that of white noise that went the same way.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from clips import Clip, find_clips
from musr_cli import degrade
from musr_cli.audio.resampling import resample
from musr_cli.degrade import FAMILIES, Degradation
from musr_cli.dsp.band_edge import TOLERANCE, TOLERANCE_HZ, BandEdge, detect
from musr_cli.dsp.filters import IIR_FAMILIES, edge_of
from musr_cli.dsp.reach import EXPONENT, reach_hz
from musr_cli.dsp.spectrum import LongTermSpectrum

EDGES_HZ = (2000, 2800, 4000, 5600, 8000, 11300, 16000)
CODED = {"mp3": (64, 96, 128), "vorbis": (64, 96), "opus": (24, 32)}
STEP = 2.0**-15
FALSE_ALARM_SHARE = 0.9
CONFIDENCES = (0.0, 0.5, 0.7, 0.8, 0.9, 1.0001)

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Trial:
    """One degraded clip: what was made, and what was found."""

    family: str
    nominal_hz: int
    edge_hz: float
    found: BandEdge

    @property
    def is_hit(self) -> bool:
        return not self.found.full_band and abs(self.found.cutoff_hz - self.edge_hz) <= max(
            TOLERANCE_HZ, TOLERANCE * self.edge_hz
        )


def with_edge(family: str, edge_hz: float, order: int, sample_rate: int) -> Degradation | None:
    """The low-pass of that family whose −12 dB point lies at `edge_hz`; None where none does."""
    cutoff_hz = edge_hz
    for _ in range(12):
        cutoff_hz = min(cutoff_hz, 0.499 * sample_rate)
        how = Degradation(family, cutoff_hz, order if family in IIR_FAMILIES else None)
        made_hz = degrade.edge(how, sample_rate)
        if abs(made_hz / edge_hz - 1) < 0.01:
            return how
        cutoff_hz *= edge_hz / made_hz
    return None


def look_at(x: Array, sample_rate: int) -> LongTermSpectrum:
    """The long-term spectrum of an undegraded clip."""
    spectrum = LongTermSpectrum(sample_rate, (1.0, EXPONENT))
    spectrum.push(x)
    return spectrum


def has_energy(spectrum: LongTermSpectrum, edge_hz: float) -> bool:
    """Whether the spectrum below the edge stands 12 dB above the noise of 16 bits."""
    hz = spectrum.frequencies_hz
    near = (hz > 0.9 * edge_hz) & (hz <= edge_hz)
    noise = STEP**2 / 12 / hz[-1]
    return bool(np.mean(spectrum.mean()[near]) > 10**1.2 * noise)


def filled_hz(clip: Clip, spectrum: LongTermSpectrum) -> float:
    """Up to where the clip fills its spectrum."""
    return min(clip.bandwidth_hz or 0.0, reach_hz(spectrum))


def trials(clip: Clip, seconds: float, rng: np.random.Generator) -> Iterator[Trial]:
    x, rate = clip.read(seconds)
    spectrum = look_at(x, rate)
    end_hz = filled_hz(clip, spectrum)
    for nominal_hz in EDGES_HZ:
        if nominal_hz >= 0.97 * end_hz or not has_energy(spectrum, nominal_hz):
            continue
        for family in FAMILIES:
            how = with_edge(family, nominal_hz, int(rng.integers(6, 11)), rate)
            if how is not None:
                y = np.round(degrade.apply(x, rate, how) / STEP) * STEP
                yield Trial(family, nominal_hz, degrade.edge(how, rate), detect(y, rate))


def everyday_trials(clip: Clip, seconds: float, rng: np.random.Generator) -> Iterator[Trial]:
    """What people have on their disks, made from one clip."""
    x, rate = clip.read(seconds)
    end_hz = filled_hz(clip, look_at(x, rate))
    for low_rate in (8000, rate):
        y, edge_hz = telephone(x, rate, int(rng.integers(6, 11)))
        yield _everyday(f"telephone, {low_rate / 1000:g} kHz", edge_hz, resample(y, rate, low_rate), low_rate)
    y, edge_hz = transfer(x, rate, rng)
    yield _everyday("old disc", edge_hz, y, rate)
    for family, bitrates in CODED.items():
        for kbps in bitrates:
            how = Degradation(family, bitrate_kbps=float(kbps))
            edge_hz = degrade.edge(how, rate)
            if edge_hz < 0.97 * end_hz:
                yield _everyday(f"{family} {kbps} kbit/s", edge_hz, degrade.apply(x, rate, how), rate)


def _everyday(family: str, edge_hz: float, y: Array, sample_rate: int) -> Trial:
    return Trial(family, 0, edge_hz, detect(np.round(y / STEP) * STEP, sample_rate))


def telephone(x: Array, sample_rate: int, order: int) -> tuple[Array, float]:
    """The middle of the channels as on the telephone, and the −12 dB point."""
    return _band_pass(x, sample_rate, order, 300.0, 3400.0)


def transfer(x: Array, sample_rate: int, rng: np.random.Generator) -> tuple[Array, float]:
    """The middle of the channels as on a shellac disc, and the −12 dB point."""
    y, edge_hz = _band_pass(x, sample_rate, int(rng.integers(3, 9)), 100.0, float(rng.uniform(3500, 6000)))
    hiss = signal.sosfilt(signal.butter(1, 6000, fs=sample_rate, output="sos"), rng.standard_normal(y.shape))
    depth = 10 ** (-rng.uniform(30, 45) / 20) * np.std(y) / np.std(hiss)
    return (y + depth * hiss).astype(np.float32), edge_hz


def _band_pass(x: Array, sample_rate: int, order: int, low_hz: float, high_hz: float) -> tuple[Array, float]:
    sections = signal.butter(order, (low_hz, high_hz), "bandpass", fs=sample_rate, output="sos")
    y = signal.sosfilt(sections, x.mean(axis=0, keepdims=True)).astype(np.float32)
    frequencies, gain = signal.sosfreqz(sections, 8192, fs=sample_rate)
    above = frequencies > (low_hz + high_hz) / 2
    return y, edge_of(frequencies[above], np.abs(gain[above]))


def print_everyday(results: list[Trial]) -> None:
    print("\n| recordings | clips | right | taken for complete | median error |\n|---|---|---|---|---|")
    for kind in dict.fromkeys(trial.family for trial in results):
        found = [trial for trial in results if trial.family == kind]
        errors = [abs(t.found.cutoff_hz - t.edge_hz) for t in found if not t.found.full_band]
        error = f"{np.median(errors):.0f} Hz" if errors else "–"
        right, complete = _percent([t.is_hit for t in found]), _percent([t.found.full_band for t in found])
        print(f"| {kind} | {len(found)} | {right} | {complete} | {error} |")


def print_hits(results: list[Trial]) -> None:
    print("| family | " + " | ".join(f"{edge / 1000:g} kHz" for edge in EDGES_HZ) + " | all |")
    print("|---|" + "---|" * (len(EDGES_HZ) + 1))
    for families in [*((family,) for family in FAMILIES), FAMILIES]:
        of_family = [trial for trial in results if trial.family in families]
        cells = [_percent([t.is_hit for t in of_family if t.nominal_hz == edge]) for edge in EDGES_HZ]
        cells.append(_percent([trial.is_hit for trial in of_family]))
        print(f"| {families[0] if len(families) == 1 else 'all'} | " + " | ".join(cells) + " |")
    print(f"\n{len(results)} degraded clips, {sum(trial.found.full_band for trial in results)} taken for full band")


def print_confidence(results: list[Trial]) -> None:
    for low, high in itertools.pairwise(CONFIDENCES):
        hits = [trial.is_hit for trial in results if low <= trial.found.confidence < high]
        print(f"confidence {low:.1f} to {min(high, 1.0):.1f}: {_percent(hits)} of {len(hits)} right")


def print_false_alarms(clips: list[Clip], seconds: float) -> None:
    alarms = []
    for clip in clips:
        x, rate = clip.read(seconds)
        found = detect(x, rate)
        if found.cutoff_hz < FALSE_ALARM_SHARE * filled_hz(clip, look_at(x, rate)):
            alarms.append(f"{clip.file} at {found.cutoff_hz:.0f} Hz (confidence {found.confidence:.2f})")
    print(f"false alarms: {len(alarms)} of {len(clips)} undegraded clips {'; '.join(alarms)}")


def _percent(hits: list[bool]) -> str:
    return f"{100 * np.mean(hits):.0f} %" if hits else "–"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of music")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each clip (default 15)")
    parser.add_argument("--tier", default="A", help="of the manifest (default A: the best sources)")
    parser.add_argument("--clips", type=int, help="at most so many")
    options = parser.parse_args()
    clips = [clip for clip in find_clips(options.data) if clip.bandwidth_hz and clip.tier == options.tier]
    clips = clips[:: -(-len(clips) // options.clips)] if options.clips else clips
    rng, started = np.random.default_rng(0), time.process_time()
    results = [trial for clip in clips for trial in trials(clip, options.seconds, rng)]
    print_hits(results)
    print_confidence(results)
    print_false_alarms(clips, options.seconds)
    print_everyday([trial for clip in clips for trial in everyday_trials(clip, options.seconds, rng)])
    print(f"{time.process_time() - started:.0f} s of processor time")


if __name__ == "__main__":
    main()
