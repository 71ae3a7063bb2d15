"""The `envelope` network: a linear map from the low band's envelope to that of the high band, texture copied up.

The bar that every other network has to pass: ridge regression of the high band's log spectrum on the log energies of a
few bands of the low band, fitted in closed form. It runs at any rate and band edge, since all of it is laid out in
hertz and seconds: frames last as long at every rate, the predicted spectrum lies on a fixed grid of frequencies, and
there is one regression per band edge on a grid of edges, linearly interpolated between.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from musr_models.contract import Band, ModelError, Network, Output
from musr_models.texture import CONTEXT_FRAMES as TEXTURE_CONTEXT_FRAMES
from musr_models.texture import RELATIVE_FLOOR, copy_up, local_level, texture_stft
from musr_models.transforms import Stft, cached_tensor, power

# Targets are clamped like the LSD of our tables, which the fit minimises: below lies what codecs have zeroed.
TARGET_FLOOR = 1e-8
# A clip's spectrum counts as known up to this far below its bandwidth, where the slope of its own low-pass begins.
BANDWIDTH_MARGIN_HZ = 500.0
# Bandwidths of clips are rounded down to this many targets, so that clips share their normal equations.
BANDWIDTH_STEP = 4


@dataclass(frozen=True)
class EnvelopeConfig:
    """Layout of the regression.

    Attributes:
        bands: low-band energies per frame, spaced on the mel scale.
        lowest_hz: where the bands begin.
        usable: fraction of the band edge at which the bands end: real low-passes fall before their −12 dB point.
        context_frames: frames on each side that a prediction looks at.
        target_step_hz: spacing of the predicted log spectrum.
        top_hz: where the predicted log spectrum ends; the last value holds above.
        lowest_cutoff_hz: first band edge of the grid.
        highest_cutoff_hz: band edge that the grid must reach.
        cutoffs_per_octave: density of the grid.
    """

    bands: int = 16
    lowest_hz: float = 50.0
    usable: float = 0.93
    context_frames: int = 2
    target_step_hz: float = 125.0
    top_hz: float = 24000.0
    lowest_cutoff_hz: float = 2000.0
    highest_cutoff_hz: float = 20000.0
    cutoffs_per_octave: int = 6

    @property
    def targets(self) -> int:
        """Number of frequencies of the predicted log spectrum, from 0 Hz to `top_hz`."""
        return round(self.top_hz / self.target_step_hz) + 1

    @property
    def features(self) -> int:
        """Numbers that a prediction is made from, the constant apart."""
        return self.bands * (2 * self.context_frames + 1)

    @property
    def cutoffs_hz(self) -> tuple[float, ...]:
        """The grid of band edges."""
        octaves = math.log2(self.highest_cutoff_hz / self.lowest_cutoff_hz)
        count = math.ceil(octaves * self.cutoffs_per_octave) + 1
        return tuple(self.lowest_cutoff_hz * 2 ** (index / self.cutoffs_per_octave) for index in range(count))


class Envelope(Network):
    """Predicts the log power of the high band, linearly, and puts it on the texture of the low band.

    Everything is relative to the local level of the low band, so that a louder input gives the same output, louder.
    """

    output = Output.COMPLEX
    weight: Tensor
    bias: Tensor

    def __init__(self, config: EnvelopeConfig) -> None:
        super().__init__()
        self.config = config
        cutoffs = len(config.cutoffs_hz)
        self.register_buffer("weight", torch.zeros(cutoffs, config.targets, config.features))
        self.register_buffer("bias", torch.zeros(cutoffs, config.targets))

    def transform(self, band: Band) -> Stft:
        """Frames of the same duration at every rate."""
        return texture_stft(band.sample_rate)

    def context(self, band: Band) -> int:
        """Frames of the regression or of the texture, and a window for the STFT and its inverse."""
        stft = self.transform(band)
        return max(self.config.context_frames, TEXTURE_CONTEXT_FRAMES) * stft.hop + stft.n_fft

    def forward(self, x: Tensor, band: Band, first: int = 0) -> Tensor:
        """Spectrum [B, C, F, N] → spectrum [B, C, F, N]; the low band is the input's own."""
        del first
        stft = self.transform(band)
        cutoff_bin = band.cutoff_bin(stft)
        low, level = low_band_features(x, band, self.config)
        log_power = bin_weights(self.config, band.sample_rate).to(x.device)[cutoff_bin:] @ self.predict(low, band)
        magnitude = torch.pow(10, 0.5 * log_power) * level.sqrt()
        texture = copy_up(x, stft, band)[..., cutoff_bin:, :]
        return torch.cat([x[..., :cutoff_bin, :], texture * magnitude], dim=-2)

    def predict(self, low: Tensor, band: Band) -> Tensor:
        """Features [..., features, N] → log10 power relative to the level [..., targets, N].

        Never above the loudest of the features: what a regression makes of sounds unlike music must not be loud.
        """
        config = self.config
        octaves = math.log2(band.cutoff_hz / config.lowest_cutoff_hz)
        position = min(max(octaves * config.cutoffs_per_octave, 0.0), len(self.weight) - 1.0)
        below, above = math.floor(position), math.ceil(position)
        weight = torch.lerp(self.weight[below], self.weight[above], position - below)
        bias = torch.lerp(self.bias[below], self.bias[above], position - below)
        return torch.minimum(weight @ low + bias[:, None], low.amax(dim=-2, keepdim=True))


def low_band_features(x: Tensor, band: Band, config: EnvelopeConfig) -> tuple[Tensor, Tensor]:
    """What a prediction is made from: log energies of the low band in the frames around, relative to their level.

    Args:
        x: complex spectrum [..., F, N] of `texture_stft`; bins from the band edge on are not looked at.
        band: rate and edge of `x`.
        config: layout.

    Returns:
        log10 of the energies [..., features, N], frame by frame from the earliest, and the level that they
        are relative to, mean power per bin [..., 1, N]; 0 for silence.
    """
    weights = band_weights(config, band).to(x.device)
    energy = weights @ power(x[..., : weights.shape[-1], :])
    frames = 2 * config.context_frames + 1
    level = local_level(energy, frames)
    around = F.pad(energy, (config.context_frames, config.context_frames)).unfold(-1, frames, 1)
    around = around.movedim(-1, -3).flatten(-3, -2)
    return torch.log10(around / torch.where(level > 0, level, 1) + RELATIVE_FLOOR), level


@cached_tensor
def band_weights(config: EnvelopeConfig, band: Band) -> Tensor:
    """Triangles [bands, bins below the edge], each of sum 1, evenly spaced on the mel scale."""
    stft = texture_stft(band.sample_rate)
    hz = torch.arange(band.cutoff_bin(stft)) * (band.sample_rate / stft.n_fft)
    lowest, top = _mel(torch.tensor([config.lowest_hz, config.usable * band.cutoff_hz]))
    position = (_mel(hz) - lowest) / (top - lowest) * (config.bands + 1)
    triangles = _hat(position, torch.arange(1, config.bands + 1)).T
    return triangles / triangles.sum(dim=1, keepdim=True).clamp_min(1e-6)  # no bin below an edge of a few hertz


@cached_tensor
def bin_weights(config: EnvelopeConfig, sample_rate: int) -> Tensor:
    """Linear interpolation from the grid of targets to the bins of a rate, [bins, targets]."""
    stft = texture_stft(sample_rate)
    position = torch.arange(stft.bins) * (sample_rate / stft.n_fft / config.target_step_hz)
    return _hat(position.clamp(max=config.targets - 1), torch.arange(config.targets))


def _hat(position: Tensor, centres: Tensor) -> Tensor:
    """Triangles of half-width 1 around `centres`, [positions, centres]."""
    return (1 - (position[:, None] - centres).abs()).clamp_min(0)


def _mel(hz: Tensor) -> Tensor:
    """The mel scale up to a factor (O'Shaughnessy 1987: logarithmic above 700 Hz)."""
    return torch.log1p(hz / 700)


class EnvelopeFit:
    """Ridge regression over any number of batches, in closed form: only the normal equations are kept.

    There is one set for each band edge of the grid and each bandwidth that clips have: a target above
    the bandwidth of a clip is unknown there, and is fitted on the other clips.
    """

    def __init__(self, config: EnvelopeConfig) -> None:
        self.config = config
        self._moments: dict[tuple[int, int], Tensor] = {}

    def add(self, waveform: Tensor, sample_rate: int, bandwidth_hz: Tensor) -> None:
        """Take in full-band clips.

        Args:
            waveform: [B, T] float32; a clip with less than a few frames adds nothing.
            sample_rate: in Hz.
            bandwidth_hz: [B], where each clip's own spectrum ends.
        """
        self.add_spectrum(texture_stft(sample_rate).analyse(waveform), sample_rate, bandwidth_hz)

    def add_spectrum(self, spectrum: Tensor, sample_rate: int, bandwidth_hz: Tensor) -> None:
        """`add` for clips that are already spectra [B, F, N] of `texture_stft`."""
        target = self._target(spectrum, sample_rate)
        known = self._known_targets(bandwidth_hz.clamp(max=sample_rate / 2))
        for index, cutoff_hz in enumerate(self.config.cutoffs_hz):
            if cutoff_hz < sample_rate / 2:
                self._add_at(index, Band(sample_rate, cutoff_hz), spectrum, target, known)

    def solve(self, ridge: float) -> Envelope:
        """The network that fits best.

        Args:
            ridge: penalty on squared weights, relative to the number of frames; above 0.

        Raises:
            ModelError: nothing was added that reaches above the lowest band edge.
        """
        network = Envelope(self.config)
        for index in range(len(self.config.cutoffs_hz)):
            known = sorted((count for at, count in self._moments if at == index), reverse=True)
            if not known and index == 0:
                raise ModelError("no audio to fit the envelope to; give clips of music that reach above 2 kHz")
            if not known:
                network.weight[index], network.bias[index] = network.weight[index - 1], network.bias[index - 1]
                continue
            solution = self._solve_at(index, known, ridge)
            network.weight[index], network.bias[index] = solution[:, 1:], solution[:, 0]
        return network.eval()

    def _target(self, spectrum: Tensor, sample_rate: int) -> Tensor:
        """Mean log10 power around each frequency of the grid, [B, targets, N]."""
        weights = bin_weights(self.config, sample_rate).T
        weights = weights / weights.sum(dim=1, keepdim=True).clamp_min(1)
        return weights @ torch.log10(power(spectrum).clamp_min(TARGET_FLOOR))

    def _known_targets(self, bandwidth_hz: Tensor) -> list[int]:
        """How many targets each clip has, from 0 Hz up."""
        step_hz = self.config.target_step_hz * BANDWIDTH_STEP
        steps = ((bandwidth_hz - BANDWIDTH_MARGIN_HZ) / step_hz).floor().clamp_min(0)
        return [int(step) * BANDWIDTH_STEP for step in steps]

    def _add_at(self, index: int, band: Band, spectrum: Tensor, target: Tensor, known: list[int]) -> None:
        low, level = low_band_features(spectrum, band, self.config)
        relative = target - torch.log10(torch.where(level > 0, level, 1))
        rows = torch.cat([torch.ones_like(level), low, relative], dim=1)
        inputs = 1 + self.config.features
        edge = self.config.context_frames + 2  # frames that reach over an end of the clip
        for clip, count in enumerate(known):
            if count * self.config.target_step_hz <= band.cutoff_hz:
                continue
            sounding = level[clip, 0] > 0
            used = rows[clip, : inputs + count, edge:-edge][:, sounding[edge:-edge]].double()
            moments = used[:inputs] @ used.T
            self._moments[index, count] = self._moments.get((index, count), 0) + moments

    def _solve_at(self, index: int, known: list[int], ridge: float) -> Tensor:
        """Constant and weights of all targets at one band edge, [targets, 1 + features]; `known` falls."""
        inputs = 1 + self.config.features
        solution = torch.zeros(self.config.targets, inputs)
        total = torch.zeros(inputs, inputs + self.config.targets, dtype=torch.float64)
        for count, fewer in zip(known, [*known[1:], 0], strict=True):
            total[:, : inputs + count] += self._moments[index, count]
            solved = _ridge(total[:, :inputs], total[:, inputs + fewer : inputs + count], ridge)
            solution[fewer:count] = solved.T.float()
        solution[known[0] :] = solution[known[0] - 1]
        return solution


def _ridge(gram: Tensor, cross: Tensor, ridge: float) -> Tensor:
    """Weights [inputs, targets] of least penalised error; the constant, which comes first, is not penalised."""
    penalty = torch.full((len(gram),), ridge, dtype=gram.dtype) * gram[0, 0]
    penalty[0] = 0
    weights: Tensor = torch.linalg.solve(gram + torch.diag(penalty), cross)
    return weights
