"""One training run from recipe to checkpoint: cache, statistics, steps, validation, resume."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w
import torch
from torch import nn

from musr_cli.errors import MusrError, UsageError
from musr_cli.training.cache import Clip, ClipCache, matches, open_cache
from musr_cli.training.coded import CodedPool, open_pool
from musr_cli.training.data import Batch, make_batch
from musr_cli.training.distributed import Processes, processes
from musr_cli.training.loop import Limits, Report, train
from musr_cli.training.recipe import Recipe, recipe_values
from musr_cli.training.state import State, load_state, new_state, save_state
from musr_cli.training.statistics import set_statistics
from musr_cli.training.validation import Curve, LossValidator, Restore, Validator, figure_of, open_board, validator_for
from musr_models import registry
from musr_models.checkpoint import Card, build, load_checkpoint, save_checkpoint
from musr_models.contract import Network
from musr_models.envelope import EnvelopeConfig, EnvelopeFit

CHECKPOINT_EVERY_S = 120.0
STATISTICS_BATCHES = 32
# batches are keyed by step: statistics come from crops that no step of training sees
_STATISTICS_STEP = 2**31


@dataclass(frozen=True)
class Session:
    """What the user asked for.

    Attributes:
        recipe: what to train.
        data: folder of music.
        out: folder for the checkpoint and the state of training.
        cache_dir: where decoded clips are kept.
        limits: when to stop.
        restore: the engine, for validation through the whole chain.
        device: where to train.
        bf16: run the network in bfloat16.
        resume: go on from the state in `out`.
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

    @property
    def state_folder(self) -> Path:
        """Where the state to resume from and the validation curve are kept."""
        return self.out / "training"


def run(session: Session) -> Card:
    """Train, and return the card of the checkpoint in `session.out`.

    Raises:
        MusrError: no usable data, or an `out` that holds another run.
    """
    if not session.resume and session.state_folder.exists():
        raise UsageError(f"{session.out}: holds an earlier run; go on with --resume, or choose another --out")
    if session.recipe.architecture == "envelope":
        return _fit_envelope(session, _open_clips(session, Processes()))
    with processes(session.device) as group:
        torch.manual_seed(session.recipe.seed)
        clips = _open_clips(session, group)
        state = _start(session, clips)
        keeper = _Keeper(session, clips, state, group)
        size = max(1, session.recipe.data.batch // group.count)
        train(
            state,
            lambda step: clips.batch(step, size, group.rank),
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
    """The music of a run, in two parts that share no source."""

    recipe: Recipe
    cache: ClipCache
    training: tuple[Clip, ...]
    held_out: tuple[Clip, ...]
    pool: CodedPool | None = None

    @property
    def hours(self) -> float:
        """Of music to train on."""
        return sum(clip.samples for clip in self.training) / self.cache.sample_rate / 3600

    def batch(self, step: int, size: int, rank: int = 0) -> Batch:
        """The training examples of a step and process."""
        return make_batch(self.cache, self.training, self.recipe, step, size, rank, self.pool)

    def batches(self, first: int, count: int) -> Iterator[Batch]:
        """`count` batches from a step on."""
        return (self.batch(step, self.recipe.data.batch) for step in range(first, first + count))


def _open_clips(session: Session, group: Processes) -> _Clips:
    # one process decodes and encodes, the others find the caches made
    for rank in range(group.count):
        if rank == group.rank:
            clips = _read_clips(session)
        group.wait()
    return clips


def _read_clips(session: Session) -> _Clips:
    recipe, data = session.recipe, session.recipe.data
    cache = open_cache(session.data, data.sample_rate, session.cache_dir, data.exclude, session.note)
    held_out = cache.select(lambda file: matches(file, data.holdout))
    training = cache.select(lambda file: not matches(file, data.holdout))
    if not training:
        raise MusrError(f"{session.data}: the recipe holds out every file; change its 'holdout' or give more music")
    pool = None
    if recipe.coded.hours:
        pool = open_pool(cache, training, recipe.coded, recipe.seed, session.cache_dir, session.note)
    return _Clips(recipe, cache, training, held_out, pool)


def _validator(session: Session, clips: _Clips) -> Validator | LossValidator:
    """A validator, and the folder it writes to; a fresh run notes its recipe and measures the baselines."""
    folder = session.state_folder
    folder.mkdir(parents=True, exist_ok=True)
    curve = Curve(folder, figure_of(session.recipe), session.note, open_board(folder / "tensorboard"))
    validator = validator_for(session.recipe, clips.cache, clips.held_out, curve, session.restore)
    if not session.resume:
        (folder / "recipe.toml").write_text(tomli_w.dumps(recipe_values(session.recipe)), encoding="utf-8")
        validator.baselines()
    return validator


def _fit_envelope(session: Session, clips: _Clips) -> Card:
    """Fit in closed form: the recipe's steps are batches, its weight decay is the ridge penalty."""
    recipe = session.recipe
    fit = EnvelopeFit(EnvelopeConfig(**recipe.network))
    for batch in clips.batches(0, session.limits.steps):
        fit.add(batch.full, recipe.data.sample_rate, batch.bandwidth_hz)
    network = fit.solve(recipe.optimiser.weight_decay)
    figures = {"steps": session.limits.steps}
    save_checkpoint(session.out, network, _describe(recipe, clips, network, figures, math.nan))
    lsd = _validator(session, clips).measure(str(session.out), recipe.name, session.limits.steps, 0.0)
    return save_checkpoint(session.out, network, _describe(recipe, clips, network, figures, lsd))


def _start(session: Session, clips: _Clips) -> State:
    recipe = session.recipe
    network = _network(recipe)
    if not session.resume and not recipe.start_from:
        with torch.no_grad():
            batches = clips.batches(_STATISTICS_STEP, STATISTICS_BATCHES)
            set_statistics(network, batches, recipe.data.sample_rate)
    state = new_state(network.to(session.device), recipe)
    if session.resume:
        load_state(session.state_folder, state, recipe)
    return state


def _network(recipe: Recipe) -> nn.Module:
    network = build(recipe.architecture, recipe.network)
    if recipe.start_from:
        trained = load_checkpoint(registry.find(recipe.start_from).weights)
        try:
            network.load_state_dict(trained.state_dict())
        except RuntimeError as error:
            raise UsageError(
                f"{recipe.start_from}: its weights do not fit the network of recipe '{recipe.name}'; name others"
            ) from error
    return network


class _Keeper:
    """Keeps what a run brings: validation curve, best weights, state to resume from."""

    def __init__(self, session: Session, clips: _Clips, state: State, group: Processes) -> None:
        self.session, self.clips, self.state, self.group = session, clips, state, group
        self.validator = _validator(session, clips) if group.is_first else None
        self.kept_at, self.kept_step = time.monotonic(), -1
        self.audio_s_per_s = 0.0
        self.card = self._card(math.nan)

    def report(self, report: Report) -> None:
        """Pass on losses and speed."""
        self.audio_s_per_s = report.audio_s_per_s
        if self.validator is None:
            return
        if self.validator.curve.board:
            for name, loss in report.losses.items():
                self.validator.curve.board.add_scalar(f"loss/{name}", loss, report.step)
        self.session.on_report(report)

    def step(self, state: State) -> None:
        """Every few minutes, validate and save."""
        del state
        if self.group.agree(float(time.monotonic() - self.kept_at >= CHECKPOINT_EVERY_S)):
            self._keep()

    def finish(self) -> Card:
        """Save what the last steps brought; returns the card of the checkpoint that was kept."""
        if self.state.step != self.kept_step:
            self._keep()
        return self.card

    def _keep(self) -> None:
        if self.validator is not None:
            # what is validated is the file itself, rounded to half precision, through the engine
            latest = save_checkpoint(self.session.state_folder / "latest", self.state.average, self._card(math.nan))
            where = str(latest.weights.parent)
            lsd = self.validator.measure(where, latest.name, self.state.step, self.state.elapsed_s)
            if self.session.recipe.keep == "last" or not lsd > self.state.best:
                self.state.best = min(lsd, self.state.best)
                self.card = save_checkpoint(self.session.out, self.state.average, self._card(lsd))
            save_state(self.session.state_folder, self.state, self.session.recipe)
        self.kept_at, self.kept_step = time.monotonic(), self.state.step
        self.group.wait()

    def _card(self, lsd: float) -> Card:
        figures = {
            "steps": self.state.step,
            "minutes": round(self.state.elapsed_s / 60, 1),
            "audio_s_per_s": round(self.audio_s_per_s, 1),
        }
        return _describe(self.session.recipe, self.clips, self.state.network, figures, lsd)


def _describe(recipe: Recipe, clips: _Clips, network: nn.Module, figures: dict[str, Any], value: float) -> Card:
    return Card(
        name=recipe.name,
        family=recipe.family,
        architecture=recipe.architecture,
        description=recipe.description,
        known_failures=recipe.known_failures,
        training={
            "recipe": recipe.name,
            "data": recipe.data.credit,
            "hours": round(clips.hours, 2),
            "degradation": dataclasses.asdict(recipe.degradation),
            "seed": recipe.seed,
            "parameters": _size(network),
            **figures,
        },
        metrics={} if math.isnan(value) else {f"held_out_{figure_of(recipe)}": round(value, 3)},
        **_limits(recipe, network),
    )


def _limits(recipe: Recipe, network: nn.Module) -> dict[str, Any]:
    """What a network is for; an aid works at the rate that it was trained at."""
    if not isinstance(network, Network):
        return {"sample_rates": (recipe.data.sample_rate,)}
    return {"sample_rates": network.sample_rates, "ratio": network.ratio, "cutoffs_hz": network.cutoffs_hz}


def _size(network: nn.Module) -> int:
    """Number of trained values; a network fitted in closed form keeps them in buffers."""
    return sum(p.numel() for p in network.parameters()) or sum(b.numel() for b in network.buffers())
