"""The report of `musr eval` as one page: tables, diagrams, and a few clips to look at and to listen to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from musr_cli import __version__
from musr_cli.metrics.by_frequency import CONVENTION
from musr_cli.metrics.comparison import Fitted, fit_files
from musr_cli.metrics.registry import METRICS
from musr_cli.metrics.systems import System, duels
from musr_cli.metrics.tables import json_duel
from musr_cli.pages.excerpts import Signal, as_flac, loudest_start, matching_gains
from musr_cli.pages.page import render
from musr_cli.pages.thumbnails import HEIGHT, WIDTH, thumbnails

RANKED_BY = "lsd_a"
INPUT, REFERENCE = "input", "reference"
_TICKS_HZ = (1000, 2000, 5000)
_MOST_TICKS = 5
_CAPTION = ("lsd_a_hf_end", "lsd_a", "snr_given_db")


def build(reference: Path, systems: Sequence[System], clips: int, seconds: float) -> str:
    """The page.

    Args:
        reference: what was measured against, for the heading.
        systems: their results, with errors by frequency.
        clips: of how many there are sound and pictures, from the worst to the best.
        seconds: of each of those, at most.

    Raises:
        MusrError: a file that was read before cannot be read any more.
    """
    data = {
        "reference": reference.name,
        "version": __version__,
        "made": date.today().isoformat(),
        "systems": [system.name for system in systems],
        "metrics": [asdict(metric) for metric in METRICS.values()],
        "rows": _rows(systems),
        "summaries": {s.name: {name: asdict(summary) for name, summary in s.summaries.items()} for s in systems},
        "paired": [json_duel(duel) for duel in duels(systems, list(METRICS))],
        "spectra": _spectra(systems),
        "cutoffs_hz": _cutoffs_hz(systems),
        "clips": [_clip(name, systems, seconds) for name in choose(systems, clips)],
        "left_out": [
            {"system": system.name, "problem": problem} for system in systems for problem in system.problems.values()
        ],
        "notes": _notes(systems),
    }
    title = f"{', '.join(system.name for system in systems)} against {reference.name}"
    return render(title, data, ("page", "player", "charts", "report"), "report")


def choose(systems: Sequence[System], count: int) -> list[str]:
    """Names of `count` pairs, at equal distances from the worst to the best in LSD, all systems together."""
    values: dict[str, list[float]] = {}
    for system in systems:
        for name, value in system.values(RANKED_BY).items():
            values.setdefault(name, []).append(value)
    ranked = sorted(values, key=lambda name: (-float(np.mean(values[name])), name))
    count = min(count, len(ranked))
    return [ranked[round(index * (len(ranked) - 1) / max(count - 1, 1))] for index in range(count)]


def _rows(systems: Sequence[System]) -> list[dict[str, Any]]:
    return [
        {"clip": name, "system": system.name, "metrics": comparison.metrics}
        for system in systems
        for name, (_, comparison) in system.results.items()
    ]


def _notes(systems: Sequence[System]) -> list[str]:
    notes = (note for system in systems for _, comparison in system.results.values() for note in comparison.notes)
    return list(dict.fromkeys(notes))


def _cutoffs_hz(systems: Sequence[System]) -> list[float]:
    """The one band edge of all clips, as a list; empty where they differ by more than a tenth of an octave."""
    comparisons = [comparison for system in systems for _, comparison in system.results.values()]
    edges = [comparison.cutoff_hz for comparison in comparisons if comparison.cutoff_hz]
    return [float(np.median(edges))] if edges and max(edges) < 2**0.1 * min(edges) else []


def _spectra(systems: Sequence[System]) -> dict[str, Any] | None:
    """Errors and levels by frequency, means over clips; the reference's level from the first system that has any."""
    known = {system.name: errors for system in systems if (errors := system.bands)}
    if not known:
        return None
    longest = max(known.values(), key=lambda errors: len(errors.hz))
    return {
        "convention": f"{CONVENTION}. The dashed upright line marks the band edge.",
        "hz": longest.hz.tolist(),
        "reference_db": longest.ref_db.tolist(),
        "systems": {
            name: {"error": errors.error.tolist(), "level_db": errors.est_db.tolist()} for name, errors in known.items()
        },
    }


def _clip(name: str, systems: Sequence[System], seconds: float) -> dict[str, Any]:
    """One clip with all its versions, cut to the reference's loudest part."""
    fits = {system.name: fit_files(system.results[name][0]) for system in systems if name in system.results}
    figures = {system.name: system.results[name][1].metrics for system in systems if name in system.results}
    rate = next(iter(fits.values())).sample_rate
    versions = _cut(_on_one_time(fits), rate, seconds)
    # the reference's loudness is what the others are matched with
    names = [REFERENCE, *(name for name in versions if name != REFERENCE)]
    gains = dict(zip(names, matching_gains([versions[name] for name in names], rate), strict=True))
    pictures = thumbnails(list(versions.values()), rate)
    return {
        "name": name,
        "sample_rate": rate,
        "seconds": versions[REFERENCE].shape[-1] / rate,
        "top_hz": rate / 2,
        "ticks_hz": _ticks_hz(rate / 2),
        "width": WIDTH,
        "height": HEIGHT,
        "versions": [
            {
                "label": label,
                "audio": as_flac(x, rate),
                "gain": gains[label],
                "image": picture,
                "metrics": {key: figures[label][key] for key in _CAPTION if key in figures.get(label, {})},
            }
            for (label, x), picture in zip(versions.items(), pictures, strict=True)
        ],
    }


def _on_one_time(fits: Mapping[str, Fitted]) -> dict[str, Signal]:
    """Input, estimates and reference [C, T], where there are all of them."""
    start = max(fit.start for fit in fits.values())
    stop = min(fit.start + fit.ref.shape[-1] for fit in fits.values())
    cut = {name: slice(start - fit.start, stop - fit.start) for name, fit in fits.items()}
    first_name, first = next(iter(fits.items()))
    given = {} if first.given is None else {INPUT: first.given[:, cut[first_name]]}
    estimates = {name: fit.est[:, cut[name]] for name, fit in fits.items()}
    return given | estimates | {REFERENCE: first.ref[:, cut[first_name]]}


def _cut(versions: Mapping[str, Signal], sample_rate: int, seconds: float) -> dict[str, Signal]:
    start = loudest_start(versions[REFERENCE], sample_rate, seconds)
    return {label: x[:, start : start + round(seconds * sample_rate)] for label, x in versions.items()}


def _ticks_hz(top_hz: float) -> list[int]:
    step = next((hz for hz in _TICKS_HZ if top_hz / hz <= _MOST_TICKS), _TICKS_HZ[-1])
    return [hz for hz in range(step, int(top_hz), step) if hz < 0.97 * top_hz]
