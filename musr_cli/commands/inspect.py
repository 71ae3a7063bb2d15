"""`musr inspect`: what a file holds, and what could be done for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from musr_cli.console import Canvas, Progress, canvas, configure, emit_json, fail, minutes, show
from musr_cli.errors import FAILED, PARTIAL, MusrError
from musr_cli.failure import explain
from musr_cli.options import Debug, Json, Model, NoProgress, Quiet
from musr_cli.settings import DEFAULT_MODEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from musr_cli.audio.formats import AudioInfo
    from musr_cli.dsp.band_edge import BandEdge, EdgeDetector
    from musr_cli.dsp.hiss import Hiss, HissMeter
    from musr_cli.dsp.loudness import LoudnessMeter
    from musr_cli.dsp.spectrum import LongTermSpectrum
    from musr_cli.dsp.statistics import Statistics
    from musr_cli.engine.survey import Excerpts
    from musr_cli.plotting.terminal import Line

Files = Annotated[list[str], typer.Argument(metavar="FILE…", help="One file or more, or - for a pipe.")]


_UNITS = {"peak_dbfs": "dBFS", "rms_dbfs": "dBFS", "loudness_lufs": "LUFS"}


def inspect(
    files: Files,
    *,
    model: Model = DEFAULT_MODEL,
    as_json: Json = False,
    quiet: Quiet = False,
    no_progress: NoProgress = False,
    debug: Debug = False,
) -> None:
    """Say what files hold: format, level, clipping, silence, hiss, where their band ends and what an encoder took.

    The band edge is the −12 dB point of the long-term response; its confidence is how often such an answer is right
    within 200 Hz or 3 %. Holes are what the model expects below the edge and does not find in a few excerpts; the
    bitrate is the one at which MP3 leaves as many, for two channels. Hiss is noise that stays while music pauses.
    On a terminal, the long-term spectrum is drawn below.
    """
    configure(quiet=quiet, progress=not no_progress, debug=debug)
    from musr_models import registry

    # an unknown name is no fault of any file
    registry.variants(model)
    drawn_on = None if as_json else canvas()
    reports: list[dict[str, Any]] = []
    drawings: list[list[Line]] = []
    codes: list[int] = []
    with Progress(len(files)) as progress:
        for place in files:
            try:
                report, drawing = _report(place, model, progress, drawn_on)
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


@dataclass(frozen=True)
class _Observers:
    """What is fed with all blocks of a file."""

    statistics: Statistics
    loudness: LoudnessMeter
    detector: EdgeDetector
    hiss: HissMeter
    excerpts: Excerpts
    spectrum: LongTermSpectrum | None

    def push(self, block: NDArray[Any]) -> None:
        """Take the next block [C, n]."""
        for observer in (self.statistics, self.loudness, self.detector, self.hiss, self.excerpts):
            observer.push(block)
        if self.spectrum:
            self.spectrum.push(block)


def _observers(info: AudioInfo, *, draws: bool) -> _Observers:
    from musr_cli.dsp.band_edge import EdgeDetector
    from musr_cli.dsp.hiss import HissMeter
    from musr_cli.dsp.loudness import LoudnessMeter
    from musr_cli.dsp.spectrum import LongTermSpectrum
    from musr_cli.dsp.statistics import Statistics
    from musr_cli.engine.survey import Excerpts

    rate = info.sample_rate
    statistics, loudness = Statistics(rate, info.channels, info.bits), LoudnessMeter(rate, info.channels)
    spectrum = LongTermSpectrum(rate) if draws else None
    return _Observers(statistics, loudness, EdgeDetector(rate), HissMeter(rate), Excerpts(rate), spectrum)


def _report(place: str, model: str, progress: Progress, drawn_on: Canvas | None) -> tuple[dict[str, Any], list[Line]]:
    """Everything about one file, in one pass over it, and its spectrum for the terminal, where there is one."""
    from musr_cli.audio.formats import PIPE
    from musr_cli.audio.reading import open_source

    with open_source(PIPE if place == PIPE else Path(place)) as source:
        info, seen = source.info, _observers(source.info, draws=drawn_on is not None)
        bar = progress.add(info.name, info.duration_s)
        for block in source.blocks():
            seen.push(block)
            progress.update(bar, seen.statistics.frames / info.sample_rate)
        progress.remove(bar, seen.statistics.frames / info.sample_rate)
    edge, moving = seen.detector.result(), seen.detector.moving()
    report = {
        **_format(info, seen.statistics.frames),
        **_levels(seen.statistics),
        "loudness_lufs": seen.loudness.lufs(),
        "band_edge": asdict(edge),
        "moves_between_hz": [part.cutoff_hz for part in moving] if moving else None,
        "holes": _holes(seen.excerpts, info.sample_rate, edge, model),
        **_hiss(seen.hiss.result()),
        "restorations": _restorations(info.sample_rate, edge),
    }
    return report, _drawing(seen.spectrum, edge, drawn_on) if drawn_on and seen.spectrum else []


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


def _holes(excerpts: Excerpts, sample_rate: int, edge: BandEdge, model: str) -> dict[str, Any] | None:
    """What an encoder took; None where nothing says so, also where a model knows nothing of holes at this rate."""
    from musr_cli.engine.survey import find_mender, like_mp3_kbps, survey
    from musr_cli.errors import UnavailableError

    try:
        restorer, band = find_mender(sample_rate, edge, model)
    except UnavailableError:
        return None
    found = survey(restorer, band, excerpts.pieces(), sample_rate)
    if not found.has_holes:
        return None
    return {"empty": found.empty, "sharp": found.sharp, "like_mp3_kbps": like_mp3_kbps(edge.cutoff_hz, found.sharp)}


def _hiss(found: Hiss | None) -> dict[str, Any]:
    return {
        "hiss_dbfs": found.level_dbfs if found else None,
        "hiss_between_hz": [found.from_hz, found.to_hz] if found else None,
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
        "holes": _holes_text(report["holes"]),
        "hiss": _hiss_text(report["hiss_dbfs"], report["hiss_between_hz"]),
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


def _holes_text(holes: dict[str, Any] | None) -> str:
    if holes is None:
        return "none found"
    return f"{holes['empty']:.0%} of the band is empty, like MP3 at about {holes['like_mp3_kbps']} kbit/s"


def _hiss_text(level_dbfs: float | None, between_hz: Sequence[float] | None) -> str:
    if level_dbfs is None or between_hz is None:
        return "none found"
    return "{:.0f} dBFS between {:.0f} and {:.0f} Hz, which stays in pauses".format(level_dbfs, *between_hz)


def _restore_lines(report: dict[str, Any]) -> list[str]:
    return [
        f"--rate {one['sample_rate']} fills {one['from_hz']:.0f} to {one['to_hz']:.0f} Hz; "
        f"models: {', '.join(one['models'])}"
        for one in report["restorations"]
    ] or ["full band, nothing to do"]
