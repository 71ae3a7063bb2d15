"""The adversarial side of training: a discriminator, and what the network is told by it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musr_cli.training.distributed import Processes
from musr_cli.training.losses import Estimate, adversarial_loss, discriminator_loss
from musr_cli.training.recipe import LossRecipe
from musr_cli.training.state import State


@dataclass
class Adversary:
    """A discriminator, its optimiser, and how much it counts.

    Attributes:
        discriminator: see `musr_models.discriminators`; averaged over processes where there are several.
        optimiser: its own.
        weights: start and end of the adversarial weight, and the form of the losses.
        bf16: run the discriminator in bfloat16.
    """

    discriminator: nn.Module
    optimiser: torch.optim.Optimizer
    weights: LossRecipe
    bf16: bool

    @classmethod
    def of(cls, state: State, weights: LossRecipe, group: Processes, bf16: bool) -> Adversary | None:
        """The adversary of a run; None where the recipe has none."""
        if state.discriminator is None or state.discriminator_optimiser is None:
            return None
        return cls(group.wrap(state.discriminator), state.discriminator_optimiser, weights, bf16)

    def generator_terms(self, estimate: Estimate, progress: float) -> dict[str, Tensor]:
        """The weighted terms that the generator adds to its loss; the adversarial one grows with `progress`."""
        weights, fake = self.weights, self._judge(estimate.fake)
        start, end = weights.adversarial, weights.adversarial_end or weights.adversarial
        weight = float(start * (end / start) ** progress)
        terms = {"adversarial": weight * _mean(adversarial_loss(maps[-1], weights.form) for maps in fake)}
        if weights.features:
            with torch.no_grad():
                real = self._judge(estimate.real)
            distances = map(F.l1_loss, _inner_maps(fake), _inner_maps(real))
            terms["features"] = weights.features * _mean(distances)
        return terms

    def step(self, estimate: Estimate) -> Tensor:
        """Teach the discriminator one batch; returns its loss."""
        # together, because data parallelism allows one call between two steps
        both = [torch.cat([real, fake.detach()]) for real, fake in zip(estimate.real, estimate.fake, strict=True)]
        logits = (maps[-1].chunk(2) for maps in self._judge(both))
        loss = _mean(discriminator_loss(real, fake, self.weights.form) for real, fake in logits)
        if self.weights.gradient_penalty:
            loss = loss + self.weights.gradient_penalty * self._slope_error(estimate)
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimiser.step()
        if self.weights.clip:
            self._clip()
        return loss.detach()

    def _slope_error(self, estimate: Estimate) -> Tensor:
        """Square distance from 1 of the critic's slope between true and estimated (Gulrajani et al. 2017, eq. 3)."""
        between = []
        for real, fake in zip(estimate.real, estimate.fake, strict=True):
            share = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device)
            between.append(torch.lerp(real, fake.detach(), share).requires_grad_())
        judged = torch.stack([maps[-1].sum() for maps in self.discriminator(between)]).sum()
        slopes = torch.autograd.grad(judged, between, create_graph=True)
        return _mean((slope.flatten(1).norm(dim=1) - 1).square().mean() for slope in slopes)

    @torch.no_grad()
    def _clip(self) -> None:
        for weight in self.discriminator.parameters():
            weight.clamp_(-self.weights.clip, self.weights.clip)

    def _judge(self, views: Sequence[Tensor]) -> list[list[Tensor]]:
        with torch.autocast(views[0].device.type, torch.bfloat16, enabled=self.bf16):
            judged: list[list[Tensor]] = self.discriminator(views)
        return [[made.float() for made in maps] for maps in judged]


def _inner_maps(judged: list[list[Tensor]]) -> Iterator[Tensor]:
    return (made for maps in judged for made in maps[:-1])


def _mean(values: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(values)).mean()
