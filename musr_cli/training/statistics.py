"""What networks standardise spectra by: means and deviations over the music that they are trained on."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from musr_cli.training.data import Batch
from musr_models.autoencoder import Autoencoder
from musr_models.blocks import LogPowerNetwork, relative_log
from musr_models.restore import ROUND_OFF, Restore, fit_bins
from musr_models.transforms import power


def set_statistics(network: nn.Module, batches: Iterable[Batch], sample_rate: int) -> None:
    """Set the means and deviations inside `network`; high bins count where originals reach them."""
    if isinstance(network, LogPowerNetwork):
        _of_two_bands(network, batches, sample_rate)
    elif isinstance(network, Restore):
        _of_whole_spectra(network, batches, sample_rate)
    elif isinstance(network, Autoencoder):
        _largest(network, batches, sample_rate)


def _of_two_bands(network: LogPowerNetwork, batches: Iterable[Batch], sample_rate: int) -> None:
    config = network.config
    low, high = _Moments(config.low_bins), _Moments(config.high_bins)
    hz = torch.arange(config.low_bins, config.stft.bins) * (sample_rate / config.n_fft)
    for batch in batches:
        features = network.features(config.stft.analyse(batch.low))
        low.add(features.low, torch.ones(len(batch.low), config.low_bins))
        high.add(
            network.target(config.stft.analyse(batch.full), features.level),
            (hz <= batch.bandwidth_hz[:, None]).float(),
        )
    network.low_mean, network.low_std = low.result()
    network.high_mean, network.high_std = high.result()


def _of_whole_spectra(network: Restore, batches: Iterable[Batch], sample_rate: int) -> None:
    moments = _Moments(network.config.bins)
    for batch in batches:
        bands = batch.bands(sample_rate)
        stft = network.transform(bands[0])
        level = network.look(stft.analyse(batch.low)[:, None], bands).level
        powers = fit_bins(power(stft.analyse(batch.full)), network.config.bins)
        hz = torch.arange(network.config.bins) * (sample_rate / stft.n_fft)
        # at lower rates the uppermost bins do not exist
        top_hz = batch.bandwidth_hz.clamp_max(sample_rate / 2)
        moments.add(relative_log(powers, level, ROUND_OFF), (hz <= top_hz[:, None]).float())
    network.mean, network.std = moments.result()


def _largest(network: Autoencoder, batches: Iterable[Batch], sample_rate: int) -> None:
    """The scale of an autoencoder: the largest of its inputs."""
    transform = network.domain
    for batch in batches:
        first = batch.cutoff_bins(transform, sample_rate)
        largest = network.look(transform.analyse(batch.low), first).chunks.amax() * network.scale
        network.scale = torch.maximum(network.scale, largest)


class _Moments:
    """Weighted mean and deviation of each bin; a bin that no original reaches takes those of the last one reached."""

    def __init__(self, bins: int) -> None:
        self.weight, self.sum, self.square = (torch.zeros(bins, dtype=torch.float64) for _ in range(3))

    def add(self, x: Tensor, weight: Tensor) -> None:
        """Count `x` [B, bins, N], its bins weighted by `weight` [B, bins]."""
        x = x.double()
        self.weight += weight.sum(dim=0) * x.shape[-1]
        self.sum += (x.sum(dim=-1) * weight).sum(dim=0)
        self.square += (x.square().sum(dim=-1) * weight).sum(dim=0)

    def result(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation, [bins, 1] each."""
        reached = torch.nonzero(self.weight > 0.01 * self.weight.max()).flatten()
        last = torch.searchsorted(reached, torch.arange(len(self.weight)), right=True) - 1
        source = reached[last.clamp_min(0)]
        mean = self.sum[source] / self.weight[source]
        std = (self.square[source] / self.weight[source] - mean.square()).clamp_min(0).sqrt()
        return mean.float()[:, None], std.clamp_min(1e-3).float()[:, None]
