"""Quality by kind of music and by what the recording has been through: the table that steers the default model.

    python benchmarks/by_kind.py --data FOLDER [--models restore,run/model.safetensors] [--conditions mp3-64,disc]
        [--hint auto|told|none] [--seconds 8] [--visqol] [--json all.json] [--beside former.json] [-j 1]

FOLDER holds one folder for each kind, with files named `SOURCE--PIECE`. Each clip goes through each condition
(`conditions.py`) and from there, at the rate that it has then, through the whole chain back to its own rate. Figures
look up to where each reference ends (measured over the whole file). The given band is compared with what was given:
below the edge, or, of coded music, in those cells of the STFT in which the codec kept the power within 6 dB. Means are
over clips, in brackets 95 % bootstrap intervals over sources. ViSQOL needs `pip install 'musr[visqol]'`. `--beside`
puts what another run wrote with `--json` beside this one, under the name of its file.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from clips import AUDIO, Clip, for_each
from conditions import Array, Heard, find_condition
from musr_cli.audio.resampling import resample
from musr_cli.dsp.reach import measure_end
from musr_cli.engine.enhancer import Settings, enhance
from musr_cli.errors import UnavailableError
from musr_cli.metrics import evaluate
from musr_cli.metrics.decibels import ratio_db
from musr_cli.metrics.framing import POWER_FLOOR, energy, spectrum_pairs
from musr_cli.metrics.hf_spread import hf_spread
from musr_cli.metrics.lsd import LSD_A, lsd_a
from quality import by_source, interval

CONDITIONS = (
    *("mp3-24", "mp3-48", "mp3-64", "mp3-96", "aac-64", "vorbis-64", "opus-48", "wma-48"),
    *("butterworth-11000", "bessel-4000", "resample-8000", "resample-4000", "resample-11025", "resample-5512"),
    *("telephone", "hiss-5000", "disc"),
)
FIGURES = {
    "lsd_a_end": "LSD-A",
    "lsd_a_lf_end": "LSD-A LF",
    "lsd_a_hf_end": "LSD-A HF",
    "visqol": "ViSQOL",
    "band_rms": "Band RMS",
    "band_bias": "Band bias",
    "band_correlation": "Band correlation",
    "hf_spread_end": "HF spread",
}
GIVEN = "snr_given_db"
HINTS = ("auto", "told", "none")
ALL = "all"
HELD_DB = 6.0


@dataclass(frozen=True)
class Row:
    """Figures of one clip, restored from one condition by one model; one that is undefined is absent."""

    kind: str
    condition: str
    model: str
    clip: Clip
    values: dict[str, float]


@dataclass(frozen=True)
class Plan:
    """What is done with every clip.

    Attributes:
        models: names or paths.
        conditions: names.
        hint: what the chain is told of the edge: to look for it, where it is, or nothing.
        seconds: of each clip.
        extra: optional metrics.
    """

    models: tuple[str, ...]
    conditions: tuple[str, ...]
    hint: str
    seconds: float
    extra: tuple[str, ...]

    def settings(self, model: str, heard: Heard, rate: int) -> Settings:
        """Of the chain, for an output rate in Hz."""
        if self.hint == "told":
            return Settings(model=model, rate=rate, cutoff=heard.edge_hz)
        return (
            Settings(model=model, rate=rate, cutoff="auto") if self.hint == "auto" else Settings(model=model, rate=rate)
        )


def find_clips(folder: Path) -> list[Clip]:
    """All clips in the folders of kinds, sorted; `file` is KIND/NAME."""
    paths = sorted(path for path in folder.glob("*/*") if path.suffix.lower() in AUDIO)
    return [Clip(path, str(path.relative_to(folder)), path.stem.split("--")[0]) for path in paths]


def measure(clip: Clip, plan: Plan) -> list[Row]:
    """Restore one clip from every condition with every model that can."""
    whole, rate = clip.read()
    ref, end_hz = whole[:, : round(plan.seconds * rate)], measure_end(whole, rate)
    rows = []
    for condition in plan.conditions:
        heard = find_condition(condition)(ref, rate)
        for model in plan.models:
            begun = time.perf_counter()
            try:
                restored, _ = enhance(heard.samples, heard.sample_rate, plan.settings(model, heard, rate))
            except UnavailableError:
                continue
            about = {"edge_hz": heard.edge_hz, "end_hz": end_hz, "seconds": time.perf_counter() - begun}
            values = about | figures(ref, restored, heard, rate, end_hz, plan.extra)
            rows.append(Row(clip.path.parent.name, condition, model, clip, values))
    return rows


def figures(
    ref: Array, restored: Array, heard: Heard, rate: int, end_hz: float, extra: Sequence[str]
) -> dict[str, float]:
    """All metrics of a clip [C, T] at `rate` Hz whose reference ends at `end_hz`."""
    given = resample(heard.samples, heard.sample_rate, rate)
    samples = min(x.shape[-1] for x in (ref, restored, given))
    ref, restored, given = (x[:, :samples] for x in (ref, restored, given))
    values = evaluate(ref, restored, rate, heard.edge_hz, given, slope_hz=heard.slope_hz, end_hz=end_hz, extra=extra)
    # what lies above the reference's end is left out of the low band too, where a codec's edge is higher
    values["lsd_a_lf_end"] = lsd_a(ref, restored, rate, None, min(heard.edge_hz, end_hz))
    values["hf_spread_end"] = hf_spread(ref, restored, rate, heard.edge_hz, end_hz)
    if heard.is_coded:
        values[GIVEN] = snr_held_db(ref, given, restored)
    return {name: value for name, value in values.items() if math.isfinite(value)}


def snr_held_db(ref: Array, given: Array, est: Array) -> float:
    """SNR in dB of `est` against `given`, over the cells that held sound: the codec left its power within 6 dB.

    Args:
        ref: what was coded [C, T].
        given: what came out [C, T].
        est: what was made of it [C, T].
    """
    signal = error = 0.0
    for of_given, of_est in zip(spectrum_pairs(ref, given, LSD_A), spectrum_pairs(ref, est, LSD_A), strict=True):
        is_kept = np.abs(of_given.est_log - of_given.ref_log) <= HELD_DB / 10
        held = is_kept & (of_given.ref_power > POWER_FLOOR)
        signal += energy(of_given.est[held])
        error += energy((of_given.est - of_est.est)[held])
    return float(ratio_db(signal, error)) if signal else math.nan


def print_tables(rows: Sequence[Row], plan: Plan) -> None:
    """One Markdown table for each condition: kinds, and models within each kind."""
    names = [name for name in FIGURES if name != "visqol" or name in plan.extra]
    for condition in plan.conditions:
        found = [row for row in rows if row.condition == condition]
        print(f"\n### {condition}, hint: {plan.hint}\n")
        print(
            "| kind | clips | model | "
            + " | ".join(FIGURES[name] for name in names)
            + " | SNR given band: mean, lowest |"
        )
        print("|---" * (len(names) + 4) + "|")
        for kind in [*dict.fromkeys(row.kind for row in found), ALL]:
            for model in plan.models:
                of_model = [row for row in found if kind in (row.kind, ALL) and row.model == model]
                if of_model:
                    cells = [kind, clips_of(of_model), label(model), *(mean_of(of_model, name) for name in names)]
                    print("| " + " | ".join([*cells, given_of(of_model)]) + " |")


def print_summary(rows: Sequence[Row]) -> None:
    """All conditions in one table, all kinds together, and LSD-A by kind in another."""
    models, kinds = (list(dict.fromkeys(getattr(row, name) for row in rows)) for name in ("model", "kind"))
    names = [name for name in FIGURES if any(name in row.values for row in rows)]
    tables = (
        ([FIGURES[name] for name in names] + ["SNR given band: mean, lowest"], _summary_cells(names)),
        ([f"LSD-A, {kind}" for kind in kinds], _cells_by_kind(kinds)),
    )
    for heads, cells in tables:
        print("\n| condition | model | " + " | ".join(heads) + " |")
        print("|---" * (len(heads) + 2) + "|")
        for condition in dict.fromkeys(row.condition for row in rows):
            for model in models:
                found = [row for row in rows if row.condition == condition and row.model == model]
                print("| " + " | ".join([condition, label(model), *cells(found)]) + " |")


def _summary_cells(names: Sequence[str]) -> Callable[[Sequence[Row]], list[str]]:
    return lambda rows: [*(mean_of(rows, name) for name in names), given_of(rows)]


def _cells_by_kind(kinds: Sequence[str]) -> Callable[[Sequence[Row]], list[str]]:
    return lambda rows: [mean_of([row for row in rows if row.kind == kind], "lsd_a_end") for kind in kinds]


def read_rows(path: Path, folder: Path) -> list[Row]:
    """What an earlier run wrote with `--json`; its model is called like the file."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return [
        Row(row["kind"], row["condition"], path.stem, Clip(folder / row["file"], row["file"], row["source"]), row)
        for row in found
    ]


def label(model: str) -> str:
    """The name of a model; of a file its own and that of its folder."""
    path = Path(model)
    return f"{path.parent.name}/{path.stem}" if path.suffix else model


def clips_of(rows: Sequence[Row]) -> str:
    """Clips and sources, in few letters."""
    return f"{len(rows)} of {len({row.clip.source for row in rows})}"


def mean_of(rows: Sequence[Row], name: str) -> str:
    """Mean over the clips that have the figure, and interval over sources where there are several."""
    found = [row for row in rows if name in row.values]
    if not found:
        return "–"
    groups = by_source((row.clip for row in found), (row.values[name] for row in found))
    mean, low, high = interval(groups)
    return f"{mean:.3f} ({low:.2f}–{high:.2f})" if len(groups) > 1 else f"{mean:.3f}"


def given_of(rows: Sequence[Row]) -> str:
    """SNR of the given band in dB."""
    found = [row.values[GIVEN] for row in rows if GIVEN in row.values]
    return f"{np.mean(found):.0f}, {min(found):.0f} dB" if found else "–"


def as_json(rows: Sequence[Row], plan: Plan) -> list[dict[str, Any]]:
    """Every figure of every clip."""
    return [
        {"kind": row.kind, "condition": row.condition, "hint": plan.hint, "model": row.model}
        | {"file": row.clip.file, "source": row.clip.source}
        | row.values
        for row in rows
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with one folder of clips for each kind")
    parser.add_argument("--models", default="restore", help="names or paths of checkpoints")
    parser.add_argument("--conditions", default=",".join(CONDITIONS))
    parser.add_argument(
        "--hint", choices=HINTS, default="auto", help="look for the edge, be told the true one, or nothing"
    )
    parser.add_argument("--kinds", default="", help="only these folders")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each clip")
    parser.add_argument("--visqol", action="store_true")
    parser.add_argument("--json", type=Path, help="every figure of every clip")
    parser.add_argument("--beside", type=Path, nargs="*", default=[], help="what other runs wrote with --json")
    parser.add_argument("-j", "--jobs", type=int, default=1)
    options = parser.parse_args()
    extra = ("visqol",) if options.visqol else ()
    models, conditions = (tuple(names.split(",")) for names in (options.models, options.conditions))
    for name in conditions:
        find_condition(name)
    plan = Plan(models, conditions, options.hint, options.seconds, extra)
    kinds = options.kinds.split(",") if options.kinds else []
    clips = [clip for clip in find_clips(options.data) if not kinds or clip.path.parent.name in kinds]
    rows = [row for part in for_each(clips, partial(measure, plan=plan), options.jobs) for row in part]
    print_tables(rows, plan)
    print_summary([row for path in options.beside for row in read_rows(path, options.data)] + rows)
    if options.json:
        options.json.write_text(json.dumps(as_json(rows, plan), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
