"""How often holes of encoders are found in music, and how often where no encoder has been.

    python benchmarks/holes.py --data FOLDER... [--lossy FOLDER...] [--files 500] [--model restore] [--json all.json]

Excerpts of 8 s, drawn from all files of the folders that are long enough: every other one goes through an encoder, the
others stay as they are, are low-passed, resampled or get hiss (`conditions.py`). Each is looked at as `musr inspect`
does it. `--data` must never have been coded: its share with holes is that of false alarms. A third is drawn from
`--lossy`, music that may have holes of its own, which is told apart. Beside the shares that the network finds (`Survey`
in `musr_cli/engine/survey.py`) stands one that needs none: of cells of 4 bins that are more than 20 dB below their
median over 17 frames. `HOLES` is a threshold of sharp holes.

The last table is of a fit of MP3's bitrate to the edge and the share of sharp holes, `BITRATE` there: each file's is
estimated by a fit to the other sources.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from clips import AUDIO, Clip, for_each
from conditions import Array, Heard, find_condition
from musr_cli.dsp.band_edge import BandEdge, detect
from musr_cli.engine.survey import HOLES, MP3_KBPS, Excerpts, bitrate_features, find_mender, nearest_kbps, survey
from musr_cli.errors import MusrError
from musr_models.transforms import Stft, power

RANGES = ((24, 40), (48, 64), (80, 112), (128, 192))
CODECS = ("mp3", "mp3", "mp3-vbr", "aac", "vorbis", "opus", "wma")
"""MP3 twice: it is what most people have, and what bitrates are fitted to."""

UNCODED = ("as-is", "as-is", "lowpass", "lowpass", "resample", "resample", "telephone", "disc", "hiss")
LOWPASSES = ("butterworth", "chebyshev1", "chebyshev2", "elliptic", "bessel", "subsampling", "stft")
EDGES_HZ = (3000, 4000, 5512, 8000, 11025, 13000, 16000)
THRESHOLDS = (0.0005, 0.001, 0.002, 0.003, 0.004, 0.006, 0.01, 0.02, 0.05, 0.1)
FALSE_ALARMS = 0.02
SECONDS = 8.0
RIGHT = 1.5
"""A bitrate within this factor is right."""

CELL_BINS, MEDIAN_FRAMES, FAR_BELOW = 4, 17, 0.01


@dataclass(frozen=True)
class Trial(Clip):
    """One excerpt, whose `source` is the data folder, and what is done with it.

    Attributes:
        start_s: where it begins, in seconds.
        what: a codec, or one of `UNCODED`.
        condition: a name of `conditions.py`; empty for none.
        kbps: for two channels; 0 where there is no codec.
        is_clean: the source has never been coded.
    """

    start_s: float = 0.0
    what: str = ""
    condition: str = ""
    kbps: int = 0
    is_clean: bool = True


@dataclass(frozen=True)
class Result:
    """What was found.

    Attributes:
        file: the source.
        folder: of the data.
        what: see `Trial`.
        condition: see `Trial`.
        kbps: see `Trial`.
        edge_hz: measured.
        empty: share of empty cells.
        sharp: share of sharp holes.
        cheap: of cells far below their median over time, which needs no network.
        is_clean: the source has never been coded.
    """

    file: str
    folder: str
    what: str
    condition: str
    kbps: int
    edge_hz: float
    empty: float
    sharp: float
    cheap: float
    is_clean: bool = True


Figure = Callable[[Result], float]


def plan(folders: Sequence[Path], lossy: Sequence[Path], count: int, seed: int) -> list[Trial]:
    """What is drawn: sources in turns, so that none counts more than others."""
    rng = np.random.default_rng(seed)
    clean = _plan(folders, count if not lossy else count - count // 3, rng)
    others = _plan(lossy, count // 3, rng) if lossy else []
    return clean + [replace(trial, is_clean=False) for trial in others]


def _plan(folders: Sequence[Path], count: int, rng: np.random.Generator) -> list[Trial]:
    found = [(folder, path) for folder in folders for path in sorted(folder.rglob("*")) if path.suffix.lower() in AUDIO]
    clips = [Clip(path, str(path.relative_to(folder)), str(folder)) for folder, path in found if _is_long(path)]
    if not clips:
        raise SystemExit(f"no file of {SECONDS:g} s or more in {', '.join(map(str, folders))}")
    order: list[Clip] = []
    while len(order) < count:
        order += [clips[index] for index in rng.permutation(len(clips))]
    return [_draw(clip, number, rng) for number, clip in enumerate(order[:count])]


def _is_long(path: Path) -> bool:
    return bool(soundfile.info(path).duration >= SECONDS)


def _draw(clip: Clip, number: int, rng: np.random.Generator) -> Trial:
    start_s = float(rng.uniform(0, soundfile.info(clip.path).duration - SECONDS))
    where = (clip.path, clip.file, clip.source)
    if number % 2:
        what, kbps = str(rng.choice(CODECS)), int(rng.choice(MP3_KBPS))
        return Trial(*where, start_s=start_s, what=what, condition=f"{what}-{kbps}", kbps=kbps)
    what, edge_hz = str(rng.choice(UNCODED)), int(rng.choice(EDGES_HZ))
    family = str(rng.choice(LOWPASSES)) if what == "lowpass" else what
    named = {"as-is": "", "telephone": what, "disc": what}
    return Trial(*where, start_s=start_s, what=what, condition=named.get(what, f"{family}-{edge_hz}"))


def hear(trial: Trial) -> Heard:
    """The excerpt, after what it has to go through."""
    with soundfile.SoundFile(trial.path) as stream:
        rate = int(stream.samplerate)
        stream.seek(round(trial.start_s * rate))
        x = np.ascontiguousarray(stream.read(round(SECONDS * rate), dtype="float32", always_2d=True).T)
    return find_condition(trial.condition)(x, rate) if trial.condition else Heard(x, rate, rate / 2, rate / 2)


def measure(trial: Trial, model: str) -> Result | None:
    """Look at one excerpt; None where it is silent, or the encoder refuses so few bits."""
    try:
        heard = hear(trial)
    except MusrError:
        return None
    if not heard.samples.any():
        return None
    edge = detect(heard.samples, heard.sample_rate)
    pieces = Excerpts(heard.sample_rate)
    pieces.push(heard.samples)
    restorer, band = find_mender(heard.sample_rate, edge, model)
    found = survey(restorer, band, pieces.pieces(), heard.sample_rate)
    cheap = cheap_share(heard.samples, heard.sample_rate, edge)
    about = (trial.file, trial.source, trial.what, trial.condition, trial.kbps)
    return Result(*about, edge.cutoff_hz, found.empty, found.sharp, cheap, trial.is_clean)


def cheap_share(x: Array, sample_rate: int, edge: BandEdge) -> float:
    """Share of cells between 500 Hz and 0.9 of the edge that are far below their median over time, 0 to 1."""
    from scipy.ndimage import median_filter

    stft = Stft(2048, 512)
    powers: NDArray[np.float32] = power(stft.analyse(torch.from_numpy(x))).mean(dim=0).numpy()
    hz = stft.frequencies(sample_rate)
    first, last = np.searchsorted(hz, [500.0, 0.9 * edge.cutoff_hz])
    frames = powers.sum(axis=0)
    count = max(int(last - first) // CELL_BINS, 1)
    cells = powers[first : first + count * CELL_BINS, frames > 1e-6 * frames.max()]
    if not cells.size:
        return 0.0
    cells = cells.reshape(count, CELL_BINS, -1).mean(axis=1)
    return float(np.mean(cells < FAR_BELOW * median_filter(cells, (1, MEDIAN_FRAMES))))


def shares(results: Sequence[Result], figure: Figure, threshold: float) -> str:
    """How many of them have holes, in percent."""
    return f"{np.mean([figure(one) >= threshold for one in results]):.1%}" if results else "–"


def best_threshold(uncoded: Sequence[Result], figure: Figure) -> float:
    """The lowest with few enough false alarms."""
    figures = sorted((figure(one) for one in uncoded), reverse=True)
    allowed = int(FALSE_ALARMS * len(figures))
    return float(np.nextafter(figures[allowed], np.inf)) if figures else 0.0


def print_shares(name: str, results: Sequence[Result], figure: Figure, thresholds: Sequence[float]) -> None:
    """A table: what files have been through, and the share in which holes were found, by threshold."""
    print(f"\n### {name}\n\n| | files | " + " | ".join(f"{threshold:.2%}" for threshold in thresholds) + " |")
    print("|---" * (len(thresholds) + 2) + "|")
    coded = [one for one in results if one.kbps]
    uncoded = [one for one in results if not one.kbps and one.is_clean]
    before = [one for one in results if not one.kbps and not one.is_clean]
    rows = {f"{what} {low}–{high}": _in_range(coded, what, low, high) for what in _kinds(coded) for low, high in RANGES}
    rows |= {f"all coded {low}–{high}": _in_range(coded, "", low, high) for low, high in RANGES}
    rows |= {f"uncoded: {what}": [one for one in uncoded if one.what == what] for what in _kinds(uncoded)}
    rows |= {"all uncoded": uncoded}
    rows |= {f"coded before: {folder}": [one for one in before if one.folder == folder] for folder in _folders(before)}
    for row, chosen in rows.items():
        cells = [str(len(chosen)), *(shares(chosen, figure, threshold) for threshold in thresholds)]
        print(f"| {row} | " + " | ".join(cells) + " |")


def _in_range(results: Sequence[Result], what: str, low: int, high: int) -> list[Result]:
    return [one for one in results if what in ("", one.what) and low <= one.kbps <= high]


def _kinds(results: Sequence[Result]) -> list[str]:
    return sorted({one.what for one in results})


def _folders(results: Sequence[Result]) -> list[str]:
    return sorted({one.folder for one in results})


def print_bitrates(results: Sequence[Result], threshold: float) -> None:
    """Fit MP3's bitrate, and say how far off it is for files that the fit has not seen, of each codec."""
    found = [one for one in results if one.kbps and one.sharp >= threshold]
    mp3 = [one for one in found if one.what == "mp3"]
    if len({one.file for one in mp3}) < 10:
        print("\ntoo few MP3 files to fit bitrates to")
        return
    print("\n### Bitrate where holes are found\n\nBITRATE =", tuple(float(f"{one:.3f}") for one in fit(mp3)))
    print(f"\n| | files | right within a factor of {RIGHT:g} | median factor |\n|---|---|---|---|")
    for what in _kinds(found):
        factors = [_factor(one, mp3) for one in found if one.what == what]
        right = np.mean([factor <= RIGHT for factor in factors])
        print(f"| {what} | {len(factors)} | {right:.0%} | {np.median(factors):.2f} |")


def fit(results: Sequence[Result]) -> NDArray[np.float64]:
    """Weights of `bitrate_features`."""
    features = np.array([bitrate_features(one.edge_hz, one.sharp) for one in results])
    weights, *_ = np.linalg.lstsq(features, np.log2([one.kbps for one in results]), rcond=None)
    return np.asarray(weights)


def _factor(one: Result, mp3: Sequence[Result]) -> float:
    """By how much the bitrate is wrong after a fit to the other sources; 1 or more."""
    weights = fit([other for other in mp3 if other.file != one.file])
    ratio = nearest_kbps(float(bitrate_features(one.edge_hz, one.sharp) @ weights)) / one.kbps
    return max(ratio, 1 / ratio)


def report(results: Sequence[Result]) -> None:
    """All tables."""
    clean = [one for one in results if not one.kbps and one.is_clean]
    figures: dict[str, Figure] = {
        "sharp holes": lambda one: one.sharp,
        "all empty cells": lambda one: one.empty,
        "without a network": lambda one: one.cheap,
    }
    for name, figure in figures.items():
        best = best_threshold(clean, figure)
        title = f"{name}; first: the lowest threshold with at most {FALSE_ALARMS:.0%} false alarms"
        print_shares(f"Share of files with holes: {title}", results, figure, [best, *THRESHOLDS])
    print_bitrates(results, HOLES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of music, searched recursively")
    parser.add_argument(
        "--lossy", type=Path, nargs="+", default=[], help="more music, which may have been coded before"
    )
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--model", default="restore", help="name or path of a checkpoint that mends")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="what was found in every file")
    parser.add_argument("-j", "--jobs", type=int, default=1)
    options = parser.parse_args()
    trials = plan(options.data, options.lossy, options.files, options.seed)
    found = for_each(trials, partial(measure, model=options.model), options.jobs)
    results = [one for one in found if one is not None]
    report(results)
    if options.json:
        whole = [asdict(one) for one in results]
        options.json.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
