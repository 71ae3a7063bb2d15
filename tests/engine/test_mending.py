"""Holes of encoders and edges that only a network sees, through the whole engine, with the shipped weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy import signal

from musr_cli import degrade
from musr_cli.dsp.band_edge import BandEdge
from musr_cli.engine import survey
from musr_cli.engine.decisions import Rates, trust
from musr_cli.engine.enhancer import Enhancer, Settings, _ArraySource, enhance
from musr_cli.errors import UnavailableError, UsageError
from tests.conftest import density_db

RATE = 44_100
EXAMPLE = Path(__file__).parents[2] / "examples" / "exploration-44k.flac"
RATES = Rates(RATE, RATE, RATE)


@pytest.fixture(scope="module")
def original() -> np.ndarray:
    x, _ = soundfile.read(EXAMPLE, dtype="float32", always_2d=True)
    return np.ascontiguousarray(x.T)


@pytest.fixture(scope="module")
def coded(original: np.ndarray) -> np.ndarray:
    return degrade.apply(original, RATE, degrade.Degradation("mp3", bitrate_kbps=48.0))


def share_of_empty_cells(x: np.ndarray, low_hz: float, high_hz: float) -> float:
    """Cells of an STFT that lie 40 dB below the median of their frequency."""
    hz, _, z = signal.stft(x.mean(axis=0), RATE, nperseg=2048, noverlap=1536)
    power = np.abs(z[(hz > low_hz) & (hz < high_hz)]) ** 2
    return float(np.mean(power < 1e-4 * np.median(power, axis=1, keepdims=True)))


def test_holes_of_an_encoder_are_found_and_filled(coded: np.ndarray) -> None:
    job = Enhancer(Settings()).prepare(_ArraySource(coded, RATE))
    assert job.summary["holes"] == "filled"
    assert any("an encoder left" in line and "--holes leave" in line for line in job.summary["warnings"])
    restored, _ = enhance(coded, RATE)
    assert share_of_empty_cells(coded, 3000, 7000) > 3 * share_of_empty_cells(restored, 3000, 7000)
    # and what lies above the edge is made as well
    assert density_db(restored[0], RATE, 9000, 15000) > density_db(coded[0], RATE, 9000, 15000) + 30


def test_holes_may_be_left(coded: np.ndarray) -> None:
    job = Enhancer(Settings(holes="leave")).prepare(_ArraySource(coded, RATE))
    assert job.summary["holes"] == "left"
    restored, _ = enhance(coded, RATE, Settings(holes="leave"))
    assert density_db((restored - coded)[0], RATE, 600, 5000) < density_db(coded[0], RATE, 600, 5000) - 60


def test_nothing_is_added_at_the_bottom(coded: np.ndarray) -> None:
    added = enhance(coded, RATE, Settings(holes="fill"))[0] - coded
    assert density_db(added[0], RATE, 50, 440) < density_db(coded[0], RATE, 50, 440) - 80


def test_the_original_has_no_holes(original: np.ndarray) -> None:
    job = Enhancer(Settings()).prepare(_ArraySource(original, RATE))
    assert job.untouched
    low = degrade.apply(original, RATE, degrade.Degradation("butterworth", 8000.0, 8))
    assert Enhancer(Settings()).prepare(_ArraySource(low, RATE)).summary["holes"] == "left"


def test_chunks_fit_together_where_holes_are_filled(coded: np.ndarray) -> None:
    x = coded[:, : 6 * RATE]
    whole, parts = (enhance(x, RATE, Settings(holes="fill", precision="fp32", chunk_s=s))[0] for s in (60.0, 1.0))
    error = np.sum(np.square(whole - parts, dtype=np.float64))
    assert 10 * np.log10(np.sum(np.square(whole - x, dtype=np.float64)) / error) >= 60
    assert 10 * np.log10(np.sum(np.square(whole, dtype=np.float64)) / error) >= 80


def test_centred_sound_stays_centred(coded: np.ndarray) -> None:
    middle = np.repeat(coded.mean(axis=0, keepdims=True), 2, axis=0)
    left, right = enhance(middle, RATE, Settings(holes="fill"))[0]
    assert np.abs(left - right).max() < 1e-4


def test_a_telephone_band_is_filled_from_where_it_ends(original: np.ndarray) -> None:
    sections = signal.butter(8, [300, 3400], "bandpass", fs=RATE, output="sos")
    band = signal.sosfiltfilt(sections, original).astype(np.float32)
    job = Enhancer(Settings()).prepare(_ArraySource(band, RATE))
    assert 2800 < job.summary["cutoff_hz"] < 3900
    restored, _ = enhance(band, RATE)
    assert density_db(restored[0], RATE, 4500, 8000) > density_db(original[0], RATE, 4500, 8000) - 20


def test_models_that_know_nothing_of_holes_refuse_to_fill_them() -> None:
    silent = _ArraySource(np.zeros((1, RATE), np.float32), RATE)
    with pytest.raises(UnavailableError, match="fills nothing below the band edge; use restore"):
        Enhancer(Settings(model="sbr", holes="fill")).prepare(silent)
    with pytest.raises(UsageError, match="--holes often"):
        Enhancer(Settings(holes="often"))


@pytest.mark.parametrize(
    ("measured", "lost_hz", "expected_hz"),
    [
        (BandEdge(22050, 22050, 1.0, full_band=True), None, None),
        (BandEdge(22050, 22050, 1.0, full_band=True), 5000.0, 5000.0),
        # what a network misses at the top of a band that is surely full may never have been there
        (BandEdge(22050, 22050, 1.0, full_band=True), 15000.0, None),
        (BandEdge(22050, 22050, 0.5, full_band=True), 15000.0, 15000.0),
        (BandEdge(22050, 22050, 0.5, full_band=True), 21500.0, None),
        # measuring is more exact where both agree
        (BandEdge(5500, 5000, 0.5, full_band=False), 5200.0, None),
        (BandEdge(9000, 8000, 0.5, full_band=False), 5200.0, 5200.0),
    ],
)
def test_when_an_edge_that_a_network_sees_counts(
    measured: BandEdge, lost_hz: float | None, expected_hz: float | None
) -> None:
    edge = trust(lost_hz, measured, RATES)
    assert (edge.cutoff_hz if edge else None) == expected_hz


def test_excerpts_are_spread_over_streams_of_any_length() -> None:
    for seconds in (0.3, 1.0, 7.0, 90.0):
        excerpts = survey.Excerpts(1000)
        x = np.arange(round(1000 * seconds), dtype=np.float32)[None]
        for start in range(0, x.shape[-1], 777):
            excerpts.push(x[:, start : start + 777])
        pieces = excerpts.pieces()
        assert 1 <= len(pieces) <= survey.EXCERPTS
        assert all(np.all(np.diff(piece[0]) == 1) for piece in pieces)
        if seconds > 20:
            assert pieces[-1][0, 0] - pieces[0][0, 0] > 0.4 * x.shape[-1]
