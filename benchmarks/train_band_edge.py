"""Train the network behind `musr_cli.dsp.band_edge`.

    python benchmarks/train_band_edge.py --data FOLDER --minutes 60 --out musr_cli/dsp/edge_network.safetensors

FOLDER holds music, with a manifest.csv in it or beside it; clips of its split "valid" are left out. Only long-term
spectra of music are kept: a filter adds its response to them, so that each step sees 128 new pairs of music and
low-pass without any filtering. What else happens to recordings is added as well: other equalisation, other pitch, two
pieces at once, lower rates, noise, whistles. Printed are the share of edges within the tolerance and of false alarms
on music whose file names fall into every eighth part, which is not trained on.
"""

from __future__ import annotations

import argparse
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from clips import Clip, find_clips
from musr_cli import degrade
from musr_cli.audio.resampling import resample
from musr_cli.degrade import FAMILIES, RESAMPLE
from musr_cli.dsp import edge_network as network
from musr_cli.dsp.band_edge import TOLERANCE, TOLERANCE_HZ
from musr_cli.dsp.reach import measure_reach
from musr_cli.dsp.spectrum import LongTermSpectrum

RATE = 44100
NYQUIST_HZ = RATE / 2
RATES = (16000, 22050, 24000, 32000, 44100, 44100, 44100, 44100, 48000)
RESPONSES = 6000
BATCH = 128
SEGMENTS_S = (60.0, 10.0, 5.0, 5.0, 2.0, 1.0, 0.3)
NONE = np.inf

# bands twice as narrow as the network's, so that a steep filter cuts through them
FINE = 2
FINE_HZ = network.LOWEST_HZ * 2 ** ((np.arange(FINE * network.BANDS) / FINE - 0.25) / network.BANDS_PER_OCTAVE)
OCTAVE = FINE * network.BANDS_PER_OCTAVE

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Music:
    """Spectra of music: band powers in dB [n, exponents, bands] and up to where each is filled, in Hz [n]."""

    level_db: Array
    filled_hz: Array


@dataclass(frozen=True)
class Filters:
    """Low-passes: gains in dB [n, bands], edges and −1 dB points in Hz [n], and the rates that they run at [n]."""

    gain_db: Array
    edge_hz: Array
    slope_hz: Array
    rate: Array


@dataclass(frozen=True)
class Batch:
    """What a training step sees: inputs [n, C, bands]; edge (NONE where there is none) and slope in Hz [n]."""

    x: Tensor
    edge_hz: Array
    slope_hz: Array

    def only(self, keep: NDArray[np.bool_]) -> Batch:
        return Batch(self.x[torch.from_numpy(keep)], self.edge_hz[keep], self.slope_hz[keep])


def gather_music(clips: list[Clip]) -> Music:
    levels, filled = [], []
    for number, clip in enumerate(clips):
        x, rate = clip.read(max(SEGMENTS_S))
        x = resample(x, rate, RATE)
        filled_hz = min(measure_reach(x, RATE), clip.bandwidth_hz or NONE)
        rng = np.random.default_rng(number)
        for seconds in SEGMENTS_S:
            length = min(x.shape[-1], round(seconds * RATE))
            start = int(rng.integers(0, x.shape[-1] - length + 1))
            if np.abs(x[:, start : start + length]).max(initial=0.0) > 1e-3:
                levels.append(10 * np.log10(_powers(x[:, start : start + length]) + 1e-20))
                filled.append(filled_hz)
    return Music(np.array(levels), np.where(np.array(filled) > 0.95 * NYQUIST_HZ, NONE, filled))


def _powers(x: NDArray[np.float32]) -> Array:
    spectrum = LongTermSpectrum(RATE, network.EXPONENTS)
    spectrum.push(x)
    density = np.stack([spectrum.mean(exponent) for exponent in network.EXPONENTS])
    return network.band_powers(density, spectrum.frequencies_hz, FINE_HZ)


def gather_filters(count: int, seed: int) -> Filters:
    rng = np.random.default_rng(seed)
    bins_hz = np.fft.rfftfreq(4096, 1 / RATE)
    rows = []
    for number in range(count):
        rate = int(rng.choice(RATES))
        nominal_hz = float(np.exp(rng.uniform(np.log(1400), np.log(0.97 * rate / 2))))
        how = degrade.sample((seed, number), rate, families=(*FAMILIES, RESAMPLE), cutoff_hz=(nominal_hz, nominal_hz))
        frequencies, gain = degrade.response(how, rate)
        power = np.interp(bins_hz, frequencies, gain**2) * (bins_hz < rate / 2)
        fallen = (gain < 10 ** (-1 / 20)) & (frequencies > 200)
        slope_hz = frequencies[np.argmax(fallen)] if fallen.any() else rate / 2
        gain_db = 10 * np.log10(network.band_powers(power, bins_hz, FINE_HZ) + 1e-18)
        rows.append((gain_db, degrade.edge(how, rate), slope_hz, rate))
    gain_db, edge_hz, slope_hz, rate = (np.array(column) for column in zip(*rows, strict=True))
    return Filters(gain_db, edge_hz, slope_hz, rate)


def draw(music: Music, filters: Filters, rng: np.random.Generator, count: int = BATCH) -> Batch:
    """New pairs of music and filter; a fifth of them unfiltered.

    Where an encoder has cut the music below the filter nobody knows what the answer should be: such pairs are left out.
    """
    level_db, filled_hz, nyquist_hz = _other_music(music, rng, count)
    pick = rng.integers(len(filters.edge_hz), size=count)
    is_plain = rng.random(count) < 0.2
    gain_db = np.where(is_plain[:, None], 0.0, filters.gain_db[pick])
    edge_hz = np.where(is_plain, NONE, filters.edge_hz[pick])
    nyquist_hz = np.minimum(nyquist_hz, filters.rate[pick] / 2)
    clean = 10 ** (level_db / 10)
    noise = _noise(clean, rng)
    roll_off_db = _roll_off_db(nyquist_hz, rng)
    power = clean * 10 ** ((gain_db + roll_off_db)[:, None] / 10) + noise[:, None] + _whistles(clean, rng)
    is_known = (edge_hz < 0.97 * filled_hz) | (filled_hz >= 0.95 * nyquist_hz)
    is_seen = (edge_hz < 0.955 * nyquist_hz) & (_level_below(clean, edge_hz) > 10 * noise.mean(axis=-1))
    coarse = power.reshape(count, -1, network.BANDS, FINE).mean(axis=-1)
    x = torch.from_numpy(network.features(coarse, nyquist_hz))
    slope_hz = np.where(is_seen, filters.slope_hz[pick], NONE)
    return Batch(x, np.where(is_seen, edge_hz, NONE), slope_hz).only(is_known)


def _other_music(music: Music, rng: np.random.Generator, count: int) -> tuple[Array, Array, Array]:
    """Levels, reach and Nyquist frequencies of music at another pitch, with another equalisation, or mixed."""
    first, second = rng.integers(len(music.filled_hz), size=(2, count))
    level_db, filled_hz = music.level_db[first], music.filled_hz[first]
    is_mix = rng.random(count) < 0.25
    other_db = music.level_db[second] + rng.uniform(-10, 10, (count, 1, 1))
    mixed_db = 10 * np.log10(10 ** (level_db / 10) + 10 ** (other_db / 10))
    level_db = np.where(is_mix[:, None, None], mixed_db, level_db)
    filled_hz = np.where(is_mix, np.minimum(filled_hz, music.filled_hz[second]), filled_hz)
    shift = np.where(rng.random(count) < 0.4, 0, rng.integers(-OCTAVE // 2, OCTAVE // 2 + 1, count))
    column = np.clip(np.arange(len(FINE_HZ)) - shift[:, None], 0, len(FINE_HZ) - 1)
    level_db = np.take_along_axis(level_db, column[:, None].repeat(level_db.shape[1], axis=1), axis=-1)
    octaves = np.log2(FINE_HZ / 1000)
    tilt = rng.normal(0, 2, (count, 1)) * octaves
    wave = rng.normal(0, 2, (count, 1)) * np.sin(
        2 * np.pi * (octaves * rng.uniform(0.1, 0.6, (count, 1)) + rng.random((count, 1)))
    )
    scale = 2.0 ** (shift / OCTAVE)
    return level_db + (tilt + wave)[:, None], filled_hz * scale, np.minimum(NYQUIST_HZ * scale, NYQUIST_HZ)


def _roll_off_db(nyquist_hz: Array, rng: np.random.Generator) -> Array:
    """What resampling takes just below the Nyquist frequency [n, bands]: no edge that anybody looks for."""
    start_hz = rng.uniform(0.9, 1.0, len(nyquist_hz)) * nyquist_hz
    fall = np.clip((FINE_HZ - start_hz[:, None]) / (0.06 * nyquist_hz[:, None]), 0, 1)
    has_one = (nyquist_hz < 20000) & (rng.random(len(nyquist_hz)) < 0.7)
    return np.where(has_one[:, None], -80 * fall, 0.0)


def _noise(clean: Array, rng: np.random.Generator) -> Array:
    """White noise under more than half of the recordings [n, bands], 45 to 110 dB below the strongest band."""
    count = len(clean)
    depth = np.where(rng.random(count) < 0.4, 1e-16, 10 ** -rng.uniform(4.5, 11, count))
    ripple = 1 + 0.1 * rng.standard_normal((count, len(FINE_HZ)))
    return np.asarray((depth * clean[:, 0].max(axis=-1))[:, None] * ripple)


def _whistles(clean: Array, rng: np.random.Generator) -> Array:
    """One band with a tone in it, in some recordings [n, 1, bands]: mains, screens, pilots."""
    count = len(clean)
    strength = 10 ** -rng.uniform(2, 7, count) * clean[:, 0].max(axis=-1) * (rng.random(count) < 0.15)
    place = rng.integers(40, len(FINE_HZ), count)
    return np.asarray(strength[:, None, None] * (np.arange(len(FINE_HZ)) == place[:, None])[:, None])


def _level_below(clean: Array, edge_hz: Array) -> Array:
    """Mean power of the typical frame in the five bands below an edge [n]."""
    last = np.searchsorted(FINE_HZ, 0.97 * np.minimum(edge_hz, FINE_HZ[-1])).clip(5, len(FINE_HZ) - 1)
    columns = last[:, None] - np.arange(5)
    return np.take_along_axis(clean[:, 0], columns, axis=-1).mean(axis=-1)


class EdgeNetwork(nn.Module):
    """The network that `edge_network.run` evaluates; parameter names are the contract between the two.

    [n, C, bands] → logits [n, bands + 1] (the last: no edge) and octaves between −1 dB and the edge [n, bands].
    """

    def __init__(self, width: int = 32, taps: int = 5) -> None:
        super().__init__()
        channels = 2 * len(network.EXPONENTS) + 1
        self.inp = nn.Conv1d(channels, width, 7, padding=3)
        self.blocks = nn.ModuleList(
            nn.Conv1d(width, width, taps, padding=taps // 2 * step, dilation=step) for step in network.DILATIONS
        )
        self.mix = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in network.DILATIONS)
        self.out = nn.Conv1d(width, 2, 1)
        self.none = nn.Linear(2 * width, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mask = x[:, -1:]
        hidden = torch.relu(self.inp(x)) * mask
        for block, mix in zip(self.blocks, self.mix, strict=True):
            hidden = hidden + mix(torch.relu(block(hidden))) * mask
        hidden = torch.relu(hidden) * mask
        edge, octaves = self.out(hidden).unbind(1)
        pooled = torch.cat([hidden.amax(-1), hidden.sum(-1) / mask.sum(-1)], dim=1)
        return torch.cat([edge + 30 * (mask[:, 0] - 1), self.none(pooled)], dim=1), octaves


def loss(net: EdgeNetwork, batch: Batch) -> Tensor:
    """Probability within the tolerance, likelihood of a bell around the edge, and error of the slope's width."""
    logits, octaves = net(batch.x)
    log_probability = torch.log_softmax(logits, dim=1)
    bell, inside = (torch.from_numpy(labels.astype(np.float32)) for labels in _labels(batch.edge_hz))
    likelihood = (bell * log_probability).sum(1).mean()
    within = torch.log((inside * log_probability.exp()).sum(1) + 1e-5).mean()
    has_edge = np.isfinite(batch.edge_hz)
    width = np.log2(batch.edge_hz, where=has_edge, out=np.zeros(len(has_edge))) - np.log2(
        batch.slope_hz, where=has_edge, out=np.zeros(len(has_edge))
    )
    band = torch.from_numpy(np.rint(_position(np.where(has_edge, batch.edge_hz, 1000.0))).astype(np.int64))
    error = octaves.gather(1, band[:, None])[:, 0] - torch.from_numpy(width.astype(np.float32))
    return -0.3 * likelihood - 0.7 * within + 0.3 * (error.abs() * torch.from_numpy(has_edge)).mean()


def _labels(edge_hz: Array) -> tuple[Array, Array]:
    """For each band (and "none"): a bell around the edge, and the share of the band within the tolerance."""
    is_none = ~np.isfinite(edge_hz)
    hz = np.where(is_none, 1000.0, edge_hz)
    tolerance_hz = np.maximum(TOLERANCE_HZ, TOLERANCE * hz)
    bands = np.arange(network.BANDS)
    bell = np.exp(-0.5 * ((bands - _position(hz)[:, None]) / 0.6) ** 2)
    low, high = _position(hz - tolerance_hz)[:, None], _position(hz + tolerance_hz)[:, None]
    inside = np.clip(np.minimum(high, bands + 0.5) - np.maximum(low, bands - 0.5), 0, 1)
    none = is_none[:, None].astype(float)
    bell, inside = (np.concatenate([labels * (1 - none), none], axis=1) for labels in (bell, inside))
    return bell / bell.sum(axis=1, keepdims=True), inside


def _position(hz: Array) -> Array:
    position = network.BANDS_PER_OCTAVE * np.log2(hz / network.LOWEST_HZ)
    return np.clip(position, 0, network.BANDS - 1)


@torch.no_grad()
def score(net: EdgeNetwork, batch: Batch) -> str:
    """Shares of edges within the tolerance (by the probability of each band alone) and of false alarms."""
    probability = torch.softmax(net(batch.x)[0], dim=1).numpy()
    _, inside = _labels(batch.edge_hz)
    has_edge = np.isfinite(batch.edge_hz)
    within = (probability * inside).sum(axis=1)
    return f"within {within[has_edge].mean():.3f}, false alarms {1 - within[~has_edge].mean():.3f}"


def train(net: EdgeNetwork, music: Music, held_out: Music, minutes: float, out: Path) -> None:
    filters, other_filters = gather_filters(RESPONSES, 0), gather_filters(RESPONSES // 6, 1)
    print("responses ready", flush=True)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=1e-2)
    rng, step, started, mean = np.random.default_rng(0), 0, time.monotonic(), 0.0
    while (done := (time.monotonic() - started) / 60 / minutes) < 1:
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1.0, (step + 1) / 100) * (0.505 + 0.495 * np.cos(np.pi * done))
        value = loss(net, draw(music, filters, rng))
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        step, mean = step + 1, 0.99 * mean + 0.01 * value.item()
        if step % 500 == 0:
            result = score(net, draw(held_out, other_filters, np.random.default_rng(1), 1000))
            print(f"step {step}, {done:.0%}: loss {mean:.3f}, {result}", flush=True)
            save(net, out)
    save(net, out)


def save(net: EdgeNetwork, out: Path) -> None:
    save_file({name: tensor.half().contiguous() for name, tensor in net.state_dict().items()}, out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of music")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--out", type=Path, required=True, help="weights to write")
    parser.add_argument("--init", type=Path, help="weights to begin with")
    options = parser.parse_args()
    torch.manual_seed(0)
    net = EdgeNetwork()
    if options.init:
        net.load_state_dict({name: tensor.float() for name, tensor in load_file(options.init).items()})
    clips = [clip for clip in find_clips(options.data) if "valid" not in clip.path.parts]
    is_held_out = [zlib.crc32(clip.source.encode()) % 8 == 0 for clip in clips]
    parts = ([c for c, held in zip(clips, is_held_out, strict=True) if held == wanted] for wanted in (False, True))
    music, held_out = map(gather_music, parts)
    print(f"{len(music.filled_hz)} spectra of {len(clips) - sum(is_held_out)} clips", flush=True)
    train(net, music, held_out, options.minutes, options.out)


if __name__ == "__main__":
    main()
