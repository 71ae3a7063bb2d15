"""The waveform networks, alone and in the whole chain, beside the figures of Retzlöff and of Zhang et al. 2024.

    python benchmarks/waveforms.py --data FOLDER [--tables retzloff,zhang,sut] [--seconds 20] [-j 2]

Clips are brought to 16 kHz (for Șut's networks, of which no figures are published, to 44.1 kHz) and from there to the
lower rate (soxr VHQ), or for Zhang et al. through their seven low-pass families. "Alone" is what a network makes of
that, "chain" what `musr enhance` does: there the given band is the input's. Zhang et al.'s table is of the solo piano
among the music, the others of all of it. Intervals are over sources. "known to 109 Hz" is no model, but noise
under the envelope of the original itself, smoothed over so many hertz: what could be had without knowing any line.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from clips import Clip, find_clips, for_each
from musr_cli import degrade
from musr_cli.audio.resampling import resample
from musr_cli.degrade import FAMILIES, RESAMPLE, Degradation
from musr_cli.dsp.filters import IIR_FAMILIES
from musr_cli.engine.enhancer import Settings, enhance
from musr_cli.metrics import evaluate
from musr_cli.metrics.visqol import visqol
from musr_models import registry
from musr_models.contract import Band
from musr_models.transforms import Stft, power
from quality import by_source, interval

RATE = 16000
HIGH_RATE = 44100
RATIOS, HIGH_RATIOS = (2, 4), (2, 4, 6)
SLOPE = 0.9  # of the edge, where low-passes begin to fall
EDGES_HZ = (2500, 3000, 3500, 4000)
PIANO = "splendid-grand--*"
RETZLOFF = ("spline", "unet", "unet-c", "unet-gan", "unet-gan-c", "wgan", "wgan-c", "sinc", "envelope")
SUT = ("sinc", "envelope", "restore", "resgan")
ZHANG = ("input", "seanet", "audiounet", "demucs", *(f"known to {hz} Hz" for hz in (47, 109, 328, 797)))
KNOWN = "known to "
KNOWN_STFT, KNOWN_FLOOR = Stft(1024, 256), 1e-8  # those of the paper's LSD
# figure 3b of Retzlöff: (SNR, LSD) on FMA; table 1 of Zhang et al.: LSD on MAESTRO
PUBLISHED = {
    ("spline", 2): (12.37, 2.32), ("unet", 2): (10.45, 2.91), ("unet-c", 2): (10.56, 2.92),
    ("unet-gan", 2): (11.69, 2.78), ("unet-gan-c", 2): (11.46, 2.79),
    ("wgan", 2): (11.73, 2.76), ("wgan-c", 2): (11.67, 2.77),
    ("spline", 4): (8.48, 3.24), ("unet", 4): (8.42, 3.37), ("unet-c", 4): (7.84, 3.44), ("unet-gan", 4): (8.22, 3.39),
    ("unet-gan-c", 4): (8.19, 3.38), ("wgan", 4): (8.55, 3.36), ("wgan-c", 4): (8.46, 3.34),
}  # fmt: skip
PUBLISHED_ZHANG = {
    "input": (2.43, 2.19, 1.97, 1.78), "seanet": (0.89, 0.78, 0.72, 0.68),
    "audiounet": (0.83, 0.74, 0.69, 0.66), "demucs": (0.82, 0.74, 0.68, 0.64),
}  # fmt: skip

# figures of the tables, and their digits
ALONE = {"snr_db": 2, "lsd_a": 3}
CHAIN = {"snr_db": 2, "lsd_a": 3, "lsd_a_hf_19k": 3, "snr_given_db": 0, "visqol": 2}

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Row:
    """Figures of one clip: task (a ratio or an edge in Hz), model, alone or in the chain."""

    task: int
    model: str
    is_chain: bool
    clip: Clip
    values: dict[str, float]


def at_ratios(
    clip: Clip, models: Sequence[str], seconds: float, ratios: Sequence[int], rate: int, with_visqol: bool
) -> list[Row]:
    """Every model at every ratio to that rate in Hz."""
    return [
        row
        for ratio in ratios
        for row in _restore(clip, models, seconds, ratio, Band(rate, rate / 2 / ratio), RESAMPLE, with_visqol)
    ]


def zhang(clip: Clip, models: Sequence[str], seconds: float) -> list[Row]:
    """Every model at four edges and seven families of low-passes."""
    return [
        row
        for edge_hz in EDGES_HZ
        for family in FAMILIES
        for row in _restore(clip, models, seconds, edge_hz, Band(RATE, edge_hz), family)
    ]


def _restore(
    clip: Clip, models: Sequence[str], seconds: float, task: int, band: Band, family: str, with_visqol: bool = False
) -> Iterator[Row]:
    rate, cutoff_hz = band.sample_rate, band.cutoff_hz
    audio, own_rate = clip.read(seconds)
    ref = resample(audio, own_rate, rate)
    how = Degradation(family, cutoff_hz, 8 if family in IIR_FAMILIES else None)
    low = degrade.apply(ref, rate, how)
    score = partial(evaluate, ref, sample_rate=rate, cutoff_hz=cutoff_hz, input=low, slope_hz=SLOPE * cutoff_hz)
    for model in models:
        if model == "input":
            yield Row(task, model, False, clip, score(low))
            continue
        if model.startswith(KNOWN):
            width_hz = float(model.removeprefix(KNOWN).removesuffix(" Hz"))
            yield Row(task, model, False, clip, score(known_envelope(ref, band, width_hz)))
            continue
        yield Row(task, model, False, clip, score(alone(model, low, band)))
        restored, _ = enhance(low, rate, Settings(model=model, rate=rate, cutoff=cutoff_hz))
        values = score(restored)
        if with_visqol:
            values["visqol"] = visqol(ref, restored, rate)
        yield Row(task, model, True, clip, values)


@torch.inference_mode()
def alone(model: str, low: Array, band: Band) -> Array:
    """What a network makes of a signal, before any blending; where it only knows magnitudes, nothing."""
    network = registry.load(model, band)
    if network.transform(band) is not None:
        return np.full_like(low, np.nan)
    return np.asarray(network(torch.from_numpy(low)[None], band)[0].numpy())


def known_envelope(ref: Array, band: Band, width_hz: float) -> Array:
    """The original below the edge; above it noise, its log power that of the original, smoothed over `width_hz`."""
    truth = KNOWN_STFT.analyse(torch.from_numpy(np.ascontiguousarray(ref)))
    noise = KNOWN_STFT.analyse(torch.randn(ref.shape, generator=torch.Generator().manual_seed(0)))
    bins = round(width_hz * KNOWN_STFT.n_fft / band.sample_rate)
    logs = power(truth).clamp_min(KNOWN_FLOOR).log().movedim(-2, -1)
    smooth = F.avg_pool1d(F.pad(logs, (bins // 2, bins // 2), mode="replicate"), bins, stride=1).movedim(-1, -2)
    level = (smooth - power(noise).log().mean()).div(2).exp()
    first = band.cutoff_bin(KNOWN_STFT)
    made = torch.cat([truth[..., :first, :], (noise * level)[..., first:, :]], dim=-2)
    return np.asarray(KNOWN_STFT.synthesise(made, ref.shape[-1]).numpy())


def print_ratios(rows: Sequence[Row], models: Sequence[str], rate: int) -> None:
    """SNR and LSD, alone and in the chain, beside Retzlöff's figure 3b."""
    for ratio in sorted({row.task for row in rows}):
        task = [row for row in rows if row.task == ratio]
        print(f"\n### ×{ratio} to {rate} Hz, {_count(task)}\n")
        print("| model | SNR alone | LSD alone | SNR | LSD | LSD HF | given band (dB) | ViSQOL | paper: SNR, LSD |")
        print("|---" * 9 + "|")
        for model in models:
            apart, chain = ([r for r in task if r.model == model and r.is_chain == wanted] for wanted in (False, True))
            cells = [_mean(apart, name, digits) for name, digits in ALONE.items()]
            cells += [_mean(chain, name, digits) for name, digits in CHAIN.items()]
            published = PUBLISHED.get((model, ratio)) if rate == RATE else None
            print(f"| {model} | " + " | ".join(cells) + f" | {'{}, {}'.format(*published) if published else '–'} |")


def print_zhang(rows: Sequence[Row], models: Sequence[str]) -> None:
    """LSD at four edges beside table 1."""
    print(f"\n### Piano, edges of 2.5 to 4 kHz, seven low-passes, {_count(rows)}\n")
    print("| model | " + " | ".join(f"{hz / 1000:g} kHz" for hz in EDGES_HZ) + " | mean | paper |\n" + "|---" * 7 + "|")
    for model in models:
        for is_chain in (False, True):
            found = [row for row in rows if row.model == model and row.is_chain == is_chain]
            if not found:
                continue
            cells = [_mean([row for row in found if row.task == hz], "lsd_zhang", 3) for hz in EDGES_HZ]
            paper = " / ".join(f"{value:.2f}" for value in PUBLISHED_ZHANG.get(model, ())) or "–"
            name = f"{model}, chain" if is_chain else model
            print(f"| {name} | " + " | ".join(cells) + f" | {_mean(found, 'lsd_zhang', 3)} | {paper} |")


def _count(rows: Sequence[Row]) -> str:
    return f"{len({row.clip.file for row in rows})} clips of {len({row.clip.source for row in rows})} sources"


def _mean(rows: Sequence[Row], name: str, digits: int) -> str:
    """Mean over clips, with the interval over sources where there are several."""
    groups = by_source((row.clip for row in rows), (row.values.get(name, np.nan) for row in rows))
    mean, low, high = interval(groups)
    spread = f" ({low:.{digits}f}–{high:.{digits}f})" if len(groups) > 1 and digits else ""
    return f"{mean:.{digits}f}{spread}" if np.isfinite(mean) else "–"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of music with a manifest.csv")
    parser.add_argument("--tables", default="retzloff,zhang,sut")
    parser.add_argument("--models", help="only these")
    parser.add_argument("--ratios", type=int, nargs="*", help="only these")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each clip")
    parser.add_argument("--visqol", action="store_true", help="of the chain; needs musr[visqol]")
    parser.add_argument("-j", "--jobs", type=int, default=2)
    options = parser.parse_args()
    clips, at = find_clips(options.data), partial(at_ratios, with_visqol=options.visqol)
    retzloff = partial(at, ratios=options.ratios or RATIOS, rate=RATE)
    sut = partial(at, ratios=options.ratios or HIGH_RATIOS, rate=HIGH_RATE)
    for table, (names, measure, show, pattern) in {
        "retzloff": (RETZLOFF, retzloff, partial(print_ratios, rate=RATE), "*"),
        "zhang": (ZHANG, zhang, print_zhang, PIANO),
        "sut": (SUT, sut, partial(print_ratios, rate=HIGH_RATE), "*"),
    }.items():
        if table in options.tables.split(","):
            models = options.models.split(",") if options.models else names
            chosen = [clip for clip in clips if clip.path.match(pattern)]
            work = partial(measure, models=models, seconds=options.seconds)
            show([row for part in for_each(chosen, work, options.jobs) for row in part], models)


if __name__ == "__main__":
    main()
