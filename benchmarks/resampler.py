"""What the engine's resampler does to a signal: its edge, its residue, its speed.

    python benchmarks/resampler.py

Prints one row for every pair of rates: where the response has fallen by so much (as fractions of the lower Nyquist
frequency), its gain at that frequency, the largest residue that a tone in the passband leaves (images, aliases,
distortion), and the speed for stereo.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from musr_cli.audio import resampling

RATES = ((22050, 44100), (24000, 48000), (8000, 16000), (16000, 44100), (11025, 44100), (44100, 16000), (48000, 44100))
FALLS_DB = (0.1, 1.0, 3.0, 12.0, 60.0)
SAMPLES = 1 << 16


def response(in_rate: int, out_rate: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies as fractions of the lower Nyquist frequency, gain in dB, and residue in dB below the tone."""
    fractions = np.concatenate([np.linspace(0.01, 0.85, 15), np.linspace(0.86, 1.04, 91)])
    tones_hz = fractions[:, None] * min(in_rate, out_rate) / 2
    tones = np.cos(2 * np.pi * tones_hz * np.arange(SAMPLES) / in_rate)
    y = resampling.resample(tones, in_rate, out_rate)
    middle = np.arange(y.shape[-1] // 4, 3 * y.shape[-1] // 4)
    phase = 2 * np.pi * tones_hz * middle / out_rate
    window = np.blackman(len(middle))
    gain = 2 * np.abs((y[:, middle] * np.exp(-1j * phase)) @ window) / window.sum()
    residue = [_residue(row, angle) for row, angle in zip(y[:, middle], phase, strict=True)]
    return fractions, 20 * np.log10(gain), 10 * np.log10(2 * np.array(residue))


def _residue(row: NDArray[np.float64], phase: NDArray[np.float64]) -> float:
    """Mean square of what is left of a tone once it is taken out."""
    basis = np.stack([np.cos(phase), np.sin(phase)], axis=1)
    coefficients = np.linalg.lstsq(basis, row, rcond=None)[0]
    return float(np.mean((row - basis @ coefficients) ** 2))


def fall(fractions: NDArray[np.float64], gain_db: NDArray[np.float64], by_db: float) -> float:
    """The fraction at which the response has fallen `by_db`."""
    last = int(np.argmax(gain_db < -by_db))
    return float(np.interp(by_db, -gain_db[last - 1 : last + 1], fractions[last - 1 : last + 1]))


def speed(in_rate: int, out_rate: int, seconds: int = 120) -> float:
    """Seconds of stereo audio per second of one core."""
    block = np.random.default_rng(0).standard_normal((2, 1 << 16)).astype(np.float32)
    stream = resampling.StreamResampler(in_rate, out_rate, 2)
    started = time.process_time()
    for _ in range(seconds * in_rate // block.shape[-1]):
        stream.push(block)
    stream.finish()
    return seconds / (time.process_time() - started)


def main() -> None:
    """Print the table."""
    falls = "".join(f"{f'-{by_db:g} dB':>9}" for by_db in FALLS_DB)
    print(f"{'rates':>15}{falls}   at 1.0   residue   × real time")
    for in_rate, out_rate in RATES:
        fractions, gain_db, residue_db = response(in_rate, out_rate)
        points = "".join(f"{fall(fractions, gain_db, by_db):9.4f}" for by_db in FALLS_DB)
        at_nyquist = gain_db[np.argmin(np.abs(fractions - 1))]
        worst = residue_db[fractions < 0.9].max()
        row = f"{f'{in_rate} → {out_rate}':>15}{points} {at_nyquist:8.1f} {worst:9.1f} {speed(in_rate, out_rate):13.0f}"
        print(row)


if __name__ == "__main__":
    main()
