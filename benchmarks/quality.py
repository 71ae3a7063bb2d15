"""Quality of every model on real music: the README's tables beside tables I and II of Dai et al. 2021.

    python benchmarks/quality.py --data FOLDER [--models gan,envelope] [--rates 44100] [--seconds 20] [-j 2]

Each clip is brought to the output rate, then to rate / ratio (soxr VHQ), and restored from there through the whole
chain. Intervals are 95 % bootstrap intervals over sources (the piece's project, from manifest.csv beside or in the
folder), so that many clips of one source do not pass for many sources.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clips import Clip, find_clips, for_each
from musr_cli.audio.resampling import resample
from musr_cli.engine.enhancer import Settings, enhance
from musr_cli.metrics import METRICS, evaluate
from musr_cli.metrics.summary import bootstrap_interval

MODELS = ("linear", "spline", "sinc", "sbr", "envelope", "dnn", "cnn", "gan")
TASKS = ((16000, 2), (16000, 4), (44100, 2), (44100, 4))
SHOWN = (
    "segsnr_dai_db",
    "lsd_dai_ln",
    "lsd_dai_log10",
    "lsd_a",
    "lsd_a_hf_19k",
    "lsd_a_hf",
    "snr_given_db",
    "hf_spread",
)
PAIRED = "lsd_a_hf_19k"
# tables I and II: (SegSNR, LSD) by model and ratio, at 16 kHz on MUSDB18
PUBLISHED = {
    ("linear", 2): (10.26, 2.059), ("dnn", 2): (10.55, 1.993), ("cnn", 2): (10.61, 1.972), ("gan", 2): (10.76, 1.943),
    ("linear", 4): (8.07, 2.406), ("dnn", 4): (8.94, 2.166), ("cnn", 4): (9.07, 2.143), ("gan", 4): (9.11, 2.130),
}  # fmt: skip
RESAMPLES = 4000


@dataclass(frozen=True)
class Row:
    """Figures of one clip, restored by one model."""

    rate: int
    ratio: int
    model: str
    clip: Clip
    values: dict[str, float]


def measure(clip: Clip, models: Sequence[str], rates: Sequence[int], phase: str | None, seconds: float) -> list[Row]:
    """Restore one clip with every model for every task of those output rates."""
    rows = []
    audio, own_rate = clip.read(seconds)
    for rate, ratio in TASKS:
        if own_rate < rate or rate not in rates:
            continue
        ref = resample(audio, own_rate, rate)
        low = resample(ref, rate, rate // ratio)
        plain = resample(low, rate // ratio, rate)
        for model in models:
            restored, _ = enhance(low, rate // ratio, Settings(model=model, rate=rate, phase=phase))
            rows.append(Row(rate, ratio, model, clip, score(ref, restored, plain, rate, rate / 2 / ratio)))
    return rows


def score(
    ref: NDArray[np.float32], restored: NDArray[np.float32], plain: NDArray[np.float32], rate: int, cutoff_hz: float
) -> dict[str, float]:
    """All metrics; the given band ends where the resampler's own slope begins."""
    samples = min(x.shape[-1] for x in (ref, restored, plain))
    signals = (x[:, :samples] for x in (ref, restored, plain))
    ref, restored, plain = signals
    return evaluate(ref, restored, rate, cutoff_hz, plain, slope_hz=0.9 * cutoff_hz)


def by_source(clips: Iterable[Clip], values: Iterable[float]) -> list[list[float]]:
    """The values grouped by the source of their clips."""
    groups: dict[str, list[float]] = {}
    for clip, value in zip(clips, values, strict=True):
        groups.setdefault(clip.source, []).append(value)
    return list(groups.values())


def interval(groups: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """Mean over all clips, and the 95 % bootstrap interval when whole sources are drawn."""
    return float(np.mean(np.concatenate(groups))), *bootstrap_interval(groups, resamples=RESAMPLES)


def print_tables(rows: Sequence[Row], models: Sequence[str]) -> None:
    """One Markdown table per task, and the paired comparison of gan below it."""
    for rate, ratio in TASKS:
        task = [row for row in rows if (row.rate, row.ratio) == (rate, ratio)]
        if not task:
            continue
        clips, sources = len({row.clip.file for row in task}), len({row.clip.source for row in task})
        print(f"\n### ×{ratio} to {rate} Hz, {clips} clips of {sources} sources\n")
        headings = [METRICS[name].label for name in SHOWN]
        print("| model | " + " | ".join(headings) + " | paper: SegSNR, LSD |")
        print("|---" * (len(SHOWN) + 2) + "|")
        for model in models:
            print_row(
                [row for row in task if row.model == model], PUBLISHED.get((model, ratio)) if rate == 16000 else None
            )
        for other in ("envelope", "sbr", "cnn"):
            print_paired(task, other)


def print_row(rows: Sequence[Row], published: tuple[float, float] | None) -> None:
    """Means of one model, with the interval of the paired figure."""
    cells = []
    for name in SHOWN:
        figures = (row.values.get(name, np.nan) for row in rows)
        mean, low, high = interval(by_source((row.clip for row in rows), figures))
        cells.append(f"{mean:.3f} ({low:.2f}–{high:.2f})" if name == PAIRED else f"{mean:.3f}")
    print(
        f"| {rows[0].model} | "
        + " | ".join(cells)
        + f" | {'–' if published is None else '{}, {}'.format(*published)} |"
    )


def print_paired(task: Sequence[Row], other: str) -> None:
    """By how much gan is better than `other`, clip by clip."""
    ours = {row.clip.file: row for row in task if row.model == "gan"}
    theirs = [row for row in task if row.model == other and row.clip.file in ours]
    if not theirs:
        return
    gains = [row.values[PAIRED] - ours[row.clip.file].values[PAIRED] for row in theirs]
    mean, low, high = interval(by_source((row.clip for row in theirs), gains))
    print(
        f"\ngan is better than {other} in {METRICS[PAIRED].label} by {mean:.3f} "
        f"(95 % over sources: {low:.3f} … {high:.3f})"
    )


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Every figure of every clip."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["rate", "ratio", "model", "file", "source", *METRICS])
        for row in rows:
            figures = [row.values.get(name, "") for name in METRICS]
            writer.writerow([row.rate, row.ratio, row.model, row.clip.file, row.clip.source, *figures])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of full-band music with a manifest.csv")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--rates", default="16000,44100", help="output rates in Hz")
    parser.add_argument("--phase", help="phase source instead of each model's own")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each clip")
    parser.add_argument("--tier", help="only clips of this tier, such as A")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("-j", "--jobs", type=int, default=2)
    options = parser.parse_args()
    models = options.models.split(",")
    clips = [clip for clip in find_clips(options.data) if options.tier in (None, clip.tier)]
    rates = [int(rate) for rate in options.rates.split(",")]
    work = partial(measure, models=models, rates=rates, phase=options.phase, seconds=options.seconds)
    rows = [row for part in for_each(clips, work, options.jobs) for row in part]
    print_tables(rows, models)
    if options.csv:
        write_csv(options.csv, rows)


if __name__ == "__main__":
    main()
