"""One file through a chain of degradations into another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from musr_cli.audio.formats import Place, container_of, subtype_for
from musr_cli.audio.reading import open_source
from musr_cli.audio.writing import AudioWriter
from musr_cli.degrade.chain import Chain, Wish


@dataclass(frozen=True)
class Outcome:
    """What was done to a file.

    Attributes:
        chain: the steps.
        audio_s: seconds of audio that were written.
        clipped: samples that the output's format could not hold.
    """

    chain: Chain
    audio_s: float
    clipped: int


def degrade_file(
    source_place: Place,
    output: Place,
    wish: Wish,
    seed: int,
    *,
    container: str | None = None,
    bit_depth: str = "same",
    progress: Callable[[float], None] = lambda done_s: None,
) -> Outcome:
    """Degrade a file of any length; the output appears whole or not at all.

    Args:
        source_place: file or "-".
        output: file or "-".
        wish: what to do.
        seed: of what the wish leaves open.
        container: "WAV", "FLAC", …; None for what the output's name says.
        bit_depth: "same", "16", "24", "32" or "float".
        progress: told the seconds of audio that are written.

    Raises:
        MusrError: what cannot be read, written or done.
    """
    container = container or container_of(output)
    with open_source(source_place) as source:
        info = source.info
        chain = wish.draw(seed, info.sample_rate)
        subtype = subtype_for(container, bit_depth, info.subtype)
        with AudioWriter(
            output, chain.output_rate, info.channels, container, subtype, tags=info.tags, make_parents=True
        ) as writer:
            for block in chain.apply(source.blocks(), info.channels):
                writer.write(block)
                progress(writer.frames / chain.output_rate)
    return Outcome(chain, writer.frames / chain.output_rate, writer.clipped)
