"""Quality at any band edge: the tables of docs/restore.md.

    python benchmarks/any_edge.py --data FOLDER [--models restore,gan] [--edges 4000,8000] [--visqol] [-j 2]

Each clip is brought to 44.1 kHz, then to a rate of twice the edge (soxr VHQ), and restored from there through the whole
chain; models that do not do that edge are left out. Intervals are 95 % bootstrap intervals over sources. ViSQOL (audio
mode, 48 kHz, mono) needs visqol-python.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clips import Clip, find_clips, for_each
from musr_cli.audio.resampling import resample
from musr_cli.engine.enhancer import Settings, enhance
from musr_cli.errors import UnavailableError
from quality import by_source, interval, score

MODELS = ("sinc", "sbr", "envelope", "gan", "restore")
EDGES = (3500, 4000, 7500, 8000, 11025)
GROUPS = ((3500, 4000), (7500, 8000), (11025,))
RATE = 44100
VISQOL_RATE = 48000
HF, WHOLE, VISQOL = "lsd_a_hf_19k", "lsd_a", "visqol"
WORST = 0.1


@dataclass(frozen=True)
class Row:
    """Figures of one clip, restored from one edge by one model."""

    edge_hz: int
    model: str
    clip: Clip
    values: dict[str, float]


def measure(clip: Clip, models: Sequence[str], edges: Sequence[int], seconds: float, with_visqol: bool) -> list[Row]:
    """Restore one clip from every edge with every model that can."""
    audio, own_rate = clip.read(seconds)
    ref = resample(audio, own_rate, RATE)
    rows = []
    for edge_hz in edges:
        low = resample(ref, RATE, 2 * edge_hz)
        plain = resample(low, 2 * edge_hz, RATE)
        for model in models:
            try:
                restored, _ = enhance(low, 2 * edge_hz, Settings(model=model, rate=RATE))
            except UnavailableError:
                continue
            values = score(ref, restored, plain, RATE, edge_hz)
            if with_visqol:
                values[VISQOL] = visqol(ref, restored)
            rows.append(Row(edge_hz, model, clip, values))
    return rows


def visqol(ref: NDArray[np.float32], restored: NDArray[np.float32]) -> float:
    """Mean opinion score, 1 to 4.73, that ViSQOL expects of the middle of the channels."""
    signals = (resample(x.mean(axis=0, keepdims=True), RATE, VISQOL_RATE)[0].astype(float) for x in (ref, restored))
    return float(_visqol().measure_from_arrays(*signals, VISQOL_RATE).moslqo)


@lru_cache(maxsize=1)
def _visqol() -> Any:
    from visqol import VisqolApi

    api = VisqolApi()
    api.create(mode="audio")
    return api


def print_tables(rows: Sequence[Row], models: Sequence[str]) -> None:
    """One Markdown table per group of edges."""
    for group in GROUPS:
        task = [row for row in rows if row.edge_hz in group]
        if not task:
            continue
        clips, sources = len({row.clip.file for row in task}), len({row.clip.source for row in task})
        print(f"\n### Edge at {' and '.join(str(hz) for hz in group)} Hz, {clips} clips of {sources} sources\n")
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
        writer = csv.DictWriter(stream, ["edge_hz", "model", "file", "source", *rows[0].values])
        writer.writeheader()
        for row in rows:
            about = {"edge_hz": row.edge_hz, "model": row.model, "file": row.clip.file, "source": row.clip.source}
            writer.writerow(about | row.values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of full-band music with a manifest.csv")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--edges", default=",".join(map(str, EDGES)), help="band edges in Hz")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each clip")
    parser.add_argument("--tier", default="A", help="only clips of this tier of the manifest; '' for all")
    parser.add_argument("--visqol", action="store_true")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("-j", "--jobs", type=int, default=2)
    options = parser.parse_args()
    models, edges = options.models.split(","), [int(hz) for hz in options.edges.split(",")]
    clips = [clip for clip in find_clips(options.data) if options.tier in ("", clip.tier)]
    work = partial(measure, models=models, edges=edges, seconds=options.seconds, with_visqol=options.visqol)
    rows = [row for part in for_each(clips, work, options.jobs) for row in part]
    print_tables(rows, models)
    if options.csv:
        write_csv(options.csv, rows)


if __name__ == "__main__":
    main()
