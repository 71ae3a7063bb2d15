"""What the phase of the missing band is worth: every source beside the phase of the original (Zhang et al. 2024, 4.2).

    python benchmarks/phase.py --data FOLDER [--model demucs] [--edge 3000] [--seconds 10] [--visqol] [-j 2]

Clips are brought to 16 kHz and cut at the edge (Butterworth, order 8). The network's magnitudes take
their phase from each source in turn, "ground truth" from the original. Complex distance, group delay
and frequency are of the band above the edge; musr_cli/metrics/phases.py says how they are measured.

ViSQOL (16 kHz resampled to 48 kHz) needs `pip install 'musr[visqol]'`. Intervals are over sources.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clips import Clip, find_clips, for_each
from musr_cli import degrade
from musr_cli.audio.resampling import resample
from musr_cli.degrade import Degradation
from musr_cli.dsp.blend import Blender
from musr_cli.dsp.phase import Observed, PhaseSource, unit_phasors
from musr_cli.dsp.phases import NATIVE, PHASES
from musr_cli.engine.highband import HighBand
from musr_cli.metrics import evaluate
from musr_models import registry
from musr_models.contract import Band
from musr_models.transforms import Stft
from quality import by_source, interval

RATE = 16000
STFT = Stft(1024, 256)
SLOPE = 0.95  # of the edge, where the low-pass begins to fall
TRUTH = "ground truth"
SOURCES = ("input", NATIVE, *PHASES, TRUTH)
COLUMNS = {
    "complex_distance": "complex distance", "group_delay_ms": "group delay (ms)", "frequency_hz": "frequency (Hz)",
    "lsd_zhang": "LSD", "snr_given_db": "given band (dB)", "visqol": "ViSQOL",
}  # fmt: skip

Array = NDArray[np.float32]


@dataclass(frozen=True)
class TruePhase(PhaseSource):
    """The phases of the original [1, C, T], which nobody has outside a benchmark."""

    truth: Tensor

    def transform(self, band: Band) -> Stft:
        """The one that the figures are taken in."""
        del band
        return STFT

    def apply(self, magnitude: Tensor, observed: Observed) -> Tensor:
        """See `PhaseSource.apply`."""
        return magnitude * unit_phasors(observed.stft.analyse(self.truth)[..., observed.low :, :])


@dataclass(frozen=True)
class Row:
    """Figures of one clip with the phases of one source."""

    source: str
    clip: Clip
    values: dict[str, float]


def measure(clip: Clip, model: str, edge_hz: float, seconds: float, extra: Sequence[str]) -> list[Row]:
    """One clip with every source."""
    audio, own_rate = clip.read(seconds)
    ref = resample(audio, own_rate, RATE)
    low = degrade.apply(ref, RATE, Degradation("butterworth", edge_hz, 8))
    rows = []
    for source in SOURCES:
        made = low if source == "input" else restore(model, source, low, ref, edge_hz)
        values = evaluate(ref, made, RATE, edge_hz, low, slope_hz=SLOPE * edge_hz, extra=extra)
        rows.append(Row(source, clip, values))
    return rows


def restore(model: str, source: str, low: Array, ref: Array, edge_hz: float) -> Array:
    """The whole clip in one chunk, so that the phases of the original can be had as well."""
    band = Band(RATE, edge_hz)
    phase = TruePhase(torch.from_numpy(ref)[None]) if source == TRUTH else PHASES.get(source)
    restorer = HighBand(registry.load(model, band), band, Blender(RATE, SLOPE * edge_hz, edge_hz), phase)
    return low + restorer(low, 0)


def print_table(rows: Sequence[Row]) -> None:
    """One row per source, means with intervals over sources."""
    names = [name for name in COLUMNS if name in rows[0].values]
    print("| phase | " + " | ".join(COLUMNS[name] for name in names) + " |\n" + "|---" * (len(names) + 1) + "|")
    for source in SOURCES:
        found = [row for row in rows if row.source == source]
        print(f"| {source} | " + " | ".join(_cell(found, name) for name in names) + " |")


def _cell(rows: Sequence[Row], name: str) -> str:
    mean, low, high = interval(by_source((row.clip for row in rows), (row.values[name] for row in rows)))
    return f"{mean:.0f}" if name == "snr_given_db" else f"{mean:.3g} ({low:.3g}–{high:.3g})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of full-band music with a manifest.csv")
    parser.add_argument("--model", default="demucs")
    parser.add_argument("--edge", type=float, default=3000.0, help="in Hz")
    parser.add_argument("--match", default="*", help="only files of this name")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each clip")
    parser.add_argument("--visqol", action="store_true")
    parser.add_argument("-j", "--jobs", type=int, default=2)
    options = parser.parse_args()
    clips = [clip for clip in find_clips(options.data) if clip.path.match(options.match)]
    extra = ["visqol"] if options.visqol else []
    work = partial(measure, model=options.model, edge_hz=options.edge, seconds=options.seconds, extra=extra)
    rows = [row for part in for_each(clips, work, options.jobs) for row in part]
    sources = len({row.clip.source for row in rows})
    print(f"\n### {options.model}, edge at {options.edge:g} Hz, {len(clips)} clips of {sources} sources\n")
    print_table(rows)


if __name__ == "__main__":
    main()
