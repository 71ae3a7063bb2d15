"""Every metric against a second computation: other packages' (golden.json), or loops straight from its formula.

What comes from short-time spectra has single precision.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import get_window

from musr_cli.metrics import evaluate
from musr_cli.metrics.dai import lsd_dai, segsnr_dai_db
from musr_cli.metrics.given_band import level_given_db, snr_given_db
from musr_cli.metrics.hf_spread import hf_spread
from musr_cli.metrics.level import level_db
from musr_cli.metrics.lsd import lsd_a
from musr_cli.metrics.lsd_ssr_eval import lsd_ssr_eval
from musr_cli.metrics.lsd_zhang import lsd_zhang
from musr_cli.metrics.sdr import sdr_db
from musr_cli.metrics.segsnr import segsnr_db
from musr_cli.metrics.si_sdr import si_sdr_db
from musr_cli.metrics.snr import snr_db
from tests.metrics import excerpts

CUTOFF_HZ = 4000.0
GOLDEN = json.loads(Path(__file__).with_name("golden.json").read_text(encoding="utf-8"))


def music(sample_rate: int, seconds: float, seed: int, channels: int = 2) -> np.ndarray:
    """Decaying harmonic tones over a little filtered noise, [C, T]."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(sample_rate * seconds)) / sample_rate
    x = 0.01 * np.cumsum(rng.standard_normal((channels, len(time_s))), axis=1) * np.exp(-3 * time_s)
    x += 0.002 * rng.standard_normal(x.shape)
    for pitch_hz in (110.0, 277.2, 659.3):
        for harmonic in range(1, 9):
            gains = rng.uniform(0.2, 1, size=(channels, 1)) / harmonic**1.5
            x += 0.2 * gains * np.sin(2 * np.pi * pitch_hz * harmonic * time_s + rng.uniform(0, 6)) * np.exp(-time_s)
    return x


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_real_music_has_the_figures_of_other_packages(name):
    golden = GOLDEN[name]
    ref, est = excerpts.pairs()[name]
    values = evaluate(ref, est, excerpts.RATE, excerpts.CUTOFF_HZ, extra=["mrstft_sc", "mrstft_log"])
    for metric in golden.keys() & values.keys():
        assert values[metric] == pytest.approx(golden[metric], rel=1e-6, abs=1e-6), metric
    assert len(golden.keys() & values.keys()) == 9
    # whatever filters BSS Eval fits, the SDR of images is the ratio of energies
    assert values["sdr_db"] == pytest.approx(golden["sdr_mir_eval"], abs=1e-9)
    assert values["sdr_db"] == pytest.approx(golden["sdr_museval"], abs=1e-9)
    chunks = golden["sdr_chunks_mir_eval"]
    assert sdr_db(ref, est, excerpts.PRETENDED_RATE) == pytest.approx(sum(chunks) / len(chunks), abs=1e-9)


def powers(x: np.ndarray, n_fft: int, hop: int, window: str) -> list[np.ndarray]:
    """|X|² frame by frame of one channel: frame n centred on sample n · hop, zeros outside."""
    w = get_window(window, n_fft, fftbins=True)
    padded = np.concatenate([np.zeros(n_fft // 2), x, np.zeros(n_fft)])
    frames = []
    for n in range(len(x) // hop + 1):
        spectrum = np.fft.fft(padded[n * hop : n * hop + n_fft] * w)[: n_fft // 2 + 1]
        frames.append(np.abs(spectrum) ** 2)
    return frames


def band(n_fft: int, sample_rate: int, low_hz: float, high_hz: float) -> list[int]:
    return [k for k in range(n_fft // 2 + 1) if low_hz < k * sample_rate / n_fft <= high_hz]


def lsd_by_loops(ref, est, stft, bins, log=math.log10) -> float:
    distances = []
    for a, b in zip(ref, est, strict=True):
        for p, q in zip(powers(a, *stft), powers(b, *stft), strict=True):
            squares = [(log(max(p[k], 1e-8)) - log(max(q[k], 1e-8))) ** 2 for k in bins]
            distances.append(math.sqrt(sum(squares) / len(squares)))
    return sum(distances) / len(distances)


@pytest.fixture(scope="module", params=[16_000, 44_100], ids=["16k", "44.1k"])
def pair(request):
    rate = request.param
    ref = music(rate, 0.7, seed=1)
    est = 0.9 * ref + 0.05 * music(rate, 0.7, seed=2)
    est[:, : rate // 5] = ref[:, : rate // 5] * 1.001
    return ref, est, rate


def test_lsd_a(pair):
    ref, est, rate = pair
    bins = band(2048, rate, -1, math.inf)
    assert lsd_a(ref, est, rate) == pytest.approx(lsd_by_loops(ref, est, (2048, 512, "hann"), bins), rel=2e-7)


@pytest.mark.parametrize(("low_hz", "high_hz"), [(CUTOFF_HZ, 19_000.0), (CUTOFF_HZ, math.inf), (None, CUTOFF_HZ)])
def test_lsd_a_of_a_band(pair, low_hz, high_hz):
    ref, est, rate = pair
    bins = band(2048, rate, -1 if low_hz is None else low_hz, high_hz)
    expected = lsd_by_loops(ref, est, (2048, 512, "hann"), bins)
    assert lsd_a(ref, est, rate, low_hz, high_hz) == pytest.approx(expected, rel=2e-7)


def test_lsd_ssr_eval(pair):
    ref, est, rate = pair
    n_fft, hop = int(2048 / (44100 / rate)), int(rate / 100)
    distances = []
    for a, b in zip(ref, est, strict=True):
        for p, q in zip(powers(a, n_fft, hop, "hann"), powers(b, n_fft, hop, "hann"), strict=True):
            ratio = np.log10(p / (np.sqrt(q) + 1e-12) ** 2 + 1e-12)
            distances.append(np.sqrt(np.mean(ratio**2)))
    assert lsd_ssr_eval(ref, est, rate) == pytest.approx(np.mean(distances), rel=2e-7)


def test_lsd_zhang(pair):
    ref, est, rate = pair
    n_fft, hop = {16_000: (1024, 256), 44_100: (2816, 704)}[rate]
    expected = lsd_by_loops(ref, est, (n_fft, hop, "hann"), range(n_fft // 2 + 1))
    assert lsd_zhang(ref, est, rate) == pytest.approx(expected, rel=2e-7)


@pytest.mark.parametrize(("base", "log"), [("e", math.log), ("10", math.log10)])
def test_lsd_dai(pair, base, log):
    ref, est, rate = pair
    n_fft = {16_000: 512, 44_100: 1408}[rate]
    bins = band(n_fft, rate, CUTOFF_HZ, math.inf)
    expected = lsd_by_loops(ref, est, (n_fft, n_fft // 2, "hamming"), bins, log)
    assert lsd_dai(ref, est, rate, CUTOFF_HZ, base) == pytest.approx(expected, rel=2e-7)


def test_segsnr_dai(pair):
    ref, est, rate = pair
    n_fft = {16_000: 512, 44_100: 1408}[rate]
    bins = band(n_fft, rate, CUTOFF_HZ, math.inf)
    ratios = []
    for a, b in zip(ref, est, strict=True):
        frames = zip(powers(a, n_fft, n_fft // 2, "hamming"), powers(b, n_fft, n_fft // 2, "hamming"), strict=True)
        for p, q in frames:
            x = [math.log(max(p[k], 1e-8)) for k in bins]
            y = [math.log(max(q[k], 1e-8)) for k in bins]
            error = sum((u - v) ** 2 for u, v in zip(x, y, strict=True))
            ratios.append(10 * math.log10(sum(u * u for u in x) / error))
    assert segsnr_dai_db(ref, est, rate, CUTOFF_HZ) == pytest.approx(sum(ratios) / len(ratios), rel=2e-7)


def test_dai_high_band_at_16_khz_is_the_papers():
    assert len(band(512, 16_000, 4000.0, math.inf)) == 128  # section III-A: 129 low points, 128 high ones
    assert len(band(512, 16_000, 2000.0, math.inf)) == 257 - 65  # section IV-C: 65 low points for ×4


def test_snr_and_level(pair):
    ref, est, _ = pair
    signal = sum(float(v) ** 2 for v in ref.ravel())
    error = sum(float(u - v) ** 2 for u, v in zip(ref.ravel(), est.ravel(), strict=True))
    estimate = sum(float(v) ** 2 for v in est.ravel())
    assert snr_db(ref, est) == pytest.approx(10 * math.log10(signal / error), rel=1e-9)
    assert level_db(ref, est) == pytest.approx(10 * math.log10(estimate / signal), rel=1e-9)


def test_si_sdr(pair):
    ref, est, _ = pair
    r, e = ref.ravel(), est.ravel()
    target = (e @ r) / (r @ r) * r
    expected = 10 * math.log10(np.sum(target**2) / np.sum((target - e) ** 2))
    assert si_sdr_db(ref, est) == pytest.approx(expected, rel=1e-9)


def test_segsnr(pair):
    ref, est, rate = pair
    frame = round(0.032 * rate)
    ratios = []
    for a, b in zip(ref, est, strict=True):
        for start in range(0, len(a), frame):
            r, e = a[start : start + frame], b[start : start + frame]
            ratios.append(min(max(10 * math.log10(np.sum(r**2) / np.sum((r - e) ** 2)), -10), 35))
    assert segsnr_db(ref, est, rate) == pytest.approx(sum(ratios) / len(ratios), rel=1e-9)
    assert max(ratios) == 35  # the upper clamp is at work


def test_given_band(pair):
    ref, est, rate = pair
    n_fft = {16_000: 1472, 44_100: 4096}[rate]
    bins = band(n_fft, rate, -1, CUTOFF_HZ)[:-4]
    w = get_window("blackmanharris", n_fft, fftbins=True)
    given = error = estimate = 0.0
    for a, b in zip(ref, est, strict=True):
        for start in range(0, len(a) - n_fft + 1, n_fft // 4):
            x, y = (np.fft.fft(channel[start : start + n_fft] * w)[bins] for channel in (a, b))
            given += np.sum(np.abs(x) ** 2)
            estimate += np.sum(np.abs(y) ** 2)
            error += np.sum(np.abs(x - y) ** 2)
    assert snr_given_db(ref, est, rate, CUTOFF_HZ) == pytest.approx(10 * math.log10(given / error), rel=1e-7)
    assert level_given_db(ref, est, rate, CUTOFF_HZ) == pytest.approx(10 * math.log10(estimate / given), rel=1e-6)


def test_hf_spread(pair):
    ref, est, rate = pair
    bins = band(2048, rate, CUTOFF_HZ, 19_000.0)
    variances = []
    for x in (ref, est):
        frames = [p for channel in x for p in powers(channel, 2048, 512, "hann")]
        variances.append(np.mean([np.var(np.log10(np.maximum(p[bins], 1e-8))) for p in frames]))
    assert hf_spread(ref, est, rate, CUTOFF_HZ) == pytest.approx(math.sqrt(variances[1] / variances[0]), rel=2e-7)
