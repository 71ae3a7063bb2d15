"""`musr inspect`: what a file holds, and what could be done for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from musr_cli.console import Canvas, Progress, canvas, configure, emit_json, fail, minutes, show
from musr_cli.errors import FAILED, PARTIAL, MusrError
from musr_cli.failure import explain
from musr_cli.options import Debug, Json, NoProgress, Quiet

if TYPE_CHECKING:
    from musr_cli.audio.formats import AudioInfo
    from musr_cli.dsp.band_edge import BandEdge
    from musr_cli.dsp.spectrum import LongTermSpectrum
    from musr_cli.dsp.statistics import Statistics
    from musr_cli.plotting.terminal import Line

Files = Annotated[list[str], typer.Argument(metavar="FILE…", help="One file or more, or - for a pipe.")]


_UNITS = {"peak_dbfs": "dBFS", "rms_dbfs": "dBFS", "loudness_lufs": "LUFS"}


def inspect(
    files: Files,
    *,
    as_json: Json = False,
    quiet: Quiet = False,
    no_progress: NoProgress = False,
    debug: Debug = False,
) -> None:
    """Say what files hold: format, level, clipping, silence, where their band ends, and what enhance could do.

    The band edge is the −12 dB point of the long-term response; its confidence is how often such an answer is right
    within 200 Hz or 3 %. On a terminal, the long-term spectrum is drawn below.
    """
    configure(quiet=quiet, progress=not no_progress, debug=debug)
    drawn_on = None if as_json else canvas()
    reports: list[dict[str, Any]] = []
    drawings: list[list[Line]] = []
    codes: list[int] = []
    with Progress(len(files)) as progress:
        for place in files:
            try:
                report, drawing = _report(place, progress, drawn_on)
            except MusrError as error:
                failure = explain(error)
                fail(failure.message, failure.trace)
                codes.append(failure.exit_code)
            else:
                reports.append(report)
                drawings.append(drawing)
    if as_json:
        emit_json({"files": reports})
    else:
        _print(reports, drawings)
    if codes:
        raise typer.Exit(PARTIAL if reports else codes[0] if len(codes) == 1 else FAILED)


def _print(reports: Sequence[dict[str, Any]], drawings: Sequence[list[Line]]) -> None:
    for index, (report, drawing) in enumerate(zip(reports, drawings, strict=True)):
        print("\n" * (index > 0) + _as_text(report), end="")
        show(drawing)


def _report(place: str, progress: Progress, drawn_on: Canvas | None) -> tuple[dict[str, Any], list[Line]]:
    """Everything about one file, in one pass over it, and its spectrum for the terminal, where there is one."""
    from musr_cli.audio.formats import PIPE
    from musr_cli.audio.reading import open_source
    from musr_cli.dsp.band_edge import EdgeDetector
    from musr_cli.dsp.loudness import LoudnessMeter
    from musr_cli.dsp.spectrum import LongTermSpectrum
    from musr_cli.dsp.statistics import Statistics

    with open_source(PIPE if place == PIPE else Path(place)) as source:
        info = source.info
        bar = progress.add(info.name, info.duration_s)
        statistics = Statistics(info.sample_rate, info.channels, info.bits)
        loudness = LoudnessMeter(info.sample_rate, info.channels)
        detector, spectrum = EdgeDetector(info.sample_rate), LongTermSpectrum(info.sample_rate)
        for block in source.blocks():
            for observer in (statistics, loudness, detector):
                observer.push(block)
            if drawn_on:
                spectrum.push(block)
            progress.update(bar, statistics.frames / info.sample_rate)
        progress.remove(bar, statistics.frames / info.sample_rate)
    edge, moving = detector.result(), detector.moving()
    report = {
        **_format(info, statistics.frames),
        **_levels(statistics),
        "loudness_lufs": loudness.lufs(),
        "band_edge": asdict(edge),
        "moves_between_hz": [part.cutoff_hz for part in moving] if moving else None,
        "restorations": _restorations(info.sample_rate, edge),
    }
    return report, _drawing(spectrum, edge, drawn_on) if drawn_on else []


def _drawing(spectrum: LongTermSpectrum, edge: BandEdge, drawn_on: Canvas) -> list[Line]:
    from musr_cli.plotting.terminal import TerminalSpectrum, draw_spectra

    nyquist_hz, edge_hz = float(spectrum.frequencies_hz[-1]), None if edge.full_band else edge.cutoff_hz
    shown = TerminalSpectrum("spectrum", spectrum.mean(), nyquist_hz, edge_hz)
    return draw_spectra([shown], drawn_on.width, blocks=drawn_on.blocks)


def _format(info: AudioInfo, frames: int) -> dict[str, Any]:
    return {
        "file": info.name,
        "container": info.container,
        "subtype": info.subtype,
        "bits": info.bits,
        "sample_rate": info.sample_rate,
        "channels": info.channels,
        "samples": frames,
        "duration_s": frames / info.sample_rate,
    }


def _levels(statistics: Statistics) -> dict[str, Any]:
    leading_s, trailing_s, silent_s = statistics.silence_s()
    return {
        "peak_dbfs": _decibels(statistics.peak),
        "rms_dbfs": _decibels(statistics.rms),
        "offset": statistics.offset,
        "clipped_runs": statistics.clipped_runs,
        "leading_silence_s": leading_s,
        "trailing_silence_s": trailing_s,
        "silent_s": silent_s,
    }


def _restorations(sample_rate: int, edge: BandEdge) -> list[dict[str, Any]]:
    from musr_cli.engine.advice import possible_restorations

    return [asdict(restoration) for restoration in possible_restorations(sample_rate, edge)]


def _decibels(amplitude: float) -> float:
    return 20 * math.log10(amplitude) if amplitude else -math.inf


def _as_text(report: dict[str, Any]) -> str:
    duration_s = report["duration_s"]
    levels = {"peak": "peak_dbfs", "RMS": "rms_dbfs", "loudness": "loudness_lufs"}
    silence = {"start": "leading_silence_s", "end": "trailing_silence_s"}
    silent = report["silent_s"] / duration_s if duration_s else 0.0
    rows = {
        "format": f"{report['container']} {report['subtype']}, {report['sample_rate']} Hz, {report['channels']} ch",
        "length": f"{minutes(duration_s)} ({duration_s:.3f} s, {report['samples']} samples)",
        "level": ", ".join(f"{name} {report[key]:.1f} {_UNITS[key]}" for name, key in levels.items()),
        "clipping": f"{report['clipped_runs']} runs of full-scale samples" if report["clipped_runs"] else "none",
        "silence": ", ".join(f"{report[key]:.2f} s at the {name}" for name, key in silence.items())
        + f", {silent:.0%} in all",
        "band": _band_text(report["band_edge"], report["moves_between_hz"]),
        "restore": f"\n{'':12}".join(_restore_lines(report)),
    }
    return "\n".join([report["file"], *(f"  {name:<10}{text}" for name, text in rows.items())]) + "\n"


def _band_text(edge: dict[str, Any], moves_between_hz: list[float] | None) -> str:
    sure = f"confidence {edge['confidence']:.2f}"
    if moves_between_hz:
        sure += ", but between {:.0f} and {:.0f} Hz in different parts".format(*moves_between_hz)
    if edge["full_band"]:
        return f"no edge found: full up to {edge['cutoff_hz']:.0f} Hz, {sure}"
    return f"ends at {edge['cutoff_hz']:.0f} Hz (falls from {edge['slope_hz']:.0f} Hz), {sure}"


def _restore_lines(report: dict[str, Any]) -> list[str]:
    return [
        f"--rate {one['sample_rate']} fills {one['from_hz']:.0f} to {one['to_hz']:.0f} Hz; "
        f"models: {', '.join(one['models'])}"
        for one in report["restorations"]
    ] or ["full band, nothing to do"]
