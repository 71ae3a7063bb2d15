"""The training loop: batches in, steps done, callbacks out. It knows neither files nor terminals."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from musr_cli.training.adversarial import Adversary
from musr_cli.training.data import Batch
from musr_cli.training.distributed import Processes
from musr_cli.training.objectives import objective_for
from musr_cli.training.recipe import Recipe
from musr_cli.training.state import State

_GRADIENT_LIMIT = 5.0
_REPORT_EVERY = 50


@dataclass(frozen=True)
class Limits:
    """When training ends, whichever comes first.

    Attributes:
        steps: optimiser steps.
        seconds: of training, over all sittings; None for no limit.
    """

    steps: int
    seconds: float | None = None

    def progress(self, state: State) -> float:
        """0 at the start, 1 at the end; learning rate and adversarial weight follow it."""
        by_time = state.elapsed_s / self.seconds if self.seconds else 0.0
        return min(1.0, max(state.step / self.steps, by_time))


@dataclass
class Report:
    """What the last steps did.

    Attributes:
        step: optimiser steps done.
        progress: share of the run that is done.
        losses: mean of each weighted term since the last report.
        audio_s_per_s: seconds of audio learnt from in a second, over all processes.
        left_s: estimate of the time left.
    """

    step: int
    progress: float
    losses: dict[str, float] = field(default_factory=dict)
    audio_s_per_s: float = 0.0
    left_s: float = 0.0


def train(
    state: State,
    batches: Callable[[int], Batch],
    recipe: Recipe,
    limits: Limits,
    *,
    group: Processes,
    bf16: bool = False,
    on_report: Callable[[Report], None] = lambda report: None,
    on_step: Callable[[State], None] = lambda state: None,
) -> None:
    """Train until a limit is reached.

    Args:
        state: fresh or resumed; changed in place.
        batches: step → this process's batch for it.
        recipe: losses, rates and schedule.
        limits: when to stop.
        group: the training processes.
        bf16: run the network in bfloat16.
        on_report: called every few steps with losses and speed.
        on_step: called after every step (checkpoints, validation).
    """
    device = next(state.network.parameters()).device
    objective = group.wrap(objective_for(state.network, recipe, bf16))
    adversary = Adversary.of(state, recipe.loss, group, bf16)
    meter = _Meter(recipe, limits, state)
    state.network.train()
    while (progress := group.agree(limits.progress(state))) < 1:
        started = time.monotonic()
        _set_rate(state, recipe, progress)
        *others, batch = (batches(number).to(device) for number in _numbers(state.step, recipe.loss.critic_steps))
        for other in others:
            _teach(objective, adversary, other)
        losses = _step(state, objective, adversary, batch, progress)
        _update_average(state, recipe.optimiser.ema)
        state.step += 1
        state.elapsed_s += time.monotonic() - started
        meter.add(losses)
        if state.step % _REPORT_EVERY == 0:
            on_report(meter.report(state))
        on_step(state)


def _step(
    state: State, objective: nn.Module, adversary: Adversary | None, batch: Batch, progress: float
) -> dict[str, Tensor]:
    estimate = objective(batch)
    terms = dict(estimate.terms)
    if adversary:
        terms |= adversary.generator_terms(estimate, progress)
    state.optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(torch.stack(list(terms.values())).sum())
    nn.utils.clip_grad_norm_(state.network.parameters(), _GRADIENT_LIMIT)
    state.optimiser.step()
    if adversary:
        terms["discriminator"] = adversary.step(estimate)
    return {name: term.detach() for name, term in terms.items()}


def _numbers(step: int, count: int) -> range:
    """Of the batches of one step: those for the discriminator alone, and the one for both."""
    return range(step * count, (step + 1) * count)


def _teach(objective: nn.Module, adversary: Adversary | None, batch: Batch) -> None:
    if adversary:
        with torch.no_grad():
            estimate = objective(batch)
        adversary.step(estimate)


def _set_rate(state: State, recipe: Recipe, progress: float) -> None:
    rates = recipe.optimiser
    warmup = min(1.0, (state.step + 1) / rates.warmup_steps) if rates.warmup_steps else 1.0
    for group in state.optimiser.param_groups:
        group["lr"] = rates.learning_rate * warmup * (1 - progress) ** rates.power


def _update_average(state: State, decay: float) -> None:
    """Exponential moving average of weights and buffers; young averages forget faster, so that the start drops out."""
    if state.average is state.network:
        return
    decay = min(decay, (1 + state.step) / (10 + state.step))
    with torch.no_grad():
        pairs = zip(state.average.state_dict().values(), state.network.state_dict().values(), strict=True)
        for mean, value in pairs:
            if mean.is_floating_point():
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)


class _Meter:
    """Mean losses and speed between two reports."""

    def __init__(self, recipe: Recipe, limits: Limits, state: State) -> None:
        self.audio_s = recipe.data.batch * recipe.data.crop_s * recipe.loss.critic_steps
        self.limits = limits
        self.started = (state.step, state.elapsed_s)
        self.sums: dict[str, float] = {}

    def add(self, losses: dict[str, Tensor]) -> None:
        for name, loss in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(loss)

    def report(self, state: State) -> Report:
        steps, seconds = state.step - self.started[0], state.elapsed_s - self.started[1]
        progress = self.limits.progress(state)
        report = Report(
            step=state.step,
            progress=progress,
            losses={name: total / steps for name, total in self.sums.items()},
            audio_s_per_s=steps * self.audio_s / seconds,
            left_s=state.elapsed_s * (1 - progress) / progress,
        )
        self.started, self.sums = (state.step, state.elapsed_s), {}
        return report
