"""Speed of the whole chain on real music, × real time, and what a batch costs beside one long file.

    python benchmarks/speed.py --data FOLDER [--models restore,gan] [--seconds 60] [--file-seconds 3]

Every figure is the median of several runs, taken in turn with the others, and stands beside a ratio: absolute times are
noise on shared machines. Audio is 22.05 kHz stereo restored to 44.1 kHz (16 kHz models are not asked). restore runs
also beside a network of the shape and size of AP-BWE (`ap_bwe.py`), in both precisions, the waveform networks beside
the same networks as one would write them first (`plain.py`).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soundfile as sf
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import ap_bwe
from ap_bwe import ApBweShaped
from clips import find_clips
from musr_cli import degrade
from musr_cli.audio.resampling import resample
from musr_cli.degrade import Degradation
from musr_cli.dsp.phases import NATIVE
from musr_cli.dsp.vocoder import find_vocoder
from musr_cli.engine.enhancer import Settings, enhance
from musr_models import registry
from musr_models.contract import Band
from musr_models.tfgan import TfGan
from plain import plain

MODELS = ("linear", "spline", "sinc", "sbr", "envelope", "dnn", "cnn", "gan", "restore")
LOW, HIGH = 22050, 44100
WAVEFORM_S = 20
AUTOENCODERS = {
    "stft-bottleneck": 3500.0, "stft-stride2": 3500.0, "stft-any": 5000.0,
    "cqt-bottleneck": 3500.0, "cqt-stride2": 3500.0, "cqt-any": 5000.0,
}  # fmt: skip
BATCH_FILES = 100
PEER_S, PEER_PIECE_S = 20, 10


@dataclass(frozen=True)
class Task:
    """A waveform network and what it is given: mono at `sample_rate`, band-limited at an edge that it was made for."""

    model: str
    sample_rate: int
    cutoff_hz: float
    phase: str = NATIVE

    @property
    def settings(self) -> Settings:
        """Those of the chain."""
        return Settings(model=self.model, rate=self.sample_rate, cutoff=self.cutoff_hz, phase=self.phase)

    def network(self) -> nn.Module:
        """The vocoder where there is one, else the model."""
        if self.phase == NATIVE:
            return registry.load(self.model, Band(self.sample_rate, self.cutoff_hz))
        return find_vocoder(self.sample_rate)

    @torch.inference_mode()
    def forward(self, network: nn.Module, signal: Tensor, is_bf16: bool) -> None:
        """The network alone on [1, 1, T]."""
        with torch.autocast("cpu", torch.bfloat16, enabled=is_bf16):
            if isinstance(network, TfGan):
                network.resynthesise(network.config.stft.analyse(signal[0]).abs(), signal.shape[-1])
            else:
                network(signal, Band(self.sample_rate, self.cutoff_hz))


TASKS = (
    Task("seanet", 16000, 3000.0),
    Task("audiounet", 16000, 3000.0),
    Task("demucs", 16000, 3000.0),
    Task("unet", 16000, 4000.0),
    Task("wgan", 16000, 2000.0),
    Task("seanet", 16000, 3000.0, phase="vocoder"),
    Task("resgan", 44100, 11025.0),
)


def long_piece(data: Path, seconds: float, sample_rate: int = LOW) -> NDArray[np.float32]:
    """Real music of the wanted length and rate, [2, T]: clips one after another, repeated where they end."""
    parts: list[NDArray[np.float32]] = []
    for clip in find_clips(data):
        audio, rate = clip.read()
        parts.append(resample(audio[[0, -1]], rate, sample_rate))
        if sum(part.shape[1] for part in parts) >= seconds * sample_rate:
            break
    return np.resize(np.concatenate(parts, axis=1).T, (round(seconds * sample_rate), 2)).T.copy()


def in_turn(actions: dict[str, Callable[[], object]], runs: int) -> dict[str, float]:
    """Median seconds of each action; the actions take turns, so that a slow minute hits all of them."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for run in range(runs + 1):
        for name, action in actions.items():
            started = time.perf_counter()
            action()
            if run:  # the first round warms up
                times[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in times.items()}


def chain(piece: NDArray[np.float32], models: Sequence[str], runs: int) -> None:
    """× real time of each model in memory, resampling, edge detection and blending included."""
    seconds = piece.shape[1] / LOW
    actions: dict[str, Callable[[], object]] = {
        "soxr alone": lambda: resample(piece, LOW, HIGH),
        **{model: (lambda model=model: enhance(piece, LOW, Settings(model=model, ratio=2))) for model in models},
    }
    medians = in_turn(actions, runs)
    print("\n| chain | × real time | speed / restore |\n|---|---|---|")
    for name, median in medians.items():
        print(f"| {name} | {seconds / median:.0f} | {medians['restore'] / median:.2f} |")


def beside_ap_bwe(piece: NDArray[np.float32], runs: int) -> None:
    """The whole chain of restore against AP-BWE's transforms and network alone, on both channels of the same audio."""
    seconds = piece.shape[1] / LOW
    network = ApBweShaped().eval()
    channels = torch.from_numpy(resample(piece, LOW, ap_bwe.SAMPLE_RATE))

    @torch.inference_mode()
    def peer(is_bf16: bool) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=is_bf16):
            # in pieces, as anyone would who has not the memory for a whole track
            for part in channels.split(PEER_PIECE_S * ap_bwe.SAMPLE_RATE, dim=-1):
                network(part)

    def ours(precision: str) -> None:
        enhance(piece, LOW, Settings(model="restore", ratio=2, precision=precision))

    print(f"\nAP-BWE-shaped: {sum(p.numel() for p in network.parameters()) / 1e6:.1f} M parameters, stereo")
    print("\n| precision | restore, × real time | AP-BWE-shaped | ratio |\n|---|---|---|---|")
    for precision in ("fp32", "bf16"):
        actions = {"ours": partial(ours, precision), "peer": partial(peer, precision == "bf16")}
        medians = in_turn(actions, runs)
        ratio = medians["peer"] / medians["ours"]
        print(f"| {precision} | {seconds / medians['ours']:.0f} | {seconds / medians['peer']:.1f} | {ratio:.1f} |")


def beside_plain(data: Path, runs: int) -> None:
    """Waveform networks, mono, through the whole chain; and alone against the same of plain layers."""
    headings = "mono", "rate", "parameters", "chain, × real time", "fp32", "plain", "ratio", "bf16", "plain", "ratio"
    print("\n| " + " | ".join(headings) + " |")
    print("|---" * len(headings) + "|")
    for task in TASKS:
        low = long_piece(data, WAVEFORM_S, task.sample_rate)[:1]
        network = task.network()
        seconds = in_turn(_ways(task, network, low), runs)
        speed = {name: WAVEFORM_S / value for name, value in seconds.items()}
        name = task.model if task.phase == NATIVE else f"{task.model} --phase {task.phase}"
        millions = sum(p.numel() for p in network.parameters()) / 1e6
        cells = [f"{task.sample_rate / 1000:g} kHz", f"{millions:.1f} M", f"{speed['chain']:.0f}"]
        for precision in ("fp32", "bf16"):
            ours, theirs = speed[f"ours {precision}"], speed[f"plain {precision}"]
            cells += [f"{ours:.0f}", f"{theirs:.0f}", f"{ours / theirs:.2f}"]
        print(f"| {name} | " + " | ".join(cells) + " |")


def _ways(task: Task, network: nn.Module, low: NDArray[np.float32]) -> dict[str, Callable[[], object]]:
    """What is timed: the chain, and both forms of the network in both precisions."""
    ways: dict[str, Callable[[], object]] = {"chain": partial(enhance, low, task.sample_rate, task.settings)}
    signal = torch.from_numpy(low)[None]
    for precision in ("fp32", "bf16"):
        for name, made in (("ours", network), ("plain", plain(network))):
            ways[f"{name} {precision}"] = partial(task.forward, made, signal, precision == "bf16")
    return ways


def autoencoders(data: Path, runs: int) -> None:
    """The whole chain of the stereo autoencoders in fp32, for their own edges or one of those between."""
    full = long_piece(data, WAVEFORM_S, HIGH)
    actions: dict[str, Callable[[], object]] = {}
    for model, cutoff_hz in AUTOENCODERS.items():
        low = degrade.apply(full, HIGH, Degradation(degrade.RESAMPLE, cutoff_hz))
        settings = Settings(model=model, rate=HIGH, cutoff=cutoff_hz, precision="fp32")
        actions[model] = partial(enhance, low, HIGH, settings)
    medians = in_turn(actions, runs)
    print("\n| stereo at 44.1 kHz, fp32 | edge | × real time |\n|---|---|---|")
    for model, median in medians.items():
        print(f"| {model} | {AUTOENCODERS[model]:g} Hz | {WAVEFORM_S / median:.0f} |")


def command_line(piece: NDArray[np.float32], file_s: float, runs: int) -> None:
    """Whole processes: a cold start, and a batch of short files beside one file of the same audio."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "short").mkdir()
        frames = round(file_s * LOW)
        tiled = np.resize(piece.T, (BATCH_FILES * frames, 2))
        for index in range(BATCH_FILES):
            sf.write(root / "short" / f"{index:03}.wav", tiled[index * frames : (index + 1) * frames], LOW)
        sf.write(root / "long.wav", tiled, LOW)
        sf.write(root / "ten.wav", tiled[: 10 * LOW], LOW)
        sf.write(root / "one.wav", tiled[:1], LOW)
        medians = in_turn(
            {
                "start": lambda: run("enhance", root / "one.wav", root / "one-out.wav"),
                "ten": lambda: run("enhance", root / "ten.wav", root / "ten-out.wav"),
                "long": lambda: run("enhance", root / "long.wav", root / "long-out.wav"),
                "short": lambda: run("enhance", root / "short", root / "short-out"),
                "help": run_help,
            },
            runs,
        )
    work = {name: medians[name] - medians["start"] for name in ("short", "long")}
    print(f"\n`musr --help`: {medians['help']:.2f} s; a 10 s clip, cold: {medians['ten']:.2f} s")
    print(
        f"{BATCH_FILES} files of {file_s:g} s against one of {BATCH_FILES * file_s:g} s, after start-up: ",
        end="",
    )
    print(f"{work['short']:.2f} s / {work['long']:.2f} s = {work['short'] / work['long']:.2f}")


def run(*arguments: str | Path) -> None:
    """The command in its own process."""
    command = [
        sys.executable,
        "-m",
        "musr_cli",
        *map(str, arguments),
        "--overwrite",
        "-q",
    ]
    subprocess.run(command, check=True)


def run_help() -> None:
    """`musr --help` in its own process."""
    subprocess.run([sys.executable, "-m", "musr_cli", "--help"], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of full-band music")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--file-seconds", type=float, default=3.0, help="length of each short file")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--parts", default="chain,ap-bwe,waveform,autoencoders,command", help="tables wanted")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    piece = long_piece(options.data, options.seconds)
    print(f"{options.seconds:g} s of stereo, {LOW} → {HIGH} Hz, {options.threads} threads, median of {options.runs}")
    parts = {
        "chain": lambda: chain(piece, options.models.split(","), options.runs),
        "ap-bwe": lambda: beside_ap_bwe(piece[:, : PEER_S * LOW], options.runs),
        "waveform": lambda: beside_plain(options.data, options.runs),
        "autoencoders": lambda: autoencoders(options.data, options.runs),
        "command": lambda: command_line(piece, options.file_seconds, options.runs),
    }
    for name in options.parts.split(","):
        parts[name]()


if __name__ == "__main__":
    main()
