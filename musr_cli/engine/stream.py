"""Audio that flows: the one overlap-add, and what it needs to work on signals of any length in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musr_cli.audio.resampling import StreamResampler
from musr_cli.dsp.windows import fade_in
from musr_cli.engine.planner import Plan

Block = NDArray[Any]
"""Audio [C, n], float32 or float64."""

Process = Callable[[Block, int], Block]
"""What is done to a chunk: [C, n] and the number of its first sample → [C, n]."""


class Timeline:
    """A signal addressed by sample number, of which only the stretch that is still needed is kept.

    Attributes:
        end: number of samples so far.
    """

    def __init__(self) -> None:
        self.end = 0
        self._begin = 0
        self._blocks: list[Block] = []

    def push(self, block: Block) -> None:
        """Append [C, n]."""
        self._blocks.append(block)
        self.end += block.shape[-1]

    def read(self, start: int, stop: int) -> Block:
        """A copy of the samples from `start` to before `stop`; zeros where the signal does not reach."""
        first = self._blocks[0]
        out = np.zeros((len(first), stop - start), first.dtype)
        position = self._begin
        for block in self._blocks:
            low, high = max(start, position), min(stop, position + block.shape[-1])
            if low < high:
                out[:, low - start : high - start] = block[:, low - position : high - position]
            position += block.shape[-1]
        return out

    def forget(self, before: int) -> None:
        """Drop the blocks that end before this sample."""
        while self._blocks[1:] and self._begin + self._blocks[0].shape[-1] <= before:
            self._begin += self._blocks.pop(0).shape[-1]


def overlap_add(blocks: Iterable[Block], plan: Plan, process: Process) -> Iterator[tuple[Block, Block]]:
    """Process a signal chunk by chunk and join the results.

    Args:
        blocks: the signal, in blocks of any size.
        plan: how it is cut.
        process: what is done to each chunk; called in order.

    Yields:
        Input and result of the next stretch, both [C, n]; all stretches together are as long as the signal.
    """
    signal, source = Timeline(), iter(blocks)
    ramp = fade_in(plan.fade)
    tail: Block | None = None
    for index in count():
        has_ended = False
        while not has_ended and plan.chunk(index, signal.end, has_ended) is None:
            block = next(source, None)
            has_ended = block is None
            if block is not None:
                signal.push(block)
        chunk = plan.chunk(index, signal.end, has_ended)
        if chunk is None:
            return
        result = process(signal.read(chunk.read_from, chunk.read_to), chunk.read_from)
        result = result[:, chunk.start - chunk.read_from : chunk.stop - chunk.read_from]
        if tail is not None:
            result[:, : plan.fade] = tail * ramp[::-1] + result[:, : plan.fade] * ramp
        done = chunk.stop if chunk.is_last else chunk.stop - plan.fade
        yield signal.read(chunk.start, done), result[:, : done - chunk.start]
        tail = result[:, done - chunk.start :].copy()
        signal.forget(done - plan.context)


def resampled(blocks: Iterable[Block], in_rate: int, out_rate: int) -> Iterator[Block]:
    """The same signal at another rate, ceil(n · out_rate / in_rate) samples."""
    resampler: StreamResampler | None = None
    for block in blocks:
        resampler = resampler or StreamResampler(in_rate, out_rate, len(block), block.dtype)
        yield resampler.push(block)
    if resampler:
        yield resampler.finish()


def add_in_bands(blocks: Iterable[Block], rate: int, work_rate: int, plan: Plan, process: Process) -> Iterator[Block]:
    """Add to a signal what `process` makes of it at a lower rate; the signal itself is not resampled.

    Args:
        blocks: the signal.
        rate: its rate in Hz.
        work_rate: the rate in Hz at which `process` works.
        plan: in samples at `work_rate`.
        process: returns what is to be added.
    """
    base = Timeline()

    def kept() -> Iterator[Block]:
        for block in blocks:
            base.push(block)
            yield block

    worked = overlap_add(resampled(kept(), rate, work_rate), plan, process)
    position = 0
    for addition in resampled((made for _, made in worked), work_rate, rate):
        stop = min(position + addition.shape[-1], base.end)
        if stop > position:
            yield base.read(position, stop) + addition[:, : stop - position]
            base.forget(stop)
            position = stop
