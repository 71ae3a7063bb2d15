"""The state of a training run, and its way to disk and back: tensors in safetensors, figures in JSON."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from musr_cli.errors import MusrError
from musr_cli.training.losses import RESYNTHESIS_WINDOWS_S
from musr_cli.training.recipe import Recipe, recipe_values
from musr_models.blocks import LogPowerNetwork
from musr_models.discriminators import (
    Discriminator,
    MultiResolutionDiscriminator,
    SpectrumDiscriminator,
    WaveformDiscriminator,
)
from musr_models.tfgan import TfGan
from musr_models.waveform import WaveformNetwork

_OPTIMISERS: dict[str, type[torch.optim.AdamW] | type[torch.optim.Adamax]] = {
    "adam": torch.optim.AdamW,
    "adamax": torch.optim.Adamax,
}


@dataclass
class State:
    """Everything that a resumed run needs to go on as if it had never stopped.

    Attributes:
        network: being trained.
        average: moving average of its weights; the network itself where the recipe keeps none.
        optimiser: of the network.
        discriminator: None without an adversarial term.
        discriminator_optimiser: likewise.
        step: optimiser steps done.
        elapsed_s: seconds spent in training, over all sittings.
        best: lowest validation figure so far.
    """

    network: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer
    discriminator: Discriminator | None = None
    discriminator_optimiser: torch.optim.Optimizer | None = None
    step: int = 0
    elapsed_s: float = 0.0
    best: float = float("inf")

    @property
    def modules(self) -> dict[str, nn.Module]:
        """Network, average and discriminator under the names they are saved by."""
        parts: dict[str, nn.Module | None] = {"network": self.network, "discriminator": self.discriminator}
        if self.average is not self.network:
            parts["average"] = self.average
        return {name: part for name, part in parts.items() if part is not None}

    @property
    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Both optimisers under the names they are saved by."""
        parts = {"optimiser": self.optimiser, "discriminator_optimiser": self.discriminator_optimiser}
        return {name: part for name, part in parts.items() if part is not None}


def new_state(network: nn.Module, recipe: Recipe) -> State:
    """Fresh optimisers, and a discriminator where the recipe has an adversarial term."""
    rates = recipe.optimiser
    state = State(
        network,
        copy.deepcopy(network) if rates.ema else network,
        _OPTIMISERS[rates.kind](network.parameters(), lr=rates.learning_rate, weight_decay=rates.weight_decay),
    )
    if recipe.loss.adversarial:
        device = next(network.parameters()).device
        state.discriminator = _discriminator_for(network).to(device)
        state.discriminator_optimiser = torch.optim.Adam(
            state.discriminator.parameters(), rates.discriminator_learning_rate
        )
    return state


def _discriminator_for(network: nn.Module) -> Discriminator:
    """Log-power networks are judged by their own high band, waveforms as such, others by spectrograms."""
    if isinstance(network, LogPowerNetwork):
        return SpectrumDiscriminator(network.config.high_bins)
    if isinstance(network, WaveformNetwork | TfGan):
        return WaveformDiscriminator()
    return MultiResolutionDiscriminator(len(RESYNTHESIS_WINDOWS_S))


def save_state(folder: Path, state: State, recipe: Recipe) -> None:
    """Write the state into `folder`, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {"rng": torch.get_rng_state()}
    for name, module in state.modules.items():
        tensors |= {f"{name}/{key}": value.contiguous().clone() for key, value in module.state_dict().items()}
    for name, optimiser in state.optimisers.items():
        for index, slots in optimiser.state_dict()["state"].items():
            tensors |= {f"{name}/{index}/{slot}": value.clone() for slot, value in slots.items()}
    figures = {"step": state.step, "elapsed_s": state.elapsed_s, "best": state.best, "recipe": recipe_values(recipe)}
    part = folder / "state.part"
    # the figures travel inside the tensor file, so that one replace makes both new
    save_file(tensors, part, metadata={"figures": json.dumps(figures)})
    part.replace(folder / "state.safetensors")


def load_state(folder: Path, state: State, recipe: Recipe) -> None:
    """Restore what `save_state` wrote into a fresh `state`.

    Raises:
        MusrError: nothing to resume, a damaged file, or one that another recipe wrote.
    """
    path = folder / "state.safetensors"
    figures = _read_figures(path)
    if figures["recipe"] != json.loads(json.dumps(recipe_values(recipe))):
        raise MusrError(f"{path}: written by another recipe; resume with the same one, or choose a fresh --out")
    tensors = load_file(path)
    torch.set_rng_state(tensors.pop("rng"))
    for name, module in state.modules.items():
        prefix = f"{name}/"
        module.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    for name, optimiser in state.optimisers.items():
        _load_optimiser(optimiser, {k: v for k, v in tensors.items() if k.startswith(f"{name}/")})
    state.step, state.elapsed_s, state.best = figures["step"], figures["elapsed_s"], figures["best"]


def _read_figures(path: Path) -> dict[str, Any]:
    from safetensors import safe_open

    if not path.is_file():
        raise MusrError(f"{path}: nothing to resume there; leave --resume out, or name the --out of the earlier run")
    try:
        with safe_open(path, "pt") as stream:
            figures: dict[str, Any] = json.loads(stream.metadata()["figures"])
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise MusrError(f"{path}: damaged training state ({error}); start again with a fresh --out") from error
    return figures


def _load_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    slots: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        _, index, slot = key.split("/")
        slots.setdefault(int(index), {})[slot] = value
    optimiser.load_state_dict({"state": slots, "param_groups": optimiser.state_dict()["param_groups"]})
