"""What tests of every part share: music that needs no files, and the real command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

# fixtures
from tests.browser import browser, chromium  # noqa: F401

Music = Callable[..., NDArray[np.float32]]
RunMusr = Callable[..., "subprocess.CompletedProcess[bytes]"]


def make_music(
    sample_rate: int, seconds: float = 2.0, channels: int = 2, seed: int = 0, edge_hz: float | None = None
) -> NDArray[np.float32]:
    """Plucked harmonic tones and noise bursts, peak 0.5, [channels, samples]; nothing above `edge_hz`."""
    rng = np.random.default_rng(seed)
    samples = round(seconds * sample_rate)
    mix = np.zeros((channels, samples))
    for onset in range(0, samples, max(1, sample_rate // 4)):
        # after 3 s, 65 dB have decayed
        time = np.arange(min(samples - onset, 3 * sample_rate)) / sample_rate
        pan = rng.uniform(0.3, 1.0, (channels, 1))
        mix[:, onset : onset + time.size] += pan * (_tone(rng, time, sample_rate) + _burst(rng, time))
    spectrum = np.fft.rfft(mix) if samples else np.zeros((channels, 1))
    spectrum[:, np.fft.rfftfreq(samples or 1, 1 / sample_rate) > (edge_hz or sample_rate)] = 0
    mix = np.fft.irfft(spectrum, samples) if samples else mix
    return (0.5 * mix / max(np.abs(mix).max(initial=0.0), 1e-9)).astype(np.float32)


def _tone(rng: np.random.Generator, time: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    fundamental_hz = rng.uniform(80, 600)
    harmonics = np.arange(1, int(sample_rate / 2 / fundamental_hz))[:40, None]
    phases = rng.uniform(0, 2 * np.pi, harmonics.shape)
    partials = np.sin(2 * np.pi * fundamental_hz * harmonics * time + phases) / harmonics
    decayed: NDArray[np.float64] = (partials * np.exp(-time * (2 + 0.5 * harmonics))).sum(axis=0)
    return decayed


def _burst(rng: np.random.Generator, time: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.3 * rng.standard_normal(time.size) * np.exp(-time * 30))


@pytest.fixture(scope="session")
def music() -> Music:
    """`music(sample_rate, seconds=2.0, channels=2, seed=0, edge_hz=None)` → [channels, samples] float32."""
    return make_music


@pytest.fixture
def run_musr(tmp_path_factory: pytest.TempPathFactory) -> RunMusr:
    """`run_musr("enhance", "in.wav", …)`: the real command in its own process, with a user's folders of its own.

    Further keywords go to `subprocess.run`; stdout and stderr of the result are bytes.
    """
    home = tmp_path_factory.mktemp("home")

    def run(*args: str | Path, env: dict[str, str] | None = None, **more: Any) -> subprocess.CompletedProcess[bytes]:
        environment = {**os.environ, "MUSR_HOME": str(home), "OMP_NUM_THREADS": "1", **(env or {})}
        command = [sys.executable, "-m", "musr_cli", *map(str, args)]
        return subprocess.run(command, env=environment, capture_output=True, check=False, timeout=240, **more)

    return run


def density_db(x: NDArray[np.float32], rate: int, low_hz: float, high_hz: float) -> float:
    """Mean power density of a signal between two frequencies, in dB."""
    frames = np.lib.stride_tricks.sliding_window_view(x, 4096)[::2048] * np.hanning(4096)
    hz = np.fft.rfftfreq(4096, 1 / rate)
    powers = np.mean(np.abs(np.fft.rfft(frames)) ** 2, axis=0)
    return float(10 * np.log10(powers[(hz >= low_hz) & (hz < high_hz)].mean()))
