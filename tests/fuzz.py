"""Feeds damaged audio to the reader: it must be read, or refused with one line; nothing may crash, hang or swell.

    python tests/fuzz.py --cases 1000 --seed 0

The work is done in a child process, so that a crash of a decoder is seen as one, with the case that caused it:
`--first N --cases 1 --keep FOLDER` repeats case N and keeps its file.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from musr_cli.audio.formats import CONTAINERS, subtype_for, suffix_of
from musr_cli.audio.reading import open_source
from musr_cli.audio.writing import AudioWriter
from musr_cli.errors import MusrError

# of address space in the child, of which numpy takes 150 MB (with one thread)
MEMORY_BYTES = 1 << 30
# for one case; a real one takes milliseconds
TIMEOUT_S = 20.0
# a damaged header may make a long file of a short one, but not of silence out of nothing
MAX_SAMPLES_PER_BYTE = 70_000

_RATE = 48_000
_MARKS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 20 * 10**9)

Mutation = Callable[[bytearray, np.random.Generator], None]


def flip_bytes_of_header(data: bytearray, rng: np.random.Generator) -> None:
    """A few bytes of the first 256 become others."""
    for _ in range(rng.integers(1, 9)):
        data[rng.integers(min(len(data), 256))] = rng.integers(256)


def flip_bytes_anywhere(data: bytearray, rng: np.random.Generator) -> None:
    """Up to 64 bytes become others."""
    for _ in range(rng.integers(1, 65)):
        data[rng.integers(len(data))] = rng.integers(256)


def flip_one_bit(data: bytearray, rng: np.random.Generator) -> None:
    """One bit."""
    data[rng.integers(len(data))] ^= 1 << rng.integers(8)


def claim_sizes(data: bytearray, rng: np.random.Generator) -> None:
    """Numbers of the header become extreme: the sizes, sooner or later."""
    for _ in range(rng.integers(1, 4)):
        width = int(rng.choice([2, 4, 8]))
        order = "little" if rng.integers(2) else "big"
        place = int(rng.integers(min(len(data), 160)))
        mark = _MARKS[rng.integers(len(_MARKS))] & (1 << 8 * width) - 1
        data[place : place + width] = mark.to_bytes(width, order)


def cut(data: bytearray, rng: np.random.Generator) -> None:
    """The end is missing."""
    del data[rng.integers(len(data)) :]


def cut_out(data: bytearray, rng: np.random.Generator) -> None:
    """A piece is missing."""
    first = rng.integers(len(data))
    del data[first : first + rng.integers(1, 2048)]


def double(data: bytearray, rng: np.random.Generator) -> None:
    """A piece comes twice."""
    first = rng.integers(len(data))
    data[first:first] = bytes(data[first : first + rng.integers(1, 2048)])


def put_in(data: bytearray, rng: np.random.Generator) -> None:
    """Noise is put in."""
    place = rng.integers(len(data))
    data[place:place] = rng.bytes(rng.integers(1, 512))


def blank(data: bytearray, rng: np.random.Generator) -> None:
    """A piece becomes zeros, or ones, as a bad disk leaves it."""
    first = int(rng.integers(len(data)))
    piece = len(data[first : first + int(rng.integers(1, 4096))])
    data[first : first + piece] = (b"\xff" if rng.integers(2) else b"\0") * piece


def join(data: bytearray, rng: np.random.Generator) -> None:
    """The file comes twice."""
    data += bytes(data)


MUTATIONS: tuple[Mutation, ...] = (
    flip_bytes_of_header, flip_bytes_anywhere, flip_one_bit, claim_sizes, cut, cut_out, double, put_in, blank, join,
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Seed:
    """A sound file to damage."""

    suffix: str
    data: bytes


def make_seeds(folder: Path) -> list[Seed]:
    """One small file of every container and sample format that is written, with tags."""
    rng = np.random.default_rng(0)
    seeds: list[Seed] = []
    for container, holds in CONTAINERS.items():
        for depth in holds.subtypes or ("same",):
            channels = 1 + len(seeds) % 2
            noise = rng.standard_normal((channels, 9000)) * np.geomspace(0.3, 0.003, 9000)
            path = folder / f"seed{suffix_of(container)}"
            tags = {"title": "fuzz", "comment": "x" * 200}
            with AudioWriter(path, _RATE, channels, container, subtype_for(container, depth), tags=tags) as writer:
                writer.write(noise.astype(np.float32))
            seeds.append(Seed(path.suffix, path.read_bytes()))
    return seeds


def damaged(case: int, seed: int, seeds: Sequence[Seed]) -> tuple[str, bytes]:
    """Suffix and bytes of a case: always the same for the same numbers."""
    rng = np.random.default_rng([seed, case])
    chosen = seeds[case % len(seeds)]
    data = bytearray(chosen.data)
    for _ in range(rng.integers(1, 4)):
        MUTATIONS[rng.integers(len(MUTATIONS))](data, rng)
        if not data:
            break
    return chosen.suffix, bytes(data)


def outcome(path: Path) -> str:
    """ "read" or "refused".

    Raises:
        AssertionError: an error that is not for people, or more audio than the file can hold.
    """
    limit = MAX_SAMPLES_PER_BYTE * max(path.stat().st_size, 1)
    try:
        with open_source(path) as source:
            samples = 0
            for block in source.blocks():
                samples += block.size
                assert samples <= limit, f"{samples} samples out of {path.stat().st_size} bytes"
                assert np.isfinite(block).all()
    except MusrError as error:
        message = str(error)
        assert "\n" not in message and message.startswith(str(path)), f"not one line about the file: {message!r}"
        return "refused"
    return "read"


def work(first: int, cases: int, seed: int, keep: Path | None) -> None:
    """Run cases in this process, saying which one begins and how it ended."""
    _limit_memory()
    with tempfile.TemporaryDirectory() as temporary:
        folder = keep or Path(temporary)
        seeds = make_seeds(Path(temporary))
        for case in range(first, first + cases):
            suffix, data = damaged(case, seed, seeds)
            path = folder / f"case{suffix}"
            path.write_bytes(data)
            print(f"case {case}", flush=True)
            print(outcome(path), flush=True)


def _limit_memory() -> None:
    # not on Windows
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases in children, a new one after each that died; 1 where any case failed."""
    options = _parser().parse_args(arguments)
    if options.work:
        work(options.first, options.cases, options.seed, options.keep)
        return 0
    tally: Counter[str] = Counter()
    failed: list[str] = []
    next_case, end, started = options.first, options.first + options.cases, time.monotonic()
    while next_case < end:
        seen, problem = _child(next_case, end - next_case, options)
        tally.update(seen)
        next_case += len(seen)
        if problem:
            failed.append(f"case {next_case}: {problem}")
            next_case += 1
    taken = ", ".join(f"{count} {name}" for name, count in sorted(tally.items()))
    print(
        f"{options.cases} cases, seed {options.seed}: {taken}, {len(failed)} failed, {time.monotonic() - started:.1f} s"
    )
    print("\n".join(failed), end="\n" if failed else "")
    return 1 if failed else 0


def _child(first: int, cases: int, options: argparse.Namespace) -> tuple[list[str], str]:
    """Outcomes of the cases that went well, and what was wrong with the next one ("" for nothing)."""
    command = [sys.executable, "-X", "faulthandler", __file__, "--work"]
    command += ["--first", str(first), "--cases", str(cases), "--seed", str(options.seed)]
    command += ["--keep", str(options.keep)] if options.keep else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryFile("w+") as log:
        child = subprocess.Popen(command, stdout=log, stderr=subprocess.PIPE, text=True, env=environment)
        try:
            _, errors = child.communicate(timeout=TIMEOUT_S + cases * 0.5)
        except subprocess.TimeoutExpired:
            child.kill()
            _, errors = child.communicate()
            errors += f"\nno end after {TIMEOUT_S + cases * 0.5:.0f} s"
        log.seek(0)
        seen = [line for line in log.read().split("\n") if line in ("read", "refused")]
    # what decoders print for themselves is noise, unless it is all there is to see
    problem = (errors.strip().splitlines() or [f"exit code {child.returncode}"])[-1] if len(seen) < cases else ""
    return seen, problem


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--keep", type=Path, help="folder for the damaged file")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
