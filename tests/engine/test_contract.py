"""What every shipped model owes the engine (`musr_models.contract`), in the arithmetic that it is promised for: fp32.

No model is named here: a new family is tested by being in the registry.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from musr_cli.dsp.blend import Blender
from musr_cli.engine.enhancer import phase_source
from musr_cli.engine.highband import HighBand
from musr_cli.engine.planner import plan
from musr_cli.engine.stream import Block, overlap_add
from musr_models import registry
from musr_models.contract import Band
from tests.conftest import make_music

ANY_RATIO = (Band(16000, 4000.0), Band(44100, 9733.0))
"""Where models for any ratio are tried: an edge that fits the rate, and one that does not."""


@dataclass(frozen=True)
class Variant:
    """A model and a band that it is for."""

    name: str
    band: Band

    def __str__(self) -> str:
        return f"{self.name}-{self.band.sample_rate}-{self.band.cutoff_hz:.0f}"


def variants() -> list[Variant]:
    found = [Variant(name, band) for name in registry.BASELINES for band in ANY_RATIO]
    for card in registry.networks():
        rate = card.sample_rates[0] if card.sample_rates else 0
        bands = tuple(Band(rate, cutoff_hz) for cutoff_hz in sorted(set(card.cutoffs_hz))) or ANY_RATIO
        bands = (Band(rate, rate / (2 * card.ratio)),) if card.ratio else bands
        found += [Variant(card.name, band) for band in bands]
    return found


every_variant = pytest.mark.parametrize("variant", variants(), ids=str)


@lru_cache(maxsize=2)
def restorer(variant: Variant) -> HighBand:
    network, band = registry.load(variant.name, variant.band), variant.band
    blender = Blender(band.sample_rate, 0.95 * band.cutoff_hz, band.cutoff_hz)
    return HighBand(network, band, blender, phase_source(network.default_phase, network, band))


@lru_cache(maxsize=2)
def music(variant: Variant, seconds: float = 0.8) -> NDArray[np.float32]:
    return make_music(variant.band.sample_rate, seconds, edge_hz=0.97 * variant.band.cutoff_hz)


@lru_cache(maxsize=2)
def whole(variant: Variant) -> NDArray[np.float32]:
    return run(variant, music(variant))


def run(variant: Variant, x: Block, chunk: int = 1 << 24) -> NDArray[np.float32]:
    made = restorer(variant)
    cut = plan(chunk, made.context, made.align, variant.band.sample_rate)
    return np.concatenate([missing for _, missing in overlap_add([x], cut, made)], axis=-1)


def snr_db(signal: Block, estimate: Block) -> float:
    """Of the new band alone: that of the output is higher still."""
    error = np.sum((signal.astype(np.float64) - estimate) ** 2)
    return float(10 * np.log10(np.sum(signal.astype(np.float64) ** 2) / max(error, 1e-30)))


@every_variant
def test_chunks_sound_like_the_whole(variant: Variant) -> None:
    x = music(variant)
    for chunk in (x.shape[-1] // 3, x.shape[-1] - 1, x.shape[-1] + 1):
        assert snr_db(whole(variant), run(variant, x, chunk)) >= 80


@every_variant
def test_the_declared_context_is_enough(variant: Variant) -> None:
    made = restorer(variant)
    cut = plan(1, made.context, made.align, variant.band.sample_rate)
    # long enough that the context of its middle lies within it: beyond ends networks see nothing, not silence
    x = music(variant, 0.2 + 2.2 * cut.context / variant.band.sample_rate)
    start = x.shape[-1] // 2 // cut.align * cut.align
    stop = min(start + 2000, x.shape[-1] - cut.context)
    near = x[:, start - cut.context : stop + cut.context]
    alone = made(near, start - cut.context)[:, cut.context : -cut.context]
    assert snr_db(run(variant, x)[:, start:stop], alone) >= 80


@every_variant
@pytest.mark.parametrize("gain_db", [-20.0, 10.0])
def test_level_in_is_level_out(variant: Variant, gain_db: float) -> None:
    gain = np.float32(10 ** (gain_db / 20))
    assert snr_db(gain * whole(variant), run(variant, gain * music(variant))) >= 40


@every_variant
def test_a_panned_source_stays_where_it_is(variant: Variant) -> None:
    source = music(variant)[:1]
    left, right = run(variant, np.concatenate([source, np.float32(0.3) * source]))
    assert snr_db(np.float32(0.3) * left, right) >= 40
    # and it is the same source on its own
    assert snr_db(left, run(variant, source)[0]) >= 80


@every_variant
def test_equal_channels_stay_equal(variant: Variant) -> None:
    left, right = run(variant, np.repeat(music(variant)[:1], 2, axis=0))
    if registry.load(variant.name, variant.band).is_joint:
        np.testing.assert_array_equal(left, right)
    assert snr_db(left, right) >= 100


@every_variant
def test_channels_hear_each_other_only_where_that_is_said(variant: Variant) -> None:
    if registry.load(variant.name, variant.band).is_joint:
        pytest.skip("its channels are estimated together")
    assert snr_db(run(variant, music(variant)[:1])[0], whole(variant)[0]) >= 80


@every_variant
def test_silence_is_silence(variant: Variant) -> None:
    assert not restorer(variant)(np.zeros((2, 4 * restorer(variant).align), np.float32), 0).any()
    x = music(variant).copy()
    x[:, x.shape[-1] // 2 :] = 0
    made = run(variant, x)
    assert np.isfinite(made).all()
    assert made[:, : x.shape[-1] // 2].any()
    assert not made[:, x.shape[-1] // 2 + restorer(variant).context :].any()


@every_variant
@pytest.mark.parametrize("samples", [1, 2, 700])
def test_a_few_samples_are_enough(variant: Variant, samples: int) -> None:
    made = run(variant, music(variant)[:, :samples])
    assert made.shape == (2, samples)
    assert np.isfinite(made).all()


@every_variant
def test_the_given_band_is_left_alone(variant: Variant) -> None:
    x = music(variant)
    given = np.fft.rfftfreq(x.shape[-1], 1 / variant.band.sample_rate) < 0.94 * variant.band.cutoff_hz
    signal, added = (np.abs(np.fft.rfft(part * np.hanning(x.shape[-1])))[:, given] for part in (x, whole(variant)))
    assert snr_db(signal, signal + added) >= 80
