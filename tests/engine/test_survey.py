"""What is said of holes, with a network that expects what it is told to."""

from __future__ import annotations

import numpy as np
import pytest
from torch import Tensor

from musr_cli.dsp.band_edge import BandEdge
from musr_cli.engine import holemap, survey
from musr_cli.engine.highband import HighBand
from musr_cli.errors import UnavailableError
from musr_models.contract import Band
from musr_models.restore import Restore, RestoreConfig
from musr_models.transforms import power
from tests.conftest import Music

RATE = 44_100
FULL = BandEdge(RATE / 2, RATE / 2, 1.0, full_band=True)


class Flat(Restore):
    """Expects in every bin what each frame has on average, at all frequencies alike."""

    def expect(self, x: Tensor, band: Band) -> Tensor:
        del band
        return power(x).mean(dim=1).mean(dim=-2, keepdim=True).expand(len(x), *x.shape[-2:])


@pytest.fixture
def flat(monkeypatch) -> None:
    network = Flat(RestoreConfig(views=8, width=8, hidden=8, blocks=1))
    monkeypatch.setattr("musr_models.registry.load_card", lambda card: network)


def noise(seconds: float, hole_hz: tuple[float, float] | None = None, rate: int = RATE) -> np.ndarray:
    """White noise, all of it with a hole between two frequencies."""
    x = 0.1 * np.random.default_rng(0).standard_normal((2, round(seconds * rate)))
    if hole_hz:
        spectrum = np.fft.rfft(x)
        hz = np.fft.rfftfreq(x.shape[-1], 1 / rate)
        spectrum[:, (hz > hole_hz[0]) & (hz < hole_hz[1])] = 0
        x = np.fft.irfft(spectrum, x.shape[-1])
    return x.astype(np.float32)


def found_in(x: np.ndarray, edge: BandEdge = FULL, rate: int = RATE) -> survey.Survey:
    excerpts = survey.Excerpts(rate)
    excerpts.push(x)
    restorer, band = survey.find_mender(rate, edge)
    return survey.survey(restorer, band, excerpts.pieces(), rate)


@pytest.mark.usefixtures("flat")
def test_the_share_of_a_hole_is_found() -> None:
    found = found_in(noise(6.0, (5000.0, 7000.0)))
    assert found.has_holes
    assert found.empty == pytest.approx(2000 / (16000 - 500), rel=0.1)
    # two or three cells at each end are near what is full
    assert 3 < found.sharp * (16000 - 500) / 86 < 7


@pytest.mark.usefixtures("flat")
def test_what_falls_slowly_is_empty_but_no_hole() -> None:
    x = noise(4.0)
    spectrum, hz = np.fft.rfft(x), np.fft.rfftfreq(x.shape[-1], 1 / RATE)
    slow = np.fft.irfft(spectrum * 10 ** (-np.clip(hz - 3000, 0, 6000) / 1000 * 8 / 20), x.shape[-1])
    found = found_in(slow.astype(np.float32))
    assert found.empty > 0.3
    assert not found.has_holes


@pytest.mark.usefixtures("flat")
def test_noise_silence_and_nothing_have_none() -> None:
    for x in (noise(6.0), np.zeros((2, 3 * RATE), np.float32), np.zeros((2, 0), np.float32)):
        assert found_in(x) == survey.Survey(0.0, 0.0)


@pytest.mark.usefixtures("flat")
def test_what_is_above_the_edge_is_no_hole() -> None:
    edge = BandEdge(8000.0, 7900.0, 1.0, full_band=False)
    assert not found_in(noise(4.0, (8000.0, 23000.0)), edge).has_holes


def test_only_what_mends_knows_holes() -> None:
    for model in ("linear", "envelope"):
        with pytest.raises(UnavailableError, match="knows nothing of holes"):
            survey.find_mender(RATE, FULL, model)
    restorer, band = survey.find_mender(8000, BandEdge(4000.0, 4000.0, 1.0, full_band=True))
    assert isinstance(restorer, HighBand)
    assert band.sample_rate == RATE


def test_bitrates_rise_with_the_edge_and_fall_with_what_is_missing() -> None:
    edges_hz, shares = (4000.0, 7500.0, 11000.0, 15000.0, 17000.0), (0.3, 0.1, 0.03)
    by_edge = [survey.like_mp3_kbps(edge_hz, 0.03) for edge_hz in edges_hz]
    by_share = [survey.like_mp3_kbps(11000.0, share) for share in shares]
    assert by_edge == sorted(by_edge)
    assert by_share == sorted(by_share)
    assert {*by_edge, *by_share} <= set(survey.MP3_KBPS)
    assert by_edge[0] <= 40
    assert by_edge[-1] >= 112


@pytest.mark.usefixtures("flat")
@pytest.mark.parametrize("rate", [22_050, 44_100, 96_000])
def test_a_map_shows_a_hole_where_it_is(rate: int) -> None:
    x = noise(3.0, (5000.0, 7000.0), rate)
    x[:, rate:] = noise(3.0, rate=rate)[:, rate:]
    depth_db = holemap.map_holes([x], rate, x.shape[-1], BandEdge(rate / 2, rate / 2, 1.0, full_band=True))
    hz = np.linspace(0, rate / 2, len(depth_db))
    inside = depth_db[(hz > 5400) & (hz < 6600)]
    assert inside[:, 4 : inside.shape[1] // 4].min() > 20
    # now and then noise has little in a cell by chance
    assert (inside[:, inside.shape[1] // 2 :] > 0).mean() < 0.01
    assert (depth_db[(hz > 1000) & (hz < 4500)] > 0).mean() < 0.01


@pytest.mark.usefixtures("flat")
def test_chunks_of_a_map_fit_together(music: Music, monkeypatch: pytest.MonkeyPatch) -> None:
    x = music(RATE, 5.0)
    whole = holemap.map_holes([x], RATE, x.shape[-1], FULL)
    monkeypatch.setattr(holemap, "CHUNK_S", 0.7)
    parts = holemap.map_holes(np.array_split(x, 9, axis=-1), RATE, x.shape[-1], FULL)
    np.testing.assert_allclose(parts, whole, atol=1e-3)
    assert whole.shape == (1025, 5 * RATE // 512 + 1)


@pytest.mark.usefixtures("flat")
def test_frames_share_columns_in_a_long_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holemap, "MAX_COLUMNS", 10)
    depth_db = holemap.map_holes([noise(2.0, (5000.0, 7000.0))], RATE, 2 * RATE, FULL)
    assert depth_db.shape[1] == 10
    assert depth_db[280, 1:].min() > 20
