"""The adversarial side of training: a discriminator that sees standardised high bands."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from musr_cli.training.distributed import Processes
from musr_cli.training.losses import Estimate, adversarial_loss, discriminator_loss
from musr_cli.training.recipe import LossRecipe
from musr_cli.training.state import State


@dataclass
class Adversary:
    """A discriminator, its optimiser, and how much it counts.

    Attributes:
        discriminator: [B, bins, N] → logits, averaged over processes where there are several.
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

    def generator_term(self, estimate: Estimate, progress: float) -> Tensor:
        """The weighted term that the generator adds to its loss; its weight grows geometrically with `progress`."""
        start, end = self.weights.adversarial, self.weights.adversarial_end or self.weights.adversarial
        logits = self._judge(estimate.fake)
        weight = float(start * (end / start) ** progress)
        return adversarial_loss(logits, self.weights.form) * weight

    def step(self, estimate: Estimate) -> Tensor:
        """Teach the discriminator one batch; returns its loss."""
        real, fake = self._judge(torch.cat([estimate.real, estimate.fake.detach()])).chunk(2)
        loss = discriminator_loss(real, fake, self.weights.form)
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimiser.step()
        return loss.detach()

    def _judge(self, high: Tensor) -> Tensor:
        with torch.autocast(high.device.type, torch.bfloat16, enabled=self.bf16):
            logits: Tensor = self.discriminator(high)
        return logits.float()
