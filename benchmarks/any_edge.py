"""Quality at any band edge: the tables of docs/restore.md.

    python benchmarks/any_edge.py --data FOLDER [--models restore,gan] [--edges 4000,8000] [--visqol] [-j 2]
    python benchmarks/any_edge.py --data FOLDER --models sbr,envelope,restore --codec mp3 --kbps 32,64

Each clip is brought to 44.1 kHz, then to a rate of twice the edge (soxr VHQ), or through an encoder, and restored from
there through the whole chain; models that do not do that edge are left out. Of encoded music the edge is looked for, as
with any file; what is compared begins where the encoder ends white noise. Intervals are 95 % bootstrap intervals over
sources. ViSQOL (audio mode, 48 kHz, mono) needs `pip install 'musr[visqol]'`.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clips import Clip, find_clips, for_each
from musr_cli import degrade
from musr_cli.audio.resampling import resample
from musr_cli.degrade import RESAMPLE, Degradation
from musr_cli.engine.enhancer import Settings, enhance
from musr_cli.errors import UnavailableError
from musr_cli.metrics.visqol import visqol
from quality import by_source, interval, score

MODELS = ("sinc", "sbr", "envelope", "gan", "restore")
EDGES = (3500, 4000, 7500, 8000, 11025)
PAIRS = {3500: "3500 and 4000 Hz", 4000: "3500 and 4000 Hz", 7500: "7500 and 8000 Hz", 8000: "7500 and 8000 Hz"}
RATE = 44100
HF, WHOLE, VISQOL = "lsd_a_hf_19k", "lsd_a", "visqol"
WORST = 0.1


@dataclass(frozen=True)
class Task:
    """One way in which the upper band is lost.

    Attributes:
        name: heading of its table; tasks of one name share a table.
        how: what is done.
        edge_hz: where the rest ends, in Hz.
    """

    name: str
    how: Degradation
    edge_hz: float

    def degrade(self, ref: NDArray[np.float32]) -> tuple[NDArray[np.float32], int]:
        """What is left of [C, T] at 44.1 kHz, and its rate."""
        if self.how.family == RESAMPLE:
            low_rate = round(2 * self.edge_hz)
            return resample(ref, RATE, low_rate), low_rate
        return degrade.apply(ref, RATE, self.how), RATE


def edge_task(edge_hz: int) -> Task:
    """Nothing but a low sample rate."""
    return Task(f"Edge at {PAIRS.get(edge_hz, f'{edge_hz} Hz')}", Degradation(RESAMPLE, edge_hz), edge_hz)


def codec_task(codec: str, kbps: int) -> Task:
    """An encoder at 44.1 kHz."""
    how = Degradation(codec, bitrate_kbps=float(kbps))
    return Task(f"{codec.upper()} at {kbps} kbit/s", how, degrade.edge(how, RATE))


@dataclass(frozen=True)
class Row:
    """Figures of one clip, restored from one task by one model."""

    task: Task
    model: str
    clip: Clip
    values: dict[str, float]


def measure(clip: Clip, models: Sequence[str], tasks: Sequence[Task], seconds: float, with_visqol: bool) -> list[Row]:
    """Restore one clip from every task with every model that can."""
    audio, own_rate = clip.read(seconds)
    ref = resample(audio, own_rate, RATE)
    rows = []
    for task in tasks:
        low, low_rate = task.degrade(ref)
        plain = resample(low, low_rate, RATE)
        for model in models:
            try:
                restored, _ = enhance(low, low_rate, Settings(model=model, rate=RATE))
            except UnavailableError:
                continue
            values = score(ref, restored, plain, RATE, task.edge_hz)
            if with_visqol:
                values[VISQOL] = visqol(ref, restored, RATE)
            rows.append(Row(task, model, clip, values))
    return rows


def print_tables(rows: Sequence[Row], models: Sequence[str]) -> None:
    """One Markdown table per name of tasks."""
    for name in dict.fromkeys(row.task.name for row in rows):
        task = [row for row in rows if row.task.name == name]
        clips, sources = len({row.clip.file for row in task}), len({row.clip.source for row in task})
        print(f"\n### {name}, {clips} clips of {sources} sources\n")
        print("| model | LSD-A | LSD-A HF to 19 kHz | worst tenth | worst clip | ViSQOL | HF spread | ", end="")
        print("given band: lowest SNR | largest gain |\n" + "|---" * 9 + "|")
        for model in models:
            found = [row for row in task if row.model == model]
            if found:
                print(f"| {model} | " + " | ".join(cells(found)) + " |")


def cells(rows: Sequence[Row]) -> list[str]:
    """What a table says of one model."""
    worst = sorted((row.values[HF] for row in rows), reverse=True)
    return [
        with_interval(rows, WHOLE),
        with_interval(rows, HF),
        f"{np.mean(worst[: max(1, round(WORST * len(worst)))]):.3f}",
        f"{worst[0]:.3f}",
        with_interval(rows, VISQOL) if VISQOL in rows[0].values else "–",
        f"{np.mean([row.values['hf_spread'] for row in rows]):.2f}",
        f"{min(row.values['snr_given_db'] for row in rows):.0f} dB",
        f"{max(abs(row.values['level_given_db']) for row in rows):.4f} dB",
    ]


def with_interval(rows: Sequence[Row], name: str) -> str:
    """Mean over clips and interval over sources."""
    mean, low, high = interval(by_source((row.clip for row in rows), (row.values[name] for row in rows)))
    return f"{mean:.3f} ({low:.2f}–{high:.2f})"


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Every figure of every clip."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["task", "edge_hz", "model", "file", "source", *rows[0].values])
        writer.writeheader()
        for row in rows:
            about = {"task": row.task.how.describe(), "edge_hz": row.task.edge_hz, "model": row.model}
            writer.writerow(about | {"file": row.clip.file, "source": row.clip.source} | row.values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of full-band music with a manifest.csv")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--edges", default=",".join(map(str, EDGES)), help="band edges in Hz")
    parser.add_argument("--codec", help="mp3, vorbis or opus, instead of edges")
    parser.add_argument("--kbps", default="64", help="bitrates for two channels")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each clip")
    parser.add_argument("--tier", default="A", help="only clips of this tier of the manifest; '' for all")
    parser.add_argument("--visqol", action="store_true")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("-j", "--jobs", type=int, default=2)
    options = parser.parse_args()
    models = options.models.split(",")
    if options.codec:
        tasks = [codec_task(options.codec, int(kbps)) for kbps in options.kbps.split(",")]
    else:
        tasks = [edge_task(int(hz)) for hz in options.edges.split(",")]
    clips = [clip for clip in find_clips(options.data) if options.tier in ("", clip.tier)]
    work = partial(measure, models=models, tasks=tasks, seconds=options.seconds, with_visqol=options.visqol)
    rows = [row for part in for_each(clips, work, options.jobs) for row in part]
    print_tables(rows, models)
    if options.csv:
        write_csv(options.csv, rows)


if __name__ == "__main__":
    main()
