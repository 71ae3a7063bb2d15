"""Conditions by name, and the table by kind from clips to JSON."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import soundfile as sf

import by_kind
from conditions import find_condition, low_rate
from tests.conftest import make_music

RATE = 44_100


def noise(seconds: float = 2.0) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, (2, round(seconds * RATE))).astype(np.float32)


def level_db(x: np.ndarray, rate: int, low_hz: float, high_hz: float) -> float:
    """Of `noise` between two frequencies, 0 dB where it is untouched."""
    # the window keeps the jump from end to start out of quiet bands
    window = np.hanning(x.shape[-1])
    power = np.mean(np.abs(np.fft.rfft(x * window)) ** 2, axis=0) / np.sum(window**2) / 0.01
    hz = np.fft.rfftfreq(x.shape[-1], 1 / rate)
    return float(10 * np.log10(power[(hz >= low_hz) & (hz < high_hz)].mean()))


@pytest.mark.parametrize(
    ("name", "rate", "edge_hz"),
    [
        ("mp3-24", 16_000, 4000),
        ("mp3-48", 24_000, 7500),
        ("mp3-64", 32_000, 11_000),
        ("mp3-96", RATE, 15_100),
        ("vorbis-64", RATE, 15_500),
        ("resample-8000", 16_000, 7700),
        ("resample-5512", 11_025, 5306),
        ("butterworth-11000", RATE, 11_000),
        ("bessel-4000", RATE, 3200),
        ("telephone", 8000, 3500),
        ("hiss-5000", RATE, 5200),
        ("disc", RATE, 4200),
    ],
)
def test_conditions_have_their_rate_and_edge(name, rate, edge_hz):
    heard = find_condition(name)(noise(), RATE)
    assert heard.sample_rate == rate
    assert heard.edge_hz == pytest.approx(edge_hz, rel=0.12)
    assert heard.slope_hz <= heard.edge_hz
    assert heard.samples.dtype == np.float32
    assert heard.samples.shape == (2, -(-2 * RATE * rate // RATE))
    assert heard.is_coded == (name.split("-")[0] in {"mp3", "vorbis"})


def test_bands_and_hiss_lie_where_the_names_say():
    disc = find_condition("disc")(noise(), RATE).samples
    assert level_db(disc, RATE, 200, 3000) == pytest.approx(0, abs=0.3)
    assert level_db(disc, RATE, 0, 40) < -20
    whole = 10 * np.log10(np.mean(np.square(disc)) / 0.01)
    assert level_db(disc, RATE, 8000, 20_000) == pytest.approx(whole - 38, abs=0.3)
    hiss = find_condition("hiss-5000")(noise(), RATE).samples
    assert level_db(hiss, RATE, 10_000, 20_000) == pytest.approx(20 * np.log10(0.03), abs=0.3)
    telephone = find_condition("telephone")(noise(), RATE)
    assert level_db(telephone.samples, 8000, 0, 100) < -20


@pytest.mark.parametrize("name", ["", "mp3", "mp3-", "tape-3", "hiss", "disc-4"])
def test_what_is_no_condition_is_refused(name):
    with pytest.raises(ValueError, match="no condition"):
        find_condition(name)


def test_rounded_cutoffs_mean_rates_that_files_have():
    assert [low_rate(hz) for hz in (5512, 5512.5, 11_025, 4000, 8000, 3500)] == [
        *(11_025, 11_025, 22_050),
        *(8000, 16_000, 7000),
    ]


def test_only_cells_that_held_sound_count_in_the_snr_of_coded_music():
    ref = noise()
    given = find_condition("butterworth-11000")(ref, RATE).samples
    assert by_kind.snr_held_db(ref, given, given) == 150
    assert by_kind.snr_held_db(ref, given, 1.1 * given) == pytest.approx(20, abs=0.1)
    spectrum = np.fft.rfft(noise())
    spectrum[:, :25_000] = 0
    added = np.fft.irfft(spectrum, given.shape[-1]).astype(np.float32)
    assert by_kind.snr_held_db(ref, given, given + added) > 50


def test_the_table_has_every_kind_and_json_every_figure(tmp_path, capsys, monkeypatch):
    for seed, name in enumerate(("rock/one--a", "rock/two--b", "piano/three--c")):
        path = tmp_path / f"{name}.flac"
        path.parent.mkdir(exist_ok=True)
        sf.write(path, make_music(16_000, 1.5, seed=seed).T, 16_000)
    options = ["--conditions", "resample-4000,mp3-64", "--models", "sinc,sbr", "--seconds", "1", "--hint", "told"]
    out = tmp_path / "all.json"
    monkeypatch.setattr(sys, "argv", ["by_kind.py", "--data", str(tmp_path), *options, "--json", str(out)])
    by_kind.main()
    text = capsys.readouterr().out
    assert [text.count(f"| {kind}") for kind in ("piano | 1 of 1", "rock | 2 of 2", "all | 3 of 3")] == [4, 4, 4]
    rows = json.loads(out.read_text())
    assert len(rows) == 12
    assert {row["source"] for row in rows} == {"one", "two", "three"}
    low = [row for row in rows if row["condition"] == "resample-4000" and row["model"] == "sbr"]
    assert all({"lsd_a_end", "band_rms", "band_bias", "snr_given_db", "end_hz"} <= set(row) for row in low)
    assert min(row["snr_given_db"] for row in low) > 60
