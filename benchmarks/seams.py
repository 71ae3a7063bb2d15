"""Seams: output in chunks against output of the whole file, on real music, worst cases over everything tried.

    python benchmarks/seams.py --data FOLDER [--models gan,sbr] [--clips 2] [--seconds 6] [--phases native,random]

Each clip is low-passed at the model's edge by resampling, cut to lengths awkward for each chunk size (1 sample,
one less than a chunk, a chunk, one more, the whole clip), and restored in fp32 with this chunk size and in one piece.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from clips import Clip, find_clips
from musr_cli.audio.resampling import resample
from musr_cli.engine.enhancer import Settings, enhance
from musr_cli.errors import UnavailableError
from variants import Variant, all_variants

CHUNKS_S = (0.05, 0.5, 2.3)
WHOLE_S = 3600.0
DEFAULT = "default"


@dataclass(frozen=True)
class Seam:
    """One comparison: how far the chunked output lies below the whole one's level, in dB."""

    variant: Variant
    phase: str
    chunk_s: float
    samples: int
    output_db: float
    new_band_db: float


def low_band(clip: Clip, variant: Variant, seconds: float) -> NDArray[np.float32]:
    """The clip at the rate of the variant, with nothing above its edge, [C, T]."""
    band = variant.band
    audio, own_rate = clip.read(seconds)
    low = resample(audio, own_rate, round(2 * band.cutoff_hz))
    return resample(low, round(2 * band.cutoff_hz), band.sample_rate)


def compare(x: NDArray[np.float32], variant: Variant, phase: str, chunk_s: float) -> Seam:
    """Restore in chunks and in one piece."""

    def run(length_s: float) -> NDArray[np.float32]:
        settings = Settings(
            model=variant.name,
            rate=variant.band.sample_rate,
            cutoff=variant.band.cutoff_hz,
            phase=None if phase == DEFAULT else phase,
            precision="fp32",
            chunk_s=length_s,
        )
        return enhance(x, variant.band.sample_rate, settings)[0]

    whole, chunked = run(WHOLE_S), run(chunk_s)
    return Seam(variant, phase, chunk_s, x.shape[-1], snr_db(whole, chunked), snr_db(whole - x, chunked - x))


def snr_db(signal: NDArray[np.float32], estimate: NDArray[np.float32]) -> float:
    """Signal over difference; infinite where they are the same."""
    error = np.sum((signal.astype(np.float64) - estimate) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(np.sum(signal.astype(np.float64) ** 2) / error))


def lengths(samples: int, chunk: int) -> list[int]:
    """Awkward numbers of samples that a clip allows."""
    return sorted({n for n in (1, chunk - 1, chunk, chunk + 1, samples) if 0 < n <= samples})


def measure(variant: Variant, phase: str, clips: Sequence[Clip], seconds: float) -> Iterator[Seam]:
    """Every clip, chunk size and length."""
    for clip in clips:
        x = low_band(clip, variant, seconds)
        for chunk_s in CHUNKS_S:
            for samples in lengths(x.shape[-1], round(chunk_s * variant.band.sample_rate)):
                yield compare(x[:, :samples], variant, phase, chunk_s)


def print_row(seams: Sequence[Seam]) -> None:
    """The worst of one variant and phase."""
    worst, worst_band = (min(seams, key=key) for key in (lambda s: s.output_db, lambda s: s.new_band_db))
    where = f"{worst.chunk_s:g} s, {worst.samples} samples"
    print(
        f"| {worst.variant} | {worst.phase} | {worst.output_db:.0f} dB ({where}) | {worst_band.new_band_db:.0f} dB | "
        f"{len(seams)} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of music")
    parser.add_argument("--models", help="families or checkpoints, comma-separated (default: all)")
    parser.add_argument("--phases", default=DEFAULT, help="comma-separated (default: each model's own)")
    parser.add_argument("--clips", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each clip")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clips = find_clips(options.data)
    clips = clips[:: max(1, len(clips) // options.clips)][: options.clips]
    print("| model | phase | output, worst | new band alone, worst | comparisons |\n|---|---|---|---|---|")
    every: list[Seam] = []
    for variant in all_variants(options.models.split(",") if options.models else None):
        for phase in options.phases.split(","):
            try:
                seams = list(measure(variant, phase, clips, options.seconds))
            except UnavailableError as error:
                print(f"| {variant} | {phase} | {error} | | |")
                continue
            print_row(seams)
            every += seams
    print(f"\nworst of {len(every)}: {min(seam.output_db for seam in every):.0f} dB")


if __name__ == "__main__":
    main()
