"""What waveform networks are trained on: distances of signals and of their spectra at several resolutions."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musr_cli.errors import MusrError
from musr_cli.training.data import Batch
from musr_cli.training.losses import Estimate, Objective
from musr_cli.training.recipe import Recipe
from musr_models import registry
from musr_models.contract import Band
from musr_models.features import Features
from musr_models.tfgan import TfGan
from musr_models.transforms import Stft, power
from musr_models.waveform import WaveformNetwork

LOUDNESS = 0.1
"""Root mean square to which each example is brought before it is compared: quiet music counts as much as loud music."""

WAVE_RATES = (1, 2, 4)
"""Factors by which the rate is divided for `multi_wave` (Zhang et al., 3.3)."""

STFTS = tuple(Stft(n_fft, n_fft // 2) for n_fft in (512, 1024, 2048))
"""Transforms of `multi_stft` (Zhang et al., 3.3)."""

FRAMES = ((240, 80), (480, 160), (960, 320))
"""Lengths and hops, in samples, of the frames of `frames` (Tian et al. 2020, 2.3.2, at 16 kHz)."""

TEMPERATURE = 0.1

WHITENING = 4
"""Times that discriminators are shown the difference of neighbouring samples: 12 dB more at 8 than at 4 kHz, of 16."""

_FAINTEST = 1e-6  # power of a missing band, relative to the whole, below which no discriminator is to judge it
_TINY = 1e-8


class SignalTerms(Objective):
    """What all that makes waveforms is compared by."""

    def __init__(self, network: nn.Module, recipe: Recipe, bf16: bool = False) -> None:
        super().__init__(network, recipe, bf16)
        # in a list: frozen, and no part of what is trained
        self._encoders = [_feature_encoder(self.sample_rate)] if self.weights.perceptual else []

    @staticmethod
    def levelled(made: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Signals [B, T] made for `batch.full`, and those, brought to `LOUDNESS` by the same gains."""
        gain = LOUDNESS * (_power(batch.full) + _TINY).rsqrt()
        return gain * made, gain * batch.full

    def terms(self, estimate: Tensor, full: Tensor) -> dict[str, Tensor]:
        """The weighted distances of levelled signals [B, T]."""
        terms = {
            "wave": lambda: (estimate - full).square().mean() / LOUDNESS**2,
            "multi_wave": lambda: multi_wave(estimate, full),
            "multi_stft": lambda: multi_stft(estimate, full),
            "frames": lambda: frames(estimate, full) / LOUDNESS,
            "perceptual": lambda: self._perceptual(estimate, full),
        }
        weights = {name: getattr(self.weights, name) for name in terms}
        return {name: weight * terms[name]() for name, weight in weights.items() if weight}

    def _perceptual(self, estimate: Tensor, full: Tensor) -> Tensor:
        """Mean square distance of the encoder's maps (Ledig et al. 2016, eq. 5), mean over its blocks."""
        (encoder,) = self._encoders
        encoder.to(full.device)
        with torch.no_grad():
            wanted = encoder.maps(full)
        return torch.stack(
            [F.mse_loss(made, true) for made, true in zip(encoder.maps(estimate), wanted, strict=True)]
        ).mean()


class WaveformObjective(SignalTerms):
    """A waveform network: what it makes of the band-limited signals, compared before any blending.

    A discriminator is shown what was added to them, whitened and at one loudness: of the whole signal the missing band
    is a hundredth or less, and of that the upper half again.
    """

    network: WaveformNetwork

    def forward(self, batch: Batch) -> Estimate:
        """Estimate `batch.full` from `batch.low`, and compare."""
        ratio = self.network.ratio
        band = Band(self.sample_rate, self.sample_rate / 2 / ratio if ratio else float(batch.cutoff_hz.max()))
        with self.autocast(batch.low):
            made = self.network(batch.low[:, None], band)[:, 0]
        estimate, full = self.levelled(made, batch)
        terms = self.terms(estimate, full)
        if self.weights.resynthesis:
            cutoff_hz = torch.full_like(batch.cutoff_hz, band.cutoff_hz) if ratio else batch.cutoff_hz
            terms |= self.resynthesis(self.spectra(estimate, replace(batch, full=full), cutoff_hz))
        return Estimate(terms, *_added(made, batch))


class VocoderObjective(SignalTerms):
    """A vocoder: what it makes of the magnitudes of the originals."""

    network: TfGan

    def forward(self, batch: Batch) -> Estimate:
        """Resynthesise `batch.full`, and compare."""
        magnitude = self.network.config.stft.analyse(batch.full).abs()
        with self.autocast(batch.full):
            made = self.network.resynthesise(magnitude, batch.full.shape[-1])
        estimate, full = self.levelled(made, batch)
        return Estimate(self.terms(estimate, full), [estimate / LOUDNESS], [full / LOUDNESS])


class FeatureObjective(Objective):
    """A feature encoder: the two halves of each example are to be told from those of all others (Chen et al. 2020)."""

    network: Features

    def forward(self, batch: Batch) -> Estimate:
        """The first half as it is, the second half as it is degraded, if the recipe degrades anything."""
        half = batch.full.shape[-1] // 2
        with self.autocast(batch.full):
            first, second = self.network(batch.full[:, :half]), self.network(batch.low[:, half:])
        likeness = first.float() @ second.float().T / TEMPERATURE
        own = torch.arange(len(likeness), device=likeness.device)
        return Estimate({"contrast": 0.5 * (F.cross_entropy(likeness, own) + F.cross_entropy(likeness.T, own))}, [], [])


def _added(made: Tensor, batch: Batch) -> tuple[list[Tensor], list[Tensor]]:
    """What a discriminator sees: estimated and true difference from the input [B, T − `WHITENING`]."""
    added, missing = (torch.diff(x - batch.low, n=WHITENING) for x in (made, batch.full))
    gain = (_power(missing) + _FAINTEST * _power(batch.full) + _TINY).rsqrt()
    return [gain * added], [gain * missing]


def _power(signals: Tensor) -> Tensor:
    """Mean square of each of [B, T], [B, 1]."""
    return signals.square().mean(dim=-1, keepdim=True)


def multi_wave(estimate: Tensor, full: Tensor) -> Tensor:
    """L1 distance of [B, T], mean over the rates of `WAVE_RATES` (Zhang et al., eq. 3 and 4).

    The paper does not say how the rate is lowered: means of neighbouring samples, as poor a filter as they are.
    """
    error = (estimate - full)[:, None]
    distances = [(F.avg_pool1d(error, rate) if rate > 1 else error).abs().mean() for rate in WAVE_RATES]
    return torch.stack(distances).mean()


def multi_stft(estimate: Tensor, full: Tensor) -> Tensor:
    """Spectral convergence and L1 distance of log magnitudes of [B, T], mean over `STFTS`.

    Yamamoto et al. 2020, eq. 4 to 6. Convergence is taken for each example, so that it does not depend on what else is
    in the batch.
    """
    distances = []
    for stft in STFTS:
        made, wanted = (power(stft.analyse(x)).clamp_min(_TINY) for x in (estimate, full))
        error = (made.sqrt() - wanted.sqrt()).square().sum(dim=(1, 2)) / wanted.sum(dim=(1, 2))
        distances += [error.sqrt().mean(), 0.5 * (made.log() - wanted.log()).abs().mean()]
    return torch.stack(distances).sum() / len(STFTS)


def frames(estimate: Tensor, full: Tensor) -> Tensor:
    """L1 distances of what short frames of [B, T] have: energy, mean, and mean slope, mean over `FRAMES`.

    TFGAN's time-domain loss (Tian et al. 2020, eq. 8-10), which calls them energy, time and phase. The energy enters
    by its root, so that all three are amplitudes.
    """
    distances = []
    for length, hop in FRAMES:
        for make in (_root_mean_square, _mean, _slope):
            distances.append((make(estimate, length, hop) - make(full, length, hop)).abs().mean())
    return torch.stack(distances).sum() / len(FRAMES)


def _mean(x: Tensor, length: int, hop: int) -> Tensor:
    return F.avg_pool1d(x[:, None], length, hop)


def _root_mean_square(x: Tensor, length: int, hop: int) -> Tensor:
    return (_mean(x.square(), length, hop) + _TINY).sqrt()


def _slope(x: Tensor, length: int, hop: int) -> Tensor:
    return (x[:, length - 1 :: hop] - x[:, : x.shape[-1] - length + 1 : hop]) / (length - 1)


def _feature_encoder(sample_rate: int) -> Features:
    """The shipped encoder, frozen."""
    card = registry.find_aid("features", sample_rate)
    if card is None:
        raise MusrError(f"no feature encoder for {sample_rate} Hz: set loss.perceptual to 0 in the recipe")
    encoder: Features = registry.load_card(card)
    return encoder.requires_grad_(False)
