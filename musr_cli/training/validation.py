"""Validation during training: held-out clips through the whole chain, beside the baselines."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from musr_cli import degrade
from musr_cli.metrics.lsd import HF_LIMIT_HZ, lsd_a
from musr_cli.training.cache import Clip, ClipCache
from musr_cli.training.data import make_batch
from musr_cli.training.objectives import objective_for
from musr_cli.training.recipe import Recipe
from musr_models.checkpoint import AIDS, load_checkpoint

CLIPS = 24
BATCHES = 8
SECONDS = 6.0
BASELINES = ("sinc", "sbr", "envelope")

Array = NDArray[np.float32]
# (name or folder of a model; band-limited signal [C, T]; rate in Hz; cutoff in Hz) → restored signal [C, T]
Restore = Callable[[str, Array, int, float], Array]


class Board(Protocol):
    """What is used of TensorBoard's writer."""

    def add_scalar(self, tag: str, value: float, step: int) -> None: ...  # noqa: D102

    def add_audio(self, tag: str, audio: Array, step: int, sample_rate: int) -> None: ...  # noqa: D102


def open_board(folder: Path) -> Board | None:
    """TensorBoard's writer, where TensorBoard is installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    writer: Board = SummaryWriter(str(folder))
    return writer


@dataclass(frozen=True)
class Curve:
    """The validation curve of a run, validation.csv, and TensorBoard's where that is installed.

    Attributes:
        folder: where the file lies.
        figure: name of what is measured, "lsd_hf" or "loss".
        note: tells people.
        board: TensorBoard, or None.
    """

    folder: Path
    figure: str
    note: Callable[[str], None]
    board: Board | None

    @property
    def label(self) -> str:
        """The figure's name for people, "LSD-HF"."""
        return self.figure.upper().replace("_", "-")

    def add(
        self, name: str, step: int, elapsed_s: float, value: float, by_kind: Mapping[str, float] | None = None
    ) -> None:
        """Write down and tell one figure, and beside it, where there are several kinds of music, that of each."""
        kinds = "".join(f", {kind} {of_kind:.3f}" for kind, of_kind in (by_kind or {}).items())
        self.note(f"step {step}: {name} {self.label} {value:.3f} on held-out clips{kinds}")
        path = self.folder / "validation.csv"
        is_new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            if is_new:
                writer.writerow(["step", "elapsed_s", "model", self.figure])
            writer.writerow([step, round(elapsed_s, 1), name, round(value, 4)])
        if self.board:
            self.board.add_scalar(f"validation/{name}", value, step)


@dataclass(frozen=True)
class LossValidator:
    """Measures by the loss itself what restores nothing: vocoders and encoders.

    Attributes:
        recipe: of the run.
        cache: where the clips lie.
        clips: the held-out ones.
        curve: where figures go.
    """

    recipe: Recipe
    cache: ClipCache
    clips: Sequence[Clip]
    curve: Curve

    def baselines(self) -> None:
        """Nothing stands beside it."""

    @torch.no_grad()
    def measure(self, model: str, name: str, step: int, elapsed_s: float) -> float:
        """Mean loss of `BATCHES` batches of held-out clips; NaN without any clips."""
        objective = objective_for(load_checkpoint(Path(model)), self.recipe, bf16=False)
        size = self.recipe.data.batch
        batches = (make_batch(self.cache, self.clips, self.recipe, number, size) for number in range(BATCHES))
        losses = [float(torch.stack(list(objective(batch).terms.values())).sum()) for batch in batches if self.clips]
        loss = float(np.mean(losses)) if losses else float("nan")
        self.curve.add(name, step, elapsed_s, loss)
        return loss


@dataclass(frozen=True)
class Validator:
    """Restores the held-out clips and writes down how that went.

    Attributes:
        recipe: of the run: rate and band edge.
        cache: where the clips lie.
        clips: the held-out ones; `CLIPS` of them are used, so chosen that every source has its share. Where the
            recipe validates at several cutoffs, the clips take turns.
        curve: where figures go.
        restore: the engine.
    """

    recipe: Recipe
    cache: ClipCache
    clips: Sequence[Clip]
    curve: Curve
    restore: Restore

    def baselines(self) -> None:
        """Measure the baselines, to stand beside the network."""
        for name in BASELINES:
            self.measure(name, name, 0, 0.0)

    def measure(self, model: str, name: str, step: int, elapsed_s: float) -> float:
        """Mean LSD-HF of the held-out clips as `model` restores them; NaN without any clips."""
        count = min(CLIPS, len(self.clips))
        chosen = [self.clips[index * len(self.clips) // count] for index in range(count)]
        tasks = zip(chosen, cycle(self._edges), strict=False)
        scores = [self._score(clip, edge, model, name, step) for clip, edge in tasks]
        lsd = float(np.mean(scores)) if scores else float("nan")
        self.curve.add(name, step, elapsed_s, lsd, _by_kind(chosen, scores))
        return lsd

    @property
    def _edges(self) -> list[tuple[float, float]]:
        """Nominal cutoffs, and what the engine is told: for networks for any edge the −12 dB point, else the same."""
        wanted, rate = self.recipe.degradation, self.cache.sample_rate
        if not wanted.validate_hz:
            return [(wanted.cutoff_hz[1], wanted.cutoff_hz[1])]
        return [(hz, degrade.edge(degrade.Degradation(degrade.RESAMPLE, hz), rate)) for hz in wanted.validate_hz]

    def _score(self, clip: Clip, edge: tuple[float, float], model: str, name: str, step: int) -> float:
        rate, (nominal_hz, cutoff_hz) = self.cache.sample_rate, edge
        full = self.cache.crop(clip, clip.samples // 3, round(SECONDS * rate))
        low = degrade.apply(full, rate, degrade.Degradation(degrade.RESAMPLE, nominal_hz))
        restored = self.restore(model, low, rate, cutoff_hz)
        if self.curve.board and clip is self.clips[0]:
            self.curve.board.add_audio(f"held-out/{name}", np.clip(restored.mean(axis=0), -1, 1), step, rate)
        return lsd_a(full, restored, rate, nominal_hz, min(clip.bandwidth_hz, HF_LIMIT_HZ))


def _by_kind(clips: Sequence[Clip], scores: Sequence[float]) -> dict[str, float]:
    """Mean score of each folder at the top of the data; nothing where there are not several."""
    groups: dict[str, list[float]] = {}
    for clip, score in zip(clips, scores, strict=True):
        groups.setdefault(clip.file.partition("/")[0] if "/" in clip.file else "other", []).append(score)
    return {kind: float(np.mean(found)) for kind, found in groups.items()} if len(groups) > 1 else {}


def figure_of(recipe: Recipe) -> str:
    """What validation measures: "lsd_hf", or "loss" of what restores nothing."""
    return "loss" if recipe.architecture in AIDS else "lsd_hf"


def validator_for(
    recipe: Recipe, cache: ClipCache, clips: Sequence[Clip], curve: Curve, restore: Restore
) -> Validator | LossValidator:
    """What measures checkpoints of this recipe; lower is better."""
    if recipe.architecture in AIDS:
        return LossValidator(recipe, cache, clips, curve)
    return Validator(recipe, cache, clips, curve, restore)
