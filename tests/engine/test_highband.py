from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from musr_cli.dsp.blend import Blender
from musr_cli.dsp.phase import GriffinLim, PhaseSource
from musr_cli.dsp.phases import PHASES
from musr_cli.engine.highband import CHANNELS_AT_ONCE, HighBand
from musr_cli.engine.planner import plan
from musr_cli.engine.stream import Block, overlap_add
from musr_models.contract import Band, Network, Output
from tests.conftest import make_music
from tests.engine.toys import TOYS, ComplexToy, MagnitudeToy, WaveformToy

RATE = 16000
BAND = Band(RATE, 4000.0)
EDGE = Blender(RATE, 3850.0, 4000.0)


class ShortGriffinLim(GriffinLim):
    """Three iterations make the same point as thirty-two."""

    iterations = 3


SOURCES: dict[str, PhaseSource | None] = {"native": None, **PHASES, "griffin-lim": ShortGriffinLim()}
PAIRS = [(toy, name) for toy in TOYS for name in SOURCES if not (toy.output is Output.MAGNITUDE and name == "native")]


def restorer(toy: type[Network], phase: str, blender: Blender = EDGE, seed: int = 0) -> HighBand:
    return HighBand(toy(), BAND, blender, SOURCES[phase], seed=seed)


def run(restorer: HighBand, x: Block, chunk: int = 1 << 22) -> NDArray[np.float32]:
    cut = plan(chunk, restorer.context, restorer.align, RATE)
    return np.concatenate([made for _, made in overlap_add([x], cut, restorer)], axis=-1)


def snr_db(signal: Block, estimate: Block) -> float:
    error = np.sum(np.abs(signal.astype(np.complex128) - estimate) ** 2)
    return float(10 * np.log10(np.sum(np.abs(signal.astype(np.complex128)) ** 2) / max(error, 1e-30)))


def low_music(seconds: float, channels: int = 2) -> NDArray[np.float32]:
    return make_music(RATE, seconds, channels, edge_hz=3900.0)


@pytest.mark.parametrize(("toy", "phase"), PAIRS)
def test_chunks_sound_like_the_whole(toy: type[Network], phase: str) -> None:
    made = restorer(toy, phase)
    for seconds, chunk in ((0.05, 1), (1.3, 1000), (1.3, 7001)):
        x = low_music(seconds)
        whole = run(made, x)
        assert whole.std() > 1e-4
        # a vocoder's phases are those of faint bins too, where round-off counts
        assert snr_db(whole, run(made, x, chunk)) > (80 if phase.startswith("vocoder") else 90)


@pytest.mark.parametrize(("toy", "phase"), PAIRS)
def test_context_is_as_much_as_it_takes(toy: type[Network], phase: str) -> None:
    """What lies further away than the context says does not matter; so declared contexts are enough."""
    made = restorer(toy, phase)
    x = low_music(3.5 if phase == "griffin-lim" else 2.0)
    x = x[:, : x.shape[-1] // made.align * made.align]
    middle = x.shape[-1] // 2 // made.align * made.align
    reach = -(-made.context // made.align) * made.align
    assert middle > reach + 1000
    other = x.copy()
    other[:, : middle - reach] = low_music(3.5)[:, ::-1][:, : middle - reach]
    alone = made(other, 0)[:, middle : middle + 1000]
    assert snr_db(made(x, 0)[:, middle : middle + 1000], alone) > 100


@pytest.mark.parametrize(("toy", "phase"), PAIRS)
@pytest.mark.parametrize("samples", [1, 2, 255, 1000])
def test_short_signals_are_handled(toy: type[Network], phase: str, samples: int) -> None:
    made = run(restorer(toy, phase), low_music(0.1)[:, :samples])
    assert made.shape == (2, samples)
    assert np.isfinite(made).all()


@pytest.mark.parametrize(("toy", "phase"), PAIRS)
def test_silence_is_exactly_silent(toy: type[Network], phase: str) -> None:
    made = restorer(toy, phase)
    assert not run(made, np.zeros((2, 5000), np.float32)).any()
    x = low_music(3.0)
    quiet = slice(made.context + 8000, x.shape[-1] - 4000)
    x[:, 8000:] = 0
    result = run(made, x, 3000)
    assert result[:, :8000].any()
    assert not result[:, quiet].any()


@pytest.mark.parametrize(("toy", "phase"), [pair for pair in PAIRS if pair[1] != "vocoder-full"])
def test_the_given_band_stays_as_it_is(toy: type[Network], phase: str) -> None:
    x = low_music(1.0)
    window = np.hanning(x.shape[-1])
    given = np.fft.rfftfreq(x.shape[-1], 1 / RATE) <= EDGE.slope_hz
    added = run(restorer(toy, phase), x, 5000)
    before, after = (np.fft.rfft(part * window)[:, given] for part in (x, x + added))
    assert snr_db(before, after) > 80


@pytest.mark.parametrize(("toy", "phase"), PAIRS)
@pytest.mark.parametrize("gain_db", [-20.0, 10.0])
def test_level_in_is_level_out(toy: type[Network], phase: str, gain_db: float) -> None:
    x, gain = low_music(0.7), np.float32(10 ** (gain_db / 20))
    made = restorer(toy, phase)
    # 90 dB below a frame, where the band-limited source still reads phases, rounding of the input turns them a little
    assert snr_db(gain * run(made, x), run(made, gain * x)) > (40 if phase == "band-limited" else 60)


@pytest.mark.parametrize(("toy", "phase"), PAIRS)
def test_a_panned_source_stays_where_it_is(toy: type[Network], phase: str) -> None:
    mono = low_music(0.7, channels=1)
    made = run(restorer(toy, phase), np.concatenate([mono, np.float32(0.25) * mono]))
    assert snr_db(0.25 * made[0], made[1]) > 60


@pytest.mark.parametrize("toy", TOYS)
def test_channels_of_any_number_are_independent(toy: type[Network]) -> None:
    made, x = restorer(toy, "random"), low_music(0.5, channels=2 * CHANNELS_AT_ONCE + 1)
    together = run(made, x)
    for index in range(len(x)):
        assert snr_db(together[index], run(made, x[index : index + 1])[0]) > 90


def test_double_precision_goes_in_and_single_comes_out() -> None:
    x = low_music(0.3)
    made = restorer(MagnitudeToy, "flip")
    assert np.array_equal(run(made, x.astype(np.float64)), run(made, x))


def test_the_seed_matters_where_something_is_random() -> None:
    x = low_music(0.5)
    assert snr_db(run(restorer(MagnitudeToy, "random"), x), run(restorer(MagnitudeToy, "random", seed=1), x)) < 10
    assert np.array_equal(run(restorer(MagnitudeToy, "random"), x), run(restorer(MagnitudeToy, "random"), x))


def test_a_network_of_one_ratio_estimates_nothing_below_its_edge() -> None:
    """Its input ends early (3 kHz): what it was not made for is filled from both sides of the hole."""

    class FixedToy(MagnitudeToy):
        ratio = 2.0

        def forward(self, x, band, first=0):  # type: ignore[no-untyped-def]
            estimate = super().forward(x, BAND, first).clone()
            estimate[..., : BAND.cutoff_bin(self.transform(band)), :] = 1e3
            return estimate

    x = make_music(RATE, 1.0, edge_hz=3000.0)
    made = run(HighBand(FixedToy(), Band(RATE, 3000.0), Blender(RATE, 2950.0, 3000.0), PHASES["random"]), x)
    power = np.abs(np.fft.rfft(made * np.hanning(x.shape[-1]))) ** 2
    hole_db, above_db = (10 * np.log10(power[:, a:b].mean()) for a, b in ((3200, 3900), (4100, 4800)))
    assert abs(hole_db - above_db) < 20


def estimate(network: Network, x: torch.Tensor) -> NDArray[np.float32]:
    """What the network says of a signal that begins 2560 samples, 20 frames, before the file."""
    stft = network.transform(BAND)
    raw = stft.synthesise(network(stft.analyse(x), BAND, -20), x.shape[-1]) if stft else network(x, BAND, -2560)
    return np.asarray(raw[0].numpy())


def test_complex_and_waveform_estimates_reach_the_output_as_they_are() -> None:
    """Above the edge, with nothing of the input there, x + missing is the estimate."""
    for toy in (ComplexToy, WaveformToy):
        x = low_music(1.0, channels=1)
        made = restorer(toy, "native")
        signal = x + run(made, x)
        padded = np.pad(x, ((0, 0), (2560, 2560)))
        expected = estimate(toy(), torch.from_numpy(padded)[None])[:, 2560:-2560]
        window = np.hanning(x.shape[-1])
        wanted, made = (np.fft.rfft(part * window)[:, 4500:] for part in (expected, signal))
        assert snr_db(wanted, made) > 30
