"""One training run from recipe to checkpoint: cache, statistics, steps, validation, resume."""

from __future__ import annotations

import csv
import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import tomli_w
import torch
from numpy.typing import NDArray

from musr_cli import degrade
from musr_cli.errors import MusrError, UsageError
from musr_cli.metrics.lsd import HF_LIMIT_HZ, lsd_a
from musr_cli.training.data import Clip, ClipCache, make_batch, matches, open_cache
from musr_cli.training.distributed import Processes, processes
from musr_cli.training.loop import Limits, Report, set_statistics, train
from musr_cli.training.recipe import Recipe, recipe_values
from musr_cli.training.state import State, load_state, new_state, save_state
from musr_models.blocks import LogPowerNetwork
from musr_models.checkpoint import Card, build, load_checkpoint, save_checkpoint
from musr_models.contract import Network
from musr_models.registry import weights_folder

CHECKPOINT_EVERY_S = 120.0
VALIDATION_CLIPS = 24
VALIDATION_S = 6.0
STATISTICS_BATCHES = 32
# batches are keyed by step: statistics come from crops that no step of training sees
_STATISTICS_STEP = 2**31
BASELINES = ("sinc", "sbr", "envelope")

Array = NDArray[np.float32]
# (name or folder of a model; band-limited signal [C, T]; rate in Hz; cutoff in Hz) → restored signal [C, T]
Restore = Callable[[str, Array, int, float], Array]


@dataclass(frozen=True)
class Session:
    """What the user asked for.

    Attributes:
        recipe: what to train.
        data: folder of music.
        out: folder for the checkpoint and the state of training.
        cache_dir: where decoded clips are kept.
        limits: when to stop.
        device: where to train.
        bf16: run the network in bfloat16.
        resume: go on from the state in `out`.
        restore: the engine, for validation through the whole chain.
        note: tells people something.
        on_report: losses and speed every few steps.
    """

    recipe: Recipe
    data: Path
    out: Path
    cache_dir: Path
    limits: Limits
    restore: Restore
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    bf16: bool = False
    resume: bool = False
    note: Callable[[str], None] = print
    on_report: Callable[[Report], None] = lambda report: None


def run(session: Session) -> Card:
    """Train, and return the card of the checkpoint in `session.out`.

    Raises:
        MusrError: no usable data, or an `out` that holds another run.
    """
    with processes(session.device) as group:
        torch.manual_seed(session.recipe.seed)
        clips = _clips(session, group)
        state = _start(session, clips)
        keeper = _Keeper(session, clips, state, group)
        size = max(1, session.recipe.data.batch // group.count)
        train(
            state,
            lambda step: make_batch(clips.cache, clips.training, session.recipe, step, size, group.rank),
            session.recipe,
            session.limits,
            group=group,
            bf16=session.bf16,
            on_report=keeper.report,
            on_step=keeper.step,
        )
        return keeper.finish()


@dataclass(frozen=True)
class _Clips:
    cache: ClipCache
    training: Sequence[Clip]
    validation: Sequence[Clip]


def _clips(session: Session, group: Processes) -> _Clips:
    data = session.recipe.data
    # one process decodes, the others find the cache made
    for rank in range(group.count):
        if rank == group.rank:
            cache = open_cache(session.data, data.sample_rate, session.cache_dir, data.exclude, session.note)
        group.wait()
    held = cache.select(lambda file: matches(file, data.holdout))
    training = cache.select(lambda file: not matches(file, data.holdout))
    if not training:
        raise MusrError(f"{session.data}: the recipe holds out every file; change its 'holdout' or give more music")
    return _Clips(cache, training, held)


def _start(session: Session, clips: _Clips) -> State:
    recipe = session.recipe
    state_folder = session.out / "training"
    if not session.resume and (state_folder / "state.safetensors").exists():
        raise UsageError(f"{session.out}: holds an earlier run; go on with --resume, or choose another --out")
    network = _network(recipe).to(session.device)
    if not session.resume and not recipe.start_from:
        steps = range(_STATISTICS_STEP, _STATISTICS_STEP + STATISTICS_BATCHES)
        batches = (make_batch(clips.cache, clips.training, recipe, step, recipe.data.batch) for step in steps)
        with torch.no_grad():
            set_statistics(network, batches, recipe.data.sample_rate)
        network.to(session.device)
    state = new_state(network, recipe)
    if session.resume:
        load_state(state_folder, state, recipe)
    return state


def _network(recipe: Recipe) -> LogPowerNetwork:
    if recipe.start_from:
        network: Network = load_checkpoint(weights_folder() / f"{recipe.start_from}.toml")
    else:
        network = build(recipe.architecture, recipe.network)
    if not isinstance(network, LogPowerNetwork):
        raise UsageError(f"recipe '{recipe.name}': architecture '{recipe.architecture}' is not trained by steps")
    return network


class _Keeper:
    """Keeps what a run brings: validation curve, best weights, state to resume from."""

    def __init__(self, session: Session, clips: _Clips, state: State, group: Processes) -> None:
        self.session, self.clips, self.state, self.group = session, clips, state, group
        self.folder = session.out / "training"
        self.saved_at = time.monotonic()
        self.last = Report(state.step, 0.0)
        self.card: Card | None = None
        self.board = _board(self.folder) if group.is_first else None
        if group.is_first and not session.resume:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / "recipe.toml").write_text(tomli_w.dumps(recipe_values(session.recipe)), encoding="utf-8")
            for name in BASELINES:
                self._validate(name, name)

    def report(self, report: Report) -> None:
        """Pass on losses and speed."""
        self.last = report
        if self.group.is_first:
            for name, loss in report.losses.items():
                self._scalar(f"loss/{name}", loss)
            self.session.on_report(report)

    def step(self, state: State) -> None:
        """Save the state every few minutes, and at each such point validate."""
        due = time.monotonic() - self.saved_at >= CHECKPOINT_EVERY_S
        if self.group.agree(float(due)):
            self._keep(state)

    def finish(self) -> Card:
        """Save what the last steps brought; returns the card of the best checkpoint."""
        return self._keep(self.state)

    def _keep(self, state: State) -> Card:
        if self.group.is_first:
            # what is validated is the file itself, rounded to half precision, through the engine
            save_checkpoint(self.folder / "latest", state.average, self._describe(math.nan))
            lsd = self._validate(str(self.folder / "latest"), self.session.recipe.name)
            if not lsd > state.best:
                state.best = min(lsd, state.best)
                self.card = save_checkpoint(self.session.out, state.average, self._describe(lsd))
            save_state(self.folder, state, self.session.recipe)
        self.saved_at = time.monotonic()
        self.group.wait()
        return self.card or self._describe(math.nan)

    def _validate(self, model: str, name: str) -> float:
        """Mean LSD-HF of the held-out clips, restored through the whole chain; NaN without any."""
        lsd = self._lsd(model, name)
        self._scalar(f"validation/{name}", lsd)
        self.session.note(f"step {self.state.step}: {name} LSD-HF {lsd:.3f} on held-out clips")
        path = self.folder / "validation.csv"
        is_new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            if is_new:
                writer.writerow(["step", "elapsed_s", "model", "lsd_hf"])
            writer.writerow([self.state.step, round(self.state.elapsed_s, 1), name, round(lsd, 4)])
        return lsd

    def _lsd(self, model: str, name: str) -> float:
        rate = self.clips.cache.sample_rate
        cutoff_hz = float(np.mean(self.session.recipe.degradation.cutoff_hz))
        scores: list[float] = []
        for clip in self.clips.validation[:VALIDATION_CLIPS]:
            full = self.clips.cache.crop(clip, clip.samples // 3, round(VALIDATION_S * rate))
            low = degrade.apply(full, rate, degrade.Degradation(degrade.RESAMPLE, cutoff_hz))
            restored = self.session.restore(model, low, rate, cutoff_hz)
            if not scores:
                self._audio(name, restored, rate)
            scores.append(lsd_a(full, restored, rate, cutoff_hz, min(clip.bandwidth_hz, HF_LIMIT_HZ)))
        return float(np.mean(scores)) if scores else float("nan")

    def _describe(self, lsd: float) -> Card:
        recipe, network = self.session.recipe, self.state.network
        return Card(
            name=recipe.name,
            family=recipe.family,
            architecture=recipe.architecture,
            sample_rates=network.sample_rates,
            ratio=network.ratio,
            description=recipe.description,
            known_failures=recipe.known_failures,
            training={
                "data": recipe.data.credit,
                "recipe": recipe.name,
                "steps": self.state.step,
                "seed": recipe.seed,
                "audio_hours": round(
                    sum(c.samples for c in self.clips.training) / self.clips.cache.sample_rate / 3600, 2
                ),
                "audio_s_per_s": round(self.last.audio_s_per_s, 1),
                "minutes": round(self.state.elapsed_s / 60, 1),
                "degradation": dataclasses.asdict(recipe.degradation),
                "parameters": sum(p.numel() for p in network.parameters()),
            },
            metrics={} if math.isnan(lsd) else {"held_out_lsd_hf": round(lsd, 3)},
        )

    def _audio(self, name: str, x: Array, rate: int) -> None:
        if self.board is not None:
            self.board.add_audio(f"held-out/{name}", x.mean(axis=0), self.state.step, rate)

    def _scalar(self, name: str, value: float) -> None:
        if self.board is not None:
            self.board.add_scalar(name, value, self.state.step)


class _Board(Protocol):
    """What is used of TensorBoard's writer."""

    def add_scalar(self, tag: str, value: float, step: int) -> None: ...

    def add_audio(self, tag: str, audio: Array, step: int, sample_rate: int) -> None: ...


def _board(folder: Path) -> _Board | None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    writer: _Board = SummaryWriter(str(folder / "tensorboard"))
    return writer
