"""The engine as the rest of musr sees it: settings and a source in, samples out.

enhancer = Enhancer(Settings(model="gan", ratio=2))
with open_source(path) as source:
    job = enhancer.prepare(source)
    enhancer.run(job, source, writer.write, progress)
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np

from musr_cli.audio.formats import AudioInfo
from musr_cli.audio.reading import BLOCK_FRAMES, AudioSource
from musr_cli.dsp.band_edge import BandEdge, EdgeDetector
from musr_cli.dsp.blend import Blender
from musr_cli.dsp.phase import PhaseSource
from musr_cli.dsp.phases import NATIVE, PHASES
from musr_cli.engine.decisions import (
    MENDED,
    SURE,
    Choice,
    Edge,
    Rates,
    choose_edge,
    choose_network,
    choose_rates,
    find_edge,
    trust,
    whole_band,
)
from musr_cli.engine.device import pick_device, use_bf16
from musr_cli.engine.highband import Arithmetic, HighBand, foreign_transform
from musr_cli.engine.planner import Plan, plan
from musr_cli.engine.stream import Block, add_in_bands, overlap_add, resampled
from musr_cli.engine.survey import Excerpts, Survey, count_holes, expectations, lost_edge
from musr_cli.errors import MusrError, UnavailableError, UsageError
from musr_cli.settings import DEFAULT_MODEL
from musr_models import registry
from musr_models.contract import Band, Network, Output

PIPE_PREVIEW_S = 30.0
"""How much of a stream is held back to find its band edge."""

HOLES_WISHES = ("auto", "fill", "leave")

CHANNELS_PER_CHUNK = 8
"""Channels up to which chunks have their full length; with more they are shorter, so that memory stays bounded."""

Progress = Callable[[float], None]
"""Called with the seconds of audio that are done."""


@dataclass(frozen=True)
class Settings:
    """What the user asks for.

    Attributes:
        model: family ("gan"), checkpoint name ("gan-x2-16k") or path.
        ratio: output rate / input rate.
        rate: output rate in Hz; at most one of `ratio` and `rate`. With neither, what the model implies.
        cutoff: the input's band edge in Hz, or "auto".
        phase: name of a phase source, "native", or None for the model's default.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        precision: "auto", "fp32", "bf16".
        chunk_s: seconds that are worked on at once.
        seed: of random phases.
        holes: what becomes of holes that an encoder left below the band edge: "auto" fills them where it finds them,
            "fill" without looking, "leave" never.
    """

    model: str = DEFAULT_MODEL
    ratio: float | None = None
    rate: int | None = None
    cutoff: float | Literal["auto"] = "auto"
    phase: str | None = None
    device: str = "auto"
    precision: str = "auto"
    chunk_s: float = 10.0
    seed: int = 0
    holes: str = "auto"


@dataclass(frozen=True)
class Job:
    """Everything decided about one source, before the first sample is made.

    Attributes:
        sample_rate: of the output, in Hz.
        summary: what will be done, for people and JSON; "warnings" is a list of lines.
        untouched: why nothing is added, or None.
    """

    sample_rate: int
    summary: dict[str, Any]
    untouched: str | None
    _rates: Rates
    _restorer: HighBand | None
    _plan: Plan | None
    _preview: Iterable[Block] = field(default=(), repr=False)


class Enhancer:
    """Gives audio its high frequencies back; one enhancer serves any number of sources.

    Raises:
        UsageError: settings that make no sense.
        UnavailableError: a device that is not there.
        ModelError: an unknown model.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        registry.variants(settings.model)
        self._device = pick_device(settings.device)
        self._is_bf16 = use_bf16(settings.precision, self._device)
        if settings.phase not in {None, NATIVE, *PHASES}:
            raise UsageError(_unknown_phase(str(settings.phase)))
        if settings.holes not in HOLES_WISHES:
            raise UsageError(f"--holes {settings.holes}: use {', '.join(HOLES_WISHES)}")
        if not settings.chunk_s > 0:
            raise UsageError(f"--chunk-s {settings.chunk_s:g}: chunks need a length above 0 s")

    def prepare(self, source: AudioSource) -> Job:
        """Decide what to do with a source. A file is read once to find its band edge, of a stream the first 30 s.

        Raises:
            MusrError: the source cannot be read.
            UsageError: its rate and the settings contradict each other.
            UnavailableError: the model has no variant, or not the phase, for this.
        """
        info = source.info
        try:
            rates = choose_rates(info.sample_rate, self.settings.ratio, self.settings.rate, self.settings.model)
            look = _look(source, self._sees_all)
            measured, warnings = choose_edge(
                look.detector.result(), look.detector.moving(), self.settings.cutoff, rates
            )
            work = self._choose(measured, rates, look)
            if work is None:
                return self._leave(measured, rates, look.preview, warnings)
            return self._job(measured, rates, look.preview, info.channels, [*warnings, *work.messages], work)
        except (UsageError, UnavailableError) as error:
            raise type(error)(f"{info.name}: {error}") from error

    def run(
        self, job: Job, source: AudioSource, write: Callable[[Block], object], progress: Progress | None = None
    ) -> None:
        """Make the output, ceil(samples · output rate / input rate) samples, and hand it on in blocks.

        Args:
            job: what `prepare` decided about this source.
            source: the same one.
            write: takes [C, n], float32 or, where the source has more bits, float64.
            progress: told the seconds that are done.
        """
        done = 0
        for block in _outputs(job, job._preview or source.blocks()):
            write(block)
            done += block.shape[-1]
            if progress:
                progress(done / job.sample_rate)

    def _choose(self, measured: BandEdge, rates: Rates, look: _Look) -> _Work | None:
        """What is to be done; None where nothing is missing."""
        settings, edge = self.settings, find_edge(measured, self.settings.cutoff, rates)
        if settings.holes == "fill" and not registry.can_mend(settings.model):
            raise UnavailableError(
                f"--holes fill: '{settings.model}' fills nothing below the band edge; use {DEFAULT_MODEL}"
            )
        found = self._survey(edge, measured, rates, look) if self._sees_all else None
        if found:
            return found
        choice = choose_network(settings.model, edge, rates, is_explicit=settings.cutoff != "auto")
        if edge is None or choice is None:
            return None
        work = self._work(choice, edge, rates)
        return replace(work, messages=(choice.warning,)) if choice.warning else work

    @property
    def _sees_all(self) -> bool:
        """Whether the network says what is missing; a phase that the user names is for what lies above an edge."""
        return not self.settings.phase and registry.can_mend(self.settings.model)

    def _survey(self, edge: Edge | None, measured: BandEdge, rates: Rates, look: _Look) -> _Work | None:
        """How a recording is mended that has holes, or whose edge only a network sees; None for others."""
        is_unsure = self.settings.cutoff == "auto" and (measured.full_band or measured.confidence < SURE)
        hint = whole_band(rates) if is_unsure else edge or whole_band(rates)
        choice = choose_network(self.settings.model, hint, rates, is_explicit=True)
        if choice is None:
            return None
        mender = self._work(choice, MENDED, rates, mends=True).restorer
        seen = expectations(mender, choice.band, look.excerpts.pieces(), rates.input)
        seen_edge = trust(lost_edge(seen, mender.frequencies), measured, rates) if is_unsure else None
        known = seen_edge or edge or hint
        holes = count_holes(seen, known.cutoff_hz, mender.frequencies)
        told = replace(choice, band=Band(rates.work, known.cutoff_hz))
        if self.settings.holes == "fill" or (self.settings.holes == "auto" and holes.has_holes):
            work = self._work(told, MENDED, rates, mends=True)
            messages = (_about_holes(holes),) if holes.has_holes else ()
            return replace(work, nominal_hz=known.nominal_hz, fills_holes=True, messages=messages)
        if seen_edge is None:
            return None
        return replace(self._work(told, seen_edge, rates, mends=True), messages=(_about_edge(seen_edge),))

    def _work(self, choice: Choice, edge: Edge, rates: Rates, *, mends: bool = False) -> _Work:
        name = self.settings.phase or choice.network.default_phase
        restorer = HighBand(
            choice.network,
            choice.band,
            Blender(rates.work, edge.slope_hz, edge.cutoff_hz),
            phase_source(name, choice.network, choice.band),
            Arithmetic(self._device, self._is_bf16),
            self.settings.seed,
            mends=mends,
        )
        return _Work(restorer, name, choice.band, edge.nominal_hz)

    def _job(
        self,
        measured: BandEdge,
        rates: Rates,
        preview: Iterable[Block],
        channels: int,
        warnings: list[str],
        work: _Work,
    ) -> Job:
        restorer = work.restorer
        chunk_s = self.settings.chunk_s * min(1.0, CHANNELS_PER_CHUNK / channels)
        cut = plan(round(chunk_s * rates.work), restorer.context, restorer.align, rates.work)
        summary = self._summary(measured, rates, warnings) | {
            "network_ratio": round(work.band.ratio, 3),
            "cutoff_hz": round(work.nominal_hz),
            "holes": "filled" if work.fills_holes else "left",
            "phase": work.phase,
            "precision": "bf16" if restorer.is_bf16 else "fp32",
            "context_s": round(restorer.context / rates.work, 3),
        }
        return Job(rates.output, summary, None, rates, restorer, cut, preview)

    def _leave(self, measured: BandEdge, rates: Rates, preview: Iterable[Block], warnings: list[str]) -> Job:
        reach_hz = rates.input / 2 if measured.full_band else measured.cutoff_hz
        what = "only resampled" if rates.is_upsampling else "left untouched"
        # hiss above the edge of an old transfer passes for music
        reason = f"{what}: its band reaches {reach_hz:.0f} Hz, nothing is missing (--cutoff HZ says otherwise)"
        return Job(rates.output, self._summary(measured, rates, warnings), reason, rates, None, None, preview)

    def _summary(self, measured: BandEdge, rates: Rates, warnings: list[str]) -> dict[str, Any]:
        return {
            "model": str(self.settings.model),
            "input_rate": rates.input,
            "output_rate": rates.output,
            "work_rate": rates.work,
            "measured_cutoff_hz": round(measured.cutoff_hz),
            "confidence": round(measured.confidence, 2),
            "device": str(self._device),
            "warnings": warnings,
        }


def enhance(x: Block, sample_rate: int, settings: Settings | None = None) -> tuple[Block, int]:
    """Restore audio in memory.

    Args:
        x: [C, T], float32 or float64.
        sample_rate: in Hz.
        settings: see `Settings`.

    Returns:
        Output [C, ceil(T · rate / sample_rate)] and its rate in Hz.

    Raises:
        MusrError: as `Enhancer` and its methods do; also for samples that are not finite.
    """
    enhancer, source = Enhancer(settings or Settings()), _ArraySource(x, sample_rate)
    job = enhancer.prepare(source)
    parts = [np.zeros((len(x), 0), source.dtype)]
    enhancer.run(job, source, parts.append)
    return np.concatenate(parts, axis=-1), job.sample_rate


def phase_source(name: str, network: Network, band: Band) -> PhaseSource | None:
    """The phase source of that name, None for "native".

    Raises:
        UnavailableError: the network has no phase of its own, or a transform that the source cannot work with.
    """
    if name == NATIVE:
        if network.output is Output.MAGNITUDE:
            raise UnavailableError(
                f"--phase native: this model estimates magnitudes only; use {network.default_phase} or another source"
            )
        return None
    source = PHASES[name]
    reason = source.refuse(network.transform(band) or foreign_transform(network, band), band)
    if reason:
        raise UnavailableError(f"--phase {name}: {reason}; use {network.default_phase}")
    return source


class _ArraySource(AudioSource):
    """An array, read like a file."""

    def __init__(self, x: Block, sample_rate: int) -> None:
        if x.ndim != 2 or x.dtype not in (np.float32, np.float64):
            raise MusrError(f"array of shape {x.shape}, {x.dtype}: musr takes [channels, samples], float32 or float64")
        if not np.isfinite(x).all():
            raise MusrError("array: a sample is not a number (NaN or infinite)")
        subtype = "FLOAT" if x.dtype == np.float32 else "DOUBLE"
        super().__init__(AudioInfo(Path("array"), sample_rate, len(x), x.shape[-1], "array", subtype))
        self._x = x

    def blocks(self, frames: int = BLOCK_FRAMES) -> Iterator[Block]:
        """See `AudioSource.blocks`."""
        for start in range(0, self._x.shape[-1], frames):
            yield self._x[:, start : start + frames]


def _outputs(job: Job, blocks: Iterable[Block]) -> Iterator[Block]:
    rates, base = job._rates, resampled(blocks, job._rates.input, job._rates.output)
    if job._restorer is None or job._plan is None:
        return base
    if rates.work == rates.output:
        return (x + missing for x, missing in overlap_add(base, job._plan, job._restorer))
    return add_in_bands(base, rates.output, rates.work, job._plan, job._restorer)


@dataclass(frozen=True)
class _Look:
    """What is known of a source before anything is made.

    Attributes:
        detector: knows its band edge.
        excerpts: pieces of it, where holes matter.
        preview: all its blocks, of a stream, which passes only once; nothing of a file.
    """

    detector: EdgeDetector
    excerpts: Excerpts
    preview: Iterable[Block] = ()


@dataclass(frozen=True)
class _Work:
    """What makes what is missing.

    Attributes:
        restorer: the network with all that belongs to it.
        phase: name of the phase source.
        band: what the network is told.
        nominal_hz: the edge, as people name it.
        fills_holes: it fills holes below the edge, too.
        messages: what people should know.
    """

    restorer: HighBand
    phase: str
    band: Band
    nominal_hz: float
    fills_holes: bool = False
    messages: tuple[str, ...] = ()


def _look(source: AudioSource, wants_excerpts: bool) -> _Look:
    """Read a file once, of a stream the first `PIPE_PREVIEW_S`."""
    detector, excerpts = EdgeDetector(source.info.sample_rate), Excerpts(source.info.sample_rate)
    held, held_s, blocks = [], 0.0, (source.reread() if source.can_reread else source).blocks()
    for block in blocks:
        detector.push(block)
        if wants_excerpts:
            excerpts.push(block)
        if source.can_reread:
            continue
        held.append(block)
        held_s += block.shape[-1] / source.info.sample_rate
        if held_s >= PIPE_PREVIEW_S:
            break
    return _Look(detector, excerpts, () if source.can_reread else chain(held, blocks))


def _about_holes(holes: Survey) -> str:
    return f"an encoder left {holes.empty:.0%} of its band empty: filled (--holes leave keeps it as it is)"


def _about_edge(seen: Edge) -> str:
    return f"no sure edge is measured, but the network expects more above {seen.cutoff_hz:.0f} Hz: filled from there"


def _unknown_phase(name: str) -> str:
    known = [NATIVE, *PHASES]
    close = difflib.get_close_matches(name, known, n=1)
    return f"--phase {name}: " + (f"did you mean '{close[0]}'?" if close else f"use one of {', '.join(known)}")
