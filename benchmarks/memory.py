"""Memory: the peak of a long file beside that of a short one, whole command, input and output on disk.

    python benchmarks/memory.py --data FOLDER [--models gan,sbr] [--minutes 60] [--channels 2]

Real clips, looped: 16 bit at 22.05 kHz in, 44.1 kHz out. Peaks are maximum resident set sizes of the processes (Unix).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile as sf

from clips import find_clips
from musr_cli.audio.resampling import resample

RATE = 22050


def write_loop(data: Path, path: Path, seconds: float, channels: int) -> None:
    """Music of the wanted length: three clips, over and over."""
    clips = [clip.read() for clip in find_clips(data)[:3]]
    loop = np.concatenate([resample(audio[[0]], rate, RATE) for audio, rate in clips], axis=-1)
    block = np.repeat(loop, channels, axis=0).T
    left = round(seconds * RATE)
    with sf.SoundFile(path, "w", RATE, channels, "PCM_16", format="RF64") as file:
        while left > 0:
            file.write(block[:left])
            left -= len(block)


def peak_mib(source: Path, output: Path, model: str) -> tuple[float, float]:
    """Peak memory in MiB and seconds of one `musr enhance`."""
    command = [sys.executable, "-m", "musr_cli", "enhance", str(source), str(output), "--model", model, "--ratio", "2"]
    started = time.perf_counter()
    process = subprocess.Popen([*command, "--overwrite", "-q"])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"musr enhance failed for {source}")
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_maxrss * unit / 2**20, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of music")
    parser.add_argument("--models", default="sbr,gan", help="comma-separated")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--channels", type=int, default=2)
    options = parser.parse_args()
    print("| model | 1 min | " + f"{options.minutes:g} min | ratio | × real time |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        short, long, output = (Path(folder) / name for name in ("short.wav", "long.wav", "out.wav"))
        write_loop(options.data, short, 60.0, options.channels)
        write_loop(options.data, long, 60.0 * options.minutes, options.channels)
        for model in options.models.split(","):
            (small, _), (large, seconds) = (peak_mib(source, output, model) for source in (short, long))
            speed = 60 * options.minutes / seconds
            print(f"| {model} | {small:.0f} MiB | {large:.0f} MiB | {large / small:.3f} | {speed:.0f} |", flush=True)


if __name__ == "__main__":
    main()
