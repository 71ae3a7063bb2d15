"""The conditions of Miron & Davies 2018, in signal-to-distortion ratios: their figure 5, and what lies behind it.

    python benchmarks/autoencoders.py --data FOLDER [--seconds 5] [--visqol] [-j 2]
    python benchmarks/autoencoders.py --data FOLDER --figure out.png --train FOLDER [--every 10] --seconds 45

Full-band clips (44.1 kHz) lose what lies above 3500 or 7500 Hz in four ways: by a Butterworth filter of order 8 that
runs forwards and backwards ("zero-phase": what it leaves above the edge has the original's phase), by the same and
rounding to 16 bits (without networks), by the same filter forwards only ("causal"), and by resampling ("brickwall":
nothing is left). The SDR is that of BSS Eval images in chunks of 30 s (musr_cli/metrics/sdr.py). Every condition stands
beside the low-passed input:

- whole chain: what `musr enhance` makes of it; "random" with random phases;
- eq. 2 (of zero-phase inputs, like "random"): the paper's own join, magnitudes above the edge's bin with the input's
  phases, nothing below touched;
- unfiltered: no network at all, the inverse of the Butterworth's gain, up to 40 dB, applied to what it left (without
  the first and last quarter of a second, where the filter makes the signal up);
- true magnitudes: eq. 2 with those of the original, which no network can surpass.

Intervals are over sources. `--figure` draws the paper's figure 5 instead: eq. 2 of zero-phase inputs in the eight
conditions, of the clips of `--data` and of those of `--train`, which the networks learnt from.
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

from clips import Clip, find_clips, for_each
from musr_cli import degrade
from musr_cli.audio.resampling import resample
from musr_cli.degrade import Degradation
from musr_cli.dsp.phase import unit_phasors
from musr_cli.engine.enhancer import Settings, enhance
from musr_cli.metrics import evaluate
from musr_cli.metrics.sdr import sdr_db
from musr_cli.metrics.visqol import visqol
from musr_models import registry
from musr_models.autoencoder import SAMPLE_RATE, TRANSFORMS
from musr_models.contract import Band
from musr_models.transforms import Transform
from quality import by_source, interval

EDGES_HZ = (3500.0, 7500.0)
FORMS = ("bottleneck", "stride2")
CONDITIONS = tuple(f"{transform}-{form}" for transform in TRANSFORMS for form in FORMS)
MODELS = tuple(f"{transform}-{form}" for transform in TRANSFORMS for form in (*FORMS, "any"))
ROUNDED = "16 bit"
INPUTS = ("zero-phase", ROUNDED, "causal", "brickwall")
ORDER = 8
LARGEST_GAIN = 1e2
SLOPE = 0.8  # of the edge, where the low-pass begins to fall
FULL_SCALE = 32768
SILENCE = 2048  # samples
CHAIN, JOIN, RANDOM = "whole chain", "eq. 2", "random"
COLUMNS = {CHAIN: "SDR gain (dB)", JOIN: "eq. 2", RANDOM: "random phases", "lsd": "LSD-HF", "given": "given band (dB)"}

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Row:
    """Figures of one clip."""

    clip: Clip
    edge_hz: float
    input: str
    model: str
    values: dict[str, float]


def measure(clip: Clip, models: Sequence[str], inputs: Sequence[str], seconds: float, with_visqol: bool) -> list[Row]:
    """One clip under every condition."""
    audio, own_rate = clip.read(seconds)
    full = resample(audio, own_rate, SAMPLE_RATE)
    rows = []
    for edge_hz in EDGES_HZ:
        for name in inputs:
            how = _degradation(name, edge_hz)
            low = degrade.apply(full, SAMPLE_RATE, how)
            low = np.round(low * FULL_SCALE) / np.float32(FULL_SCALE) if name == ROUNDED else low
            figures = _without_networks(full, low, how)
            for model in models if name != ROUNDED else ():
                figures[model] = _figures(full, low, model, how, with_visqol)
            rows += [Row(clip, edge_hz, name, model, values) for model, values in figures.items()]
    return rows


def measure_joins(clip: Clip, seconds: float) -> list[Row]:
    """One clip in the eight conditions of the paper, by its own join only."""
    audio, own_rate = clip.read(seconds)
    full = resample(audio, own_rate, SAMPLE_RATE)
    rows = []
    for edge_hz in EDGES_HZ:
        low = degrade.apply(full, SAMPLE_RATE, _degradation("zero-phase", edge_hz))
        own = sdr_db(full, low, SAMPLE_RATE)
        gains = {model: sdr_db(full, _joined(low, model, edge_hz), SAMPLE_RATE) - own for model in CONDITIONS}
        figures = {"input": {CHAIN: own}} | {model: {JOIN: gain} for model, gain in gains.items()}
        rows += [Row(clip, edge_hz, "zero-phase", model, values) for model, values in figures.items()]
    return rows


def _degradation(name: str, edge_hz: float) -> Degradation:
    if name == "brickwall":
        return Degradation(degrade.RESAMPLE, edge_hz)
    return Degradation("butterworth", edge_hz, ORDER, causal=name == "causal")


def _without_networks(full: Array, low: Array, how: Degradation) -> dict[str, dict[str, float]]:
    """SDR of the input, and how much of it can be gained with nothing learnt, or with everything known."""
    own, edge_hz = sdr_db(full, low, SAMPLE_RATE), how.cutoff_hz or 0.0
    figures = {"input": {CHAIN: own}}
    if how.order:
        hz, gain = degrade.response(how, SAMPLE_RATE)
        wanted = np.interp(np.fft.rfftfreq(low.shape[-1], 1 / SAMPLE_RATE), hz, np.minimum(1 / gain, LARGEST_GAIN))
        unfiltered = np.fft.irfft(np.fft.rfft(low) * wanted, low.shape[-1]).astype(np.float32)
        inner = slice(SAMPLE_RATE // 4, -SAMPLE_RATE // 4)
        before, after = (sdr_db(full[:, inner], x[:, inner], SAMPLE_RATE) for x in (low, unfiltered))
        figures["unfiltered"] = {CHAIN: after - before}
    for name, transform in TRANSFORMS.items():
        true = _analysed(full, transform).abs()
        made = _join(low, true, transform, edge_hz)
        figures[f"true magnitudes, {name}"] = {JOIN: sdr_db(full, made, SAMPLE_RATE) - own}
    return figures


def _figures(full: Array, low: Array, model: str, how: Degradation, with_visqol: bool) -> dict[str, float]:
    edge_hz = how.cutoff_hz or 0.0
    own, made = sdr_db(full, low, SAMPLE_RATE), _enhanced(low, model, edge_hz)
    scores = evaluate(full, made, SAMPLE_RATE, edge_hz, low, slope_hz=SLOPE * edge_hz)
    values = {CHAIN: scores["sdr_db"] - own, "lsd": scores["lsd_a_hf_19k"], "given": scores["snr_given_db"]}
    if with_visqol and how.family == degrade.RESAMPLE:
        values["visqol"] = visqol(full, made, SAMPLE_RATE)
    if how.order and not how.causal and model in MODELS:
        values[JOIN] = sdr_db(full, _joined(low, model, edge_hz), SAMPLE_RATE) - own
        values[RANDOM] = sdr_db(full, _enhanced(low, model, edge_hz, "random"), SAMPLE_RATE) - own
    return values


def _enhanced(low: Array, model: str, edge_hz: float, phase: str | None = None) -> Array:
    settings = Settings(model=model, rate=SAMPLE_RATE, cutoff=edge_hz, phase=phase, precision="fp32")
    return np.asarray(enhance(low, SAMPLE_RATE, settings)[0], np.float32)


@torch.inference_mode()
def _joined(low: Array, model: str, edge_hz: float) -> Array:
    band, transform = Band(SAMPLE_RATE, edge_hz), TRANSFORMS[model.partition("-")[0]]
    estimate = registry.load(model, band)(_analysed(low, transform)[None], band)[0]
    return _join(low, estimate, transform, edge_hz)


def _join(low: Array, magnitude: torch.Tensor, transform: Transform, edge_hz: float) -> Array:
    """Eq. 2: the ramp between a bin and the next leaves a step, up to the edge's bin the input, then the estimate."""
    first = Band(SAMPLE_RATE, edge_hz).cutoff_bin(transform)
    spectrum = _analysed(low, transform)
    spectrum[..., first:, :] = magnitude[..., first:, :] * unit_phasors(spectrum[..., first:, :])
    return np.asarray(transform.synthesise(spectrum, low.shape[-1] + SILENCE).numpy())[:, : low.shape[-1]]


def _analysed(x: Array, transform: Transform) -> torch.Tensor:
    """Spectrum with silence after the end, as in the chain: what one window alone holds, its inverse blows up."""
    return transform.analyse(torch.from_numpy(np.pad(x, ((0, 0), (0, SILENCE)))))


def print_tables(rows: Sequence[Row]) -> None:
    """One table per edge and input, means over clips and the intervals of the whole chain."""
    for edge_hz in EDGES_HZ:
        for name in INPUTS:
            found = [row for row in rows if (row.edge_hz, row.input) == (edge_hz, name)]
            if found:
                print(f"\n### {edge_hz:.0f} Hz, {name}: {len({row.clip.file for row in found})} clips\n")
                _print_table(found)


def _print_table(rows: Sequence[Row]) -> None:
    columns = COLUMNS | ({"visqol": "ViSQOL"} if any("visqol" in row.values for row in rows) else {})
    print("| | " + " | ".join(columns.values()) + " |\n" + "|---" * (len(columns) + 1) + "|")
    for model in dict.fromkeys(row.model for row in rows):
        own = [row for row in rows if row.model == model]
        label = "input, its SDR" if model == "input" else model
        print(f"| {label} | " + " | ".join(_cell(own, column) for column in columns) + " |")


def _cell(rows: Sequence[Row], column: str) -> str:
    if column not in rows[0].values:
        return "–"
    mean, low, high = interval(by_source((row.clip for row in rows), (row.values[column] for row in rows)))
    return f"{mean:.2f} ({low:.2f}–{high:.2f})" if column in (CHAIN, JOIN) else f"{mean:.2f}"


def draw(parts: dict[str, Sequence[Row]], path: Path) -> None:
    """Their figure 5: SDR of the zero-phase input, and of what each network makes of it."""
    from matplotlib.figure import Figure

    figure = Figure((10, 4), layout="constrained")
    for axes, transform in zip(figure.subplots(1, 2, sharey=True), TRANSFORMS, strict=True):
        bars = [(form, edge_hz, part) for edge_hz in EDGES_HZ for form in ("input", *FORMS) for part in parts]
        for place, (form, edge_hz, part) in enumerate(bars):
            mean, low, high = interval(_levels(parts[part], transform, form, edge_hz))
            colour = {"input": "0.7", "bottleneck": "#0072B2", "stride2": "#D55E00"}[form]
            axes.bar(place, mean, color=colour, alpha=1.0 if part == "held out" else 0.5)
            axes.errorbar(place, mean, [[mean - low], [high - mean]], color="black")
        labels = [f"{form}, {edge_hz / 1000:g} kHz, {part}" for form, edge_hz, part in bars]
        axes.set_xticks(range(len(bars)), labels, fontsize=8, rotation=90)
        axes.set_title(f"{transform.upper()}, joined by eq. 2; 95 % intervals over sources", fontsize=10)
        axes.set_ylabel("SDR (dB)")
    figure.savefig(path, dpi=130)


def _levels(rows: Sequence[Row], transform: str, form: str, edge_hz: float) -> list[list[float]]:
    """SDR by source: of the input, or the input's and the gain of a network."""
    zero = [row for row in rows if (row.edge_hz, row.input) == (edge_hz, "zero-phase")]
    inputs = {row.clip.file: row.values[CHAIN] for row in zero if row.model == "input"}
    gains = {row.clip.file: row.values[JOIN] for row in zero if row.model == f"{transform}-{form}"}
    clips = [row.clip for row in zero if row.model == "input"]
    return by_source(clips, (inputs[clip.file] + gains.get(clip.file, 0.0) for clip in clips))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of full-band music with a manifest.csv")
    parser.add_argument("--train", type=Path, help="folder of music that the networks learnt from")
    parser.add_argument("--models", default=",".join((*MODELS, "restore")))
    parser.add_argument("--inputs", default=",".join(INPUTS))
    parser.add_argument("--seconds", type=float, default=20.0, help="of each clip")
    parser.add_argument("--every", type=int, default=1, help="only every so many of the clips to train on")
    parser.add_argument("--visqol", action="store_true", help="of brickwall inputs")
    parser.add_argument("--figure", type=Path, help="draw the paper's figure 5, instead of tables; needs --train")
    parser.add_argument("-j", "--jobs", type=int, default=2)
    options = parser.parse_args()
    clips = find_clips(options.data)
    if not options.figure:
        models, inputs = options.models.split(","), options.inputs.split(",")
        work = partial(measure, models=models, inputs=inputs, seconds=options.seconds, with_visqol=options.visqol)
        print_tables([row for part in for_each(clips, work, options.jobs) for row in part])
        return
    if not options.train:
        parser.error("--figure needs --train, music that the networks learnt from")
    parts = {}
    for name, found in (("trained on", find_clips(options.train)[:: options.every]), ("held out", clips)):
        work = partial(measure_joins, seconds=options.seconds)
        parts[name] = [row for part in for_each(found, work, options.jobs) for row in part]
        print(f"\n## {name}")
        print_tables(parts[name])
    draw(parts, options.figure)


if __name__ == "__main__":
    main()
