"""What networks are trained on: losses as weighted terms under the names they are logged by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musr_cli.dsp.phase import Observed
from musr_cli.dsp.phases import PHASES
from musr_cli.training.data import Batch
from musr_cli.training.recipe import AdversarialForm, Recipe
from musr_models.autoencoder import Autoencoder
from musr_models.blocks import LogPowerNetwork
from musr_models.contract import Band
from musr_models.holes import LOWEST_HZ, beyond, random_phases
from musr_models.restore import Restore
from musr_models.transforms import Stft, power

# our LSD (LSD-A of the metrics) at 44.1 kHz, and half of it, so that transients count too
RESYNTHESIS_WINDOWS_S = (2048 / 44100, 512 / 44100)
BAND_HZ = 500.0
_FLOOR = 1e-8
_VIEW_SCALE = 2.0
_COMPRESSION = 0.3
# keeps roots differentiable at zero
_GUARD = 1e-4


@dataclass(frozen=True)
class Estimate:
    """What one step made, for the losses and the discriminator.

    Attributes:
        terms: weighted loss terms; their sum is minimised.
        fake: views of the estimate for the discriminator, [B, bins, N] each.
        real: the same of the original.
    """

    terms: dict[str, Tensor]
    fake: list[Tensor]
    real: list[Tensor]


class Objective(nn.Module):
    """A network and its losses as one module, so that data parallelism wraps both; batch → `Estimate`.

    Args:
        network: with its statistics set.
        recipe: weights of the loss terms, and the batches' rate.
        bf16: run the network in bfloat16.
    """

    def __init__(self, network: nn.Module, recipe: Recipe, bf16: bool = False) -> None:
        super().__init__()
        self.network = network
        self.weights, self.data = recipe.loss, recipe.data
        self.sample_rate = recipe.data.sample_rate
        self.bf16 = bf16

    def autocast(self, x: Tensor) -> torch.autocast:
        """The precision in which the network runs."""
        return torch.autocast(x.device.type, torch.bfloat16, enabled=self.bf16)

    def spectra(self, high: Tensor, batch: Batch, cutoff_hz: Tensor) -> list[LogSpectra]:
        """Log spectra of a resynthesised high band [B, T] at several resolutions."""
        transforms = (_stft(seconds, self.sample_rate) for seconds in RESYNTHESIS_WINDOWS_S)
        return [LogSpectra.of(high, batch, cutoff_hz, stft, self.sample_rate) for stft in transforms]

    def resynthesis(self, spectra: Sequence[LogSpectra]) -> dict[str, Tensor]:
        """Their weighted terms: means over resolutions."""
        terms = {"resynthesis": self.weights.resynthesis * torch.stack([s.distance() for s in spectra]).mean()}
        if self.weights.compressed:
            terms["compressed"] = self.weights.compressed * torch.stack([s.compressed_error() for s in spectra]).mean()
        if self.weights.spread:
            terms["spread"] = self.weights.spread * torch.stack([s.spread_error() for s in spectra]).mean()
        if self.weights.bands:
            terms["bands"] = self.weights.bands * torch.stack([s.band_error() for s in spectra]).mean()
        return terms


class SpectralObjective(Objective):
    """A log-power network: its spectra compared as it sees them, and as they sound with the default phase."""

    network: LogPowerNetwork

    def forward(self, batch: Batch) -> Estimate:
        """Estimate the high band of `batch.low` and compare it with that of `batch.full`."""
        stft = self.network.config.stft
        low = stft.analyse(batch.low)
        features = self.network.features(low)
        target = self.network.target(stft.analyse(batch.full), features.level)
        with self.autocast(low):
            high = self.network.body(self.network.standardise(features.low))
        high = high.float()
        mask = self._mask(batch.bandwidth_hz)
        terms = {}
        if self.weights.content:
            terms["content"] = self.weights.content * masked_mean((high - target).square(), mask)
        if self.weights.resynthesis:
            magnitude = self.network.magnitude(high, features.level)
            signal, band = self._synthesise(batch, low, magnitude)
            cutoff_hz = torch.full_like(batch.cutoff_hz, band.cutoff_hz)
            terms |= self.resynthesis(self.spectra(signal, batch, cutoff_hz))
        return Estimate(terms, [high * mask], [target * mask])

    def _mask(self, bandwidth_hz: Tensor) -> Tensor:
        """[B, high_bins, 1]: 1 below where each original's spectrum ends."""
        config = self.network.config
        bins = torch.arange(config.low_bins, config.stft.bins, device=bandwidth_hz.device)
        return (bins * (self.sample_rate / config.n_fft) <= bandwidth_hz[:, None]).float()[..., None]

    def _synthesise(self, batch: Batch, low: Tensor, magnitude: Tensor) -> tuple[Tensor, Band]:
        """High band as a signal [B, T], and what it was missing from."""
        config = self.network.config
        band = Band(self.sample_rate, self.sample_rate / 2 / config.ratio)
        observed = Observed(batch.low[:, None], low[:, None], band, config.stft, config.low_bins, first=0, seed=0)
        high = PHASES[self.network.default_phase].apply(magnitude[:, None], observed)[:, 0]
        spectrum = torch.cat([torch.zeros_like(low[:, : config.low_bins]), high], dim=-2)
        return config.stft.synthesise(spectrum, batch.full.shape[-1]), band


class SignalObjective(Objective):
    """A network that knows what is missing from a recording: the recording with it, compared as a signal."""

    network: Restore

    def forward(self, batch: Batch) -> Estimate:
        """Add to `batch.low` what its estimate has beyond it, and compare the whole with `batch.full`."""
        bands = batch.bands(self.sample_rate)
        stft = self.network.transform(bands[0])
        low = stft.analyse(batch.low)[:, None]
        with self.autocast(low):
            estimate = self.network.estimate(low, bands, random_phases)
        lowest = Band(self.sample_rate, LOWEST_HZ).cutoff_bin(stft)
        missing = beyond(estimate[..., lowest:, :], low[..., lowest:, :])
        restored = batch.low + stft.synthesise(missing[:, 0], batch.full.shape[-1])
        spectra = self.spectra(restored, batch, torch.full_like(batch.cutoff_hz, LOWEST_HZ))
        return Estimate(
            self.resynthesis(spectra), [s.view(s.estimate) for s in spectra], [s.view(s.full) for s in spectra]
        )


class MagnitudeObjective(Objective):
    """An autoencoder of magnitudes: its chunks compared with those of the originals, above the edges only."""

    network: Autoencoder

    def forward(self, batch: Batch) -> Estimate:
        """Estimate the chunks of `batch.low` [B, 2, T] above `batch.cutoff_hz`; those that are silent do not count."""
        transform = self.network.domain
        first = batch.cutoff_bins(transform, self.sample_rate)
        ends = [transform.first_above(hz, self.sample_rate) for hz in batch.bandwidth_hz.tolist()]
        end = torch.tensor(ends, device=first.device)
        low = transform.analyse(batch.low)
        chosen = self._choose(low)
        look = self.network.look(low, first, chosen)
        lowest = int(first.min())
        target = self.network.target(transform.analyse(batch.full, lowest), look, chosen)
        with self.autocast(target):
            estimate = self.network.body(look.chunks, lowest).float()
        rows = torch.arange(lowest, transform.bins, device=first.device)
        counts = (rows >= first[:, None]) & (rows < end[:, None])
        counts = counts.repeat_interleave(self.network.chunk_count(low.shape[-1]), dim=0)[chosen, None, :, None]
        mask = (counts & (look.level > 0)).float()
        content = self.weights.content * masked_mean((estimate - target).square(), mask)
        return Estimate({"content": content}, [], [])

    def _choose(self, spectrum: Tensor) -> Tensor | slice:
        """Indices of the chunks that this step learns from; nothing is drawn where those are all."""
        if self.data.chunk_share == 1:
            return slice(None)
        count = len(spectrum) * self.network.chunk_count(spectrum.shape[-1])
        return torch.randperm(count, device=spectrum.device)[: max(1, round(self.data.chunk_share * count))]


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean of `x` [..., bins, N] over where `mask` [..., bins, 1] is 1."""
    return (x * mask).sum() / (mask.sum() * x.shape[-1]).clamp_min(1)


@dataclass(frozen=True)
class LogSpectra:
    """Log10 power above the band edge of estimates and originals at one resolution, as they sound.

    Distances of magnitudes before synthesis miss what inconsistent phases do to them.

    Attributes:
        estimate: [B, bins, N].
        full: the same of the originals.
        mask: 1 above each edge and below where each original's spectrum ends, [B, bins, 1].
        step_hz: distance of bins.
    """

    estimate: Tensor
    full: Tensor
    mask: Tensor
    step_hz: float

    @classmethod
    def of(cls, estimate: Tensor, batch: Batch, cutoff_hz: Tensor, stft: Stft, sample_rate: int) -> LogSpectra:
        """Those of estimated high bands [B, T] of a batch."""
        # one bin further up: the first one shares its window's main lobe with the given band
        first = Band(sample_rate, float(cutoff_hz.min())).cutoff_bin(stft) + 1
        step_hz = sample_rate / stft.n_fft
        hz = torch.arange(first, stft.bins, device=estimate.device) * step_hz
        mask = (hz > cutoff_hz[:, None] + step_hz) & (hz <= batch.bandwidth_hz[:, None])
        logs = [torch.log10(power(stft.analyse(x)[:, first:]) + _FLOOR) for x in (estimate, batch.full)]
        return cls(logs[0], logs[1], mask.float()[..., None], step_hz)

    def mean(self, x: Tensor) -> Tensor:
        """Mean over the bins of each frame, [B, 1, N]."""
        return (x * self.mask).sum(dim=1, keepdim=True) / self.mask.sum(dim=1, keepdim=True).clamp_min(1)

    def view(self, x: Tensor) -> Tensor:
        """What a discriminator sees of `estimate` or `full`: scaled, and zero where there is nothing to compare."""
        return (x - math.log10(_FLOOR) / 2) / _VIEW_SCALE * self.mask

    def distance(self) -> Tensor:
        """Log-spectral distance: RMS over bins, mean over frames."""
        return torch.sqrt(self.mean((self.estimate - self.full).square()) + _GUARD).mean()

    def compressed_error(self) -> Tensor:
        """Square error of powers raised to `_COMPRESSION`, relative to the original's typical one: minds peaks."""
        typical = self.mean(self.full).mean(dim=-1, keepdim=True)
        estimate, full = (torch.pow(10.0, _COMPRESSION * (x - typical)) for x in (self.estimate, self.full))
        return self.mean((estimate - full).square()).mean()

    def band_error(self) -> Tensor:
        """Distance of the levels of bands `BAND_HZ` wide: RMS over bands, mean over frames.

        What is heard of noise is how loud a band is. A mean of logarithms lies below it by what peaks stand out.
        """
        bins = max(round(BAND_HZ / self.step_hz), 1)
        weight = F.avg_pool2d(self.mask, (bins, 1))
        levels = [
            torch.log10(F.avg_pool2d(torch.pow(10.0, x) * self.mask, (bins, 1)) / weight.clamp_min(_GUARD) + _FLOOR)
            for x in (self.estimate, self.full)
        ]
        square = (levels[0] - levels[1]).square() * weight
        return torch.sqrt(square.sum(dim=1) / weight.sum(dim=1).clamp_min(_GUARD) + _GUARD).mean()

    def spread_error(self) -> Tensor:
        """Difference of the deviations over the bins of a frame, mean over frames: the price of smearing."""
        return (self._deviation(self.estimate) - self._deviation(self.full)).abs().mean()

    def _deviation(self, x: Tensor) -> Tensor:
        return torch.sqrt(self.mean((x - self.mean(x)).square()) + _GUARD)


def _stft(window_s: float, sample_rate: int) -> Stft:
    n_fft = 2 * round(window_s * sample_rate / 2)
    return Stft(n_fft, n_fft // 2)


def adversarial_loss(logits: Tensor, form: AdversarialForm) -> Tensor:
    """The generator's term for what a discriminator says of estimates; see `LossRecipe.form`."""
    if form == "saturating":
        return -F.softplus(logits).mean()
    return F.softplus(-logits).mean() if form == "non-saturating" else -logits.mean()


def discriminator_loss(real: Tensor, fake: Tensor, form: AdversarialForm) -> Tensor:
    """The discriminator's loss: binary cross entropy, the hinge form, or a critic's difference of means.

    Retzlöff prints log D(1 − x) and a product of the critic's outputs; what he defines in his section II is used.
    """
    if form == "wasserstein":
        return fake.mean() - real.mean()
    if form == "hinge":
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
    return F.softplus(-real).mean() + F.softplus(fake).mean()
