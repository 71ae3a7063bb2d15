"""What containers hold: sample formats, rates, channels, sizes. A table, and the choices that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from musr_cli.errors import MusrError, UsageError

Place = Path | Literal["-"]
Depth = Literal["8", "16", "24", "32", "float", "double"]

PIPE: Literal["-"] = "-"

# from coarse to fine: "same" takes the next finer one where a container lacks the depth of the source
_DEPTHS: tuple[Depth, ...] = ("8", "16", "24", "32", "float", "double")

_GIB = 2**30


@dataclass(frozen=True)
class Container:
    """A file format, as far as libsndfile (and our own WAV writer) can write it.

    Attributes:
        name: what users and messages call it.
        major: libsndfile's name of it.
        suffixes: of file names, the usual one first.
        subtypes: libsndfile's name of the samples, by depth; empty where samples are coded with loss.
        codec: libsndfile's name of the one lossy codec; None where samples are kept.
        quality: libsndfile's compression level of the codec, 0 (best) to 1. Its defaults would undo the work:
            MP3 ends at 17.2 kHz, Vorbis at 19 kHz; with these, both reach 22 kHz at 44.1 kHz.
        sample_rates: in Hz, the only ones it takes; empty for any up to `max_sample_rate`.
        max_sample_rate: in Hz.
        max_channels: how many channels it takes.
        max_bytes: of a whole file; None for no limit that matters.
    """

    name: str
    major: str
    suffixes: tuple[str, ...]
    subtypes: Mapping[Depth, str] = field(default_factory=dict)
    codec: str | None = None
    quality: float | None = None
    sample_rates: tuple[int, ...] = ()
    max_sample_rate: int = 768_000
    max_channels: int = 1024
    max_bytes: int | None = None


@dataclass(frozen=True)
class AudioInfo:
    """What a source says about itself.

    Attributes:
        path: of the file; "-" for standard input.
        sample_rate: in Hz.
        channels: how many.
        frames: samples per channel; None for a stream that does not say. An Ogg or a damaged MP3 may turn out a little
            shorter.
        container: a name of `CONTAINERS`.
        subtype: libsndfile's name of the samples, such as "PCM_16" or "VORBIS".
        tags: "title", "artist", "album", "comment", "copyright", "date", "genre", "license", "software",
            "tracknumber", as far as they are there.
    """

    path: Place
    sample_rate: int
    channels: int
    frames: int | None
    container: str
    subtype: str
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How messages call the source."""
        return "standard input" if self.path == PIPE else str(self.path)

    @property
    def duration_s(self) -> float | None:
        """Length in seconds, where it is known."""
        return None if self.frames is None else self.frames / self.sample_rate

    @property
    def bits(self) -> int | None:
        """Bits of integer samples; None for floats and lossy codecs."""
        return bits_of(self.subtype)


def _linear(eight_bit: str) -> dict[Depth, str]:
    return {"8": eight_bit, "16": "PCM_16", "24": "PCM_24", "32": "PCM_32", "float": "FLOAT", "double": "DOUBLE"}


_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)

# CAF could hold ALAC, but libsndfile 1.2.2 writes loud 20-, 24- and 32-bit ALAC wrongly: not offered.
CONTAINERS: Mapping[str, Container] = {
    container.name: container
    for container in (
        Container("WAV", "WAV", (".wav", ".wave", ".bwf"), _linear("PCM_U8")),
        Container("RF64", "RF64", (".rf64",), _linear("PCM_U8")),
        Container("W64", "W64", (".w64",), _linear("PCM_U8")),
        Container("AIFF", "AIFF", (".aiff", ".aif", ".aifc"), _linear("PCM_S8"), max_bytes=4 * _GIB - 1),
        Container("AU", "AU", (".au", ".snd"), _linear("PCM_S8"), max_bytes=4 * _GIB - 1),
        Container("CAF", "CAF", (".caf",), _linear("PCM_S8")),
        Container(
            "FLAC", "FLAC", (".flac",), {"8": "PCM_S8", "16": "PCM_16", "24": "PCM_24"},
            max_sample_rate=655_350, max_channels=8,
        ),
        # libvorbis crashes above 200 kHz and 255 channels
        Container(
            "OGG", "OGG", (".ogg", ".oga"), codec="VORBIS", quality=0.2, max_sample_rate=192_000, max_channels=255
        ),
        Container("OPUS", "OGG", (".opus",), codec="OPUS", quality=0.5, sample_rates=_OPUS_RATES, max_channels=255),
        Container(
            "MP3", "MP3", (".mp3",), codec="MPEG_LAYER_III", quality=0.0, sample_rates=_MP3_RATES, max_channels=2
        ),
    )
}  # fmt: skip

READABLE_SUFFIXES: frozenset[str] = frozenset(suffix for c in CONTAINERS.values() for suffix in c.suffixes)

# Depth of what libsndfile reads. What is missing here is coded with loss, and is worth 16 bits at most.
_SOURCE_DEPTHS: Mapping[str, Depth] = {
    "PCM_S8": "8", "PCM_U8": "8", "PCM_16": "16", "PCM_24": "24", "PCM_32": "32", "FLOAT": "float", "DOUBLE": "double",
    "ALAC_16": "16", "ALAC_20": "24", "ALAC_24": "24", "ALAC_32": "32", "DWVW_24": "24",
}  # fmt: skip

# Vorbis (specification, section 4.3.9) and Opus (RFC 7845, section 5.1.1.2) order speakers in their own way, and
# libsndfile passes that on: for each of their channels, its number in a WAV, where the centre comes third.
_OGG_ORDER: Mapping[int, tuple[int, ...]] = {
    3: (0, 2, 1), 5: (0, 2, 1, 3, 4), 6: (0, 2, 1, 4, 5, 3), 7: (0, 2, 1, 5, 6, 4, 3), 8: (0, 2, 1, 6, 7, 4, 5, 3),
}  # fmt: skip

# float32 holds 24 bits exactly, no more
_FINER_THAN_FLOAT32 = frozenset(("PCM_32", "ALAC_32", "DOUBLE"))


def container_named(name: str) -> str:
    """The container that `--format` asks for, such as "flac".

    Raises:
        UsageError: no such format.
    """
    if name.upper().lstrip(".") in CONTAINERS:
        return name.upper().lstrip(".")
    by_suffix = _by_suffix(f".{name}")
    if by_suffix is None:
        raise UsageError(f"--format {name}: there is no such format; choose one of {_names()}")
    return by_suffix


def container_of(place: Place) -> str:
    """The container that an output's name asks for; WAV for a pipe.

    Raises:
        UsageError: a suffix that is missing or means nothing here.
    """
    if place == PIPE:
        return "WAV"
    container = _by_suffix(place.suffix)
    if container is None:
        problem = f"'{place.suffix}' is not a format that can be written" if place.suffix else "the name has no suffix"
        raise UsageError(f"{place}: {problem}; name it .wav or .flac, or choose with --format one of {_names()}")
    return container


def suffix_of(container: str) -> str:
    """The usual suffix of file names, such as ".wav"."""
    return CONTAINERS[container].suffixes[0]


def subtype_for(container: str, bit_depth: str | int, source_subtype: str = "PCM_16") -> str:
    """libsndfile's name of the samples to write.

    Args:
        container: a name of `CONTAINERS`.
        bit_depth: "same" as the source (the next finer that the container holds, else its finest), "16", "24", "32"
            or "float".
        source_subtype: libsndfile's name of the samples of the source, which "same" refers to.

    Raises:
        UsageError: a depth that the container lacks.
    """
    holds = CONTAINERS[container]
    if holds.codec:
        if bit_depth != "same":
            raise UsageError(f"--bit-depth {bit_depth}: {holds.name} has no bit depth; leave the option out")
        return holds.codec
    if bit_depth == "same":
        return _same_depth(holds, _SOURCE_DEPTHS.get(source_subtype, "16"))
    for depth, subtype in holds.subtypes.items():
        if depth == str(bit_depth):
            return subtype
    depths = ", ".join(holds.subtypes)
    raise UsageError(f"--bit-depth {bit_depth}: {holds.name} holds {depths}; choose one of them, or --format wav")


def bits_of(subtype: str) -> int | None:
    """Bits of integer samples; None for floats and codecs."""
    depth = _SOURCE_DEPTHS.get(subtype, "float")
    return int(depth) if depth.isdigit() else None


def is_float(subtype: str) -> bool:
    """Whether samples beyond full scale are kept as they are."""
    return subtype in ("FLOAT", "DOUBLE")


def needs_float64(subtype: str) -> bool:
    """Whether float32 would lose bits of it."""
    return subtype in _FINER_THAN_FLOAT32


def stored_order(container: str, channels: int) -> tuple[int, ...] | None:
    """For each channel as it is stored, its number in the order of WAV, which is ours; None where that is the same."""
    return _OGG_ORDER.get(channels) if container in ("OGG", "OPUS") else None


def refuse_impossible(place: Place, container: str, sample_rate: int, channels: int) -> None:
    """Raise MusrError where the container takes neither this rate nor so many channels; the way out is named."""
    holds = CONTAINERS[container]
    if holds.sample_rates and sample_rate not in holds.sample_rates:
        rates = ", ".join(map(str, holds.sample_rates))
        raise MusrError(
            f"{place}: {holds.name} takes {rates} Hz, not {sample_rate}; choose one with --rate, or --format flac"
        )
    if sample_rate > holds.max_sample_rate:
        raise MusrError(
            f"{place}: {holds.name} takes up to {holds.max_sample_rate} Hz, not {sample_rate}; choose --format wav"
        )
    if channels > holds.max_channels:
        raise MusrError(
            f"{place}: {holds.name} takes up to {holds.max_channels} channels, not {channels}; choose --format wav"
        )


def _by_suffix(suffix: str) -> str | None:
    return next((c.name for c in CONTAINERS.values() if suffix.lower() in c.suffixes), None)


def _same_depth(holds: Container, depth: Depth) -> str:
    finer = _DEPTHS[_DEPTHS.index(depth) :]
    held = [wanted for wanted in finer if wanted in holds.subtypes]
    return holds.subtypes[held[0]] if held else list(holds.subtypes.values())[-1]


def _names() -> str:
    return ", ".join(name.lower() for name in CONTAINERS)
