"""What spectral networks are trained on: losses as weighted terms under the names they are logged by."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musr_cli.dsp.phase import PHASES, Observed
from musr_cli.training.data import Batch
from musr_cli.training.recipe import LossRecipe
from musr_models.blocks import LogPowerNetwork
from musr_models.contract import Band
from musr_models.transforms import Stft, power

# our LSD (LSD-A of the metrics) at 44.1 kHz, and half of it, so that transients count too
_RESYNTHESIS_WINDOWS_S = (2048 / 44100, 512 / 44100)
_RESYNTHESIS_FLOOR = 1e-8


@dataclass(frozen=True)
class Estimate:
    """What one step made, for the losses and the discriminator.

    Attributes:
        terms: weighted loss terms; their sum is minimised.
        high: standardised estimate of the high band [B, bins, N].
        target: what it should have been.
        mask: 1 where the original has a spectrum at all [B, bins, 1].
    """

    terms: dict[str, Tensor]
    high: Tensor
    target: Tensor
    mask: Tensor


class SpectralObjective(nn.Module):
    """A log-power network and its losses as one module, so that data parallelism wraps both.

    Args:
        network: a `LogPowerNetwork` with its statistics set.
        weights: of the loss terms.
        sample_rate: of the batches, in Hz.
        bf16: run the body of the network in bfloat16.
    """

    def __init__(self, network: LogPowerNetwork, weights: LossRecipe, sample_rate: int, bf16: bool = False) -> None:
        super().__init__()
        self.network = network
        self.weights = weights
        self.sample_rate = sample_rate
        self.bf16 = bf16

    def forward(self, batch: Batch) -> Estimate:
        """Estimate the high band of `batch.low` and compare it with that of `batch.full`."""
        stft = self.network.config.stft
        low = stft.analyse(batch.low)
        features = self.network.features(low)
        target = self.network.target(stft.analyse(batch.full), features.level)
        with torch.autocast(low.device.type, torch.bfloat16, enabled=self.bf16):
            high = self.network.body(self.network.standardise(features.low))
        high = high.float()
        mask = self._mask(batch.bandwidth_hz)
        terms = {}
        if self.weights.content:
            terms["content"] = self.weights.content * masked_mean((high - target).square(), mask)
        if self.weights.resynthesis:
            magnitude = self.network.magnitude(high, features.level)
            terms["resynthesis"] = self.weights.resynthesis * self._resynthesis(batch, low, magnitude)
        return Estimate(terms, high, target, mask)

    def _mask(self, bandwidth_hz: Tensor) -> Tensor:
        """[B, high_bins, 1]: 1 below where each original's spectrum ends."""
        config = self.network.config
        bins = torch.arange(config.low_bins, config.stft.bins, device=bandwidth_hz.device)
        return (bins * (self.sample_rate / config.n_fft) <= bandwidth_hz[:, None]).float()[..., None]

    def _resynthesis(self, batch: Batch, low: Tensor, magnitude: Tensor) -> Tensor:
        config = self.network.config
        band = Band(self.sample_rate, self.sample_rate / 2 / config.ratio)
        observed = Observed(batch.low[:, None], low[:, None], band, config.stft, config.low_bins, first=0, seed=0)
        high = PHASES[self.network.default_phase].apply(magnitude[:, None], observed)[:, 0]
        spectrum = torch.cat([torch.zeros_like(low[:, : config.low_bins]), high], dim=-2)
        estimate = config.stft.synthesise(spectrum, batch.full.shape[-1])
        return resynthesis_loss(estimate, batch.full, band, batch.bandwidth_hz)


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean of `x` [B, bins, N] over where `mask` [B, bins, 1] is 1."""
    return (x * mask).sum() / (mask.sum() * x.shape[-1]).clamp_min(1)


def resynthesis_loss(estimate: Tensor, full: Tensor, band: Band, bandwidth_hz: Tensor) -> Tensor:
    """Log-spectral distance above the band edge, of signals: what is heard after phase and inverse STFT.

    The distance of magnitudes before synthesis misses what inconsistent phases do to them. Mean over two resolutions of
    the RMS over bins of the difference of log10 power.

    Args:
        estimate: [B, T], the estimated high band.
        full: [B, T], the originals.
        band: rate and band edge of both.
        bandwidth_hz: [B], where the originals' spectra end.
    """
    distances = [
        _log_distance(estimate, full, _stft(s, band.sample_rate), band, bandwidth_hz) for s in _RESYNTHESIS_WINDOWS_S
    ]
    return torch.stack(distances).mean()


def _stft(window_s: float, sample_rate: int) -> Stft:
    n_fft = 2 * round(window_s * sample_rate / 2)
    return Stft(n_fft, n_fft // 2)


def _log_distance(estimate: Tensor, full: Tensor, stft: Stft, band: Band, bandwidth_hz: Tensor) -> Tensor:
    # one bin further up: the first one shares its window's main lobe with the given band
    first = band.cutoff_bin(stft) + 1
    hz = torch.arange(first, stft.bins, device=full.device) * (band.sample_rate / stft.n_fft)
    mask = (hz <= bandwidth_hz[:, None]).float()[..., None]
    logs = [torch.log10(power(stft.analyse(x)[:, first:]) + _RESYNTHESIS_FLOOR) for x in (estimate, full)]
    square = ((logs[0] - logs[1]).square() * mask).sum(dim=1) / mask.sum(dim=1).clamp_min(1)
    return torch.sqrt(square + 1e-4).mean()


def adversarial_loss(logits: Tensor, form: str) -> Tensor:
    """The generator's term: log(1 − D(G(x))) (Dai et al., eq. 4) or the hinge form −D(G(x))."""
    return -F.softplus(logits).mean() if form == "saturating" else -logits.mean()


def discriminator_loss(real: Tensor, fake: Tensor, form: str) -> Tensor:
    """The discriminator's loss: binary cross entropy, or the hinge form."""
    if form == "saturating":
        return F.softplus(-real).mean() + F.softplus(fake).mean()
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
