"""Which objective trains which kind of network."""

from __future__ import annotations

from torch import nn

from musr_cli.errors import UsageError
from musr_cli.training.losses import MagnitudeObjective, Objective, SignalObjective, SpectralObjective
from musr_cli.training.recipe import Recipe
from musr_cli.training.waveform_losses import FeatureObjective, VocoderObjective, WaveformObjective
from musr_models.autoencoder import Autoencoder
from musr_models.blocks import LogPowerNetwork
from musr_models.features import Features
from musr_models.restore import Restore
from musr_models.tfgan import TfGan
from musr_models.waveform import WaveformNetwork

OBJECTIVES: dict[type[nn.Module], type[Objective]] = {
    LogPowerNetwork: SpectralObjective,
    Restore: SignalObjective,
    Autoencoder: MagnitudeObjective,
    WaveformNetwork: WaveformObjective,
    TfGan: VocoderObjective,
    Features: FeatureObjective,
}


def objective_for(network: nn.Module, recipe: Recipe, bf16: bool) -> Objective:
    """The objective that trains this kind of network.

    Raises:
        UsageError: it is not trained by steps.
    """
    for kind, objective in OBJECTIVES.items():
        if isinstance(network, kind):
            return objective(network, recipe, bf16)
    raise UsageError(f"recipe '{recipe.name}': architecture '{recipe.architecture}' is not trained by steps")
