"""Levels: the same music 20 dB quieter to 10 dB louder must come out the same, as much quieter or louder.

    python benchmarks/levels.py --data FOLDER [--models gan] [--clips 4] [--seconds 8]

LSD (n_fft 2048, hop 512, log10, against the original) of the output with its gain undone, as the difference to the LSD
at gain 0; and the same output at gain 0 against the others directly.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from clips import Clip, find_clips
from musr_cli.audio.resampling import resample
from musr_cli.engine.enhancer import Settings, enhance
from musr_cli.metrics.lsd import lsd_a
from variants import Variant, all_variants

GAINS_DB = (-20.0, -10.0, -5.0, 5.0, 10.0)


def restored(x: NDArray[np.float32], variant: Variant, gain_db: float) -> NDArray[np.float32]:
    """What comes of the louder or quieter input, brought back to the level of the original."""
    gain, rate = np.float32(10 ** (gain_db / 20)), variant.band.sample_rate
    y, _ = enhance(gain * x, rate, Settings(variant.name, rate=rate, cutoff=variant.band.cutoff_hz))
    return y / gain


def differences(clip: Clip, variant: Variant, seconds: float) -> list[tuple[float, float]]:
    """LSD to the original against that at gain 0, and LSD to the output at gain 0, for each gain."""
    rate, low_rate = variant.band.sample_rate, round(2 * variant.band.cutoff_hz)
    audio, own_rate = clip.read(seconds)
    original = resample(audio, own_rate, rate)
    x = resample(resample(original, rate, low_rate), low_rate, rate)[:, : original.shape[-1]]
    plain = restored(x, variant, 0.0)
    outputs = [restored(x, variant, gain_db) for gain_db in GAINS_DB]
    reference = lsd_a(original, plain, rate)
    return [(lsd_a(original, y, rate) - reference, lsd_a(plain, y, rate)) for y in outputs]


def print_row(variant: Variant, clips: Sequence[Clip], seconds: float) -> float:
    """Worst of all clips and gains; returns the worst difference."""
    found = [difference for clip in clips for difference in differences(clip, variant, seconds)]
    worst, direct = max(abs(change) for change, _ in found), max(distance for _, distance in found)
    print(f"| {variant} | {worst:.4f} | {direct:.4f} |", flush=True)
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of full-band music")
    parser.add_argument("--models", help="families or checkpoints, comma-separated (default: all)")
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each clip")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clips = find_clips(options.data)
    clips = clips[:: max(1, len(clips) // options.clips)][: options.clips]
    print(f"gains of {', '.join(f'{gain:+g}' for gain in GAINS_DB)} dB, {len(clips)} clips, largest differences\n")
    print("| model | LSD to the original, change | LSD to the output at gain 0 |\n|---|---|---|")
    variants = all_variants(options.models.split(",") if options.models else None)
    worst = max(print_row(variant, clips, options.seconds) for variant in variants)
    print(f"\nworst: {worst:.4f}")


if __name__ == "__main__":
    main()
