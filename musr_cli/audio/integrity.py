"""Which format a file is, by its first bytes, and whether it holds the audio that its header claims.

libsndfile reads what is there and says nothing of the rest, so that half a download would become half a recording.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from musr_cli.audio.wav import read_header

# enough for every magic number below
HEAD_BYTES = 40

# more chunks than any real file has: a limit for damaged ones
_MAX_CHUNKS = 10_000

_W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"

# (container, offset, what stands there); the first that fits
_MAGIC = (
    ("RF64", 0, b"RF64"), ("WAV", 8, b"WAVE"), ("AIFF", 8, b"AIFF"), ("AIFF", 8, b"AIFC"), ("W64", 0, _W64_RIFF),
    ("OPUS", 28, b"OpusHead"), ("OGG", 0, b"OggS"), ("FLAC", 0, b"fLaC"), ("CAF", 0, b"caff"),
    ("AU", 0, b".snd"), ("AU", 0, b"dns."),
)  # fmt: skip

# claims that stand for "until the end"; sox writes the one for AIFF (and a little more) into pipes
_AU_UNKNOWN, _AIFF_UNKNOWN = 0xFFFFFFFF, 0x7F000000

# a FLAC frame holds up to 65535 samples and takes 11 bytes or more
_FLAC_MAX_FRAMES_PER_BYTE = 65535 / 11

# of a stream
_OGG_FIRST, _OGG_LAST = 2, 4


def sniff(head: bytes) -> str | None:
    """The name in `formats.CONTAINERS` of what begins with `head` (`HEAD_BYTES` of it); None: nothing that is read."""
    for container, offset, magic in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return container
    # the sync word of MPEG audio
    return "MP3" if int.from_bytes(head[:2], "big") >> 5 == 0x7FF else None


def shortfall(file: BinaryIO, container: str) -> str | None:
    """What is wrong with the length of `file`, in words; None where it holds what it claims."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    check = {"OGG": _ogg_shortfall, "OPUS": _ogg_shortfall, "FLAC": _flac_shortfall}.get(container, _claim_shortfall)
    return check(file, size)


def claimed_bytes(file: BinaryIO) -> int | None:
    """Bytes of audio that the header of anything but Ogg, FLAC and MP3 claims; None where it leaves that open."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    claim = _claim(file, size)
    return None if claim is None else claim[1]


def _claim_shortfall(file: BinaryIO, size: int) -> str | None:
    claim = _claim(file, size)
    if claim is None:
        return None
    offset, claimed = claim
    if claimed > size - offset:
        return f"its header claims {_bytes(claimed)} of audio, but {_bytes(max(size - offset, 0))} are there"
    if claimed == 0 and not _chunk_follows(file, offset, size):
        return f"its header claims no audio, but {_bytes(size - offset)} follow; a pipe ('-') takes it as it is"
    return None


def _claim(file: BinaryIO, size: int) -> tuple[int, int] | None:
    """Offset of the first sample and bytes of audio that the header claims; None where it leaves that open."""
    magic = file.read(16).ljust(16, b"\0")
    file.seek(0)
    if magic == _W64_RIFF:
        # sizes count the 24 bytes of GUID and size; chunks begin at multiples of 8
        return _find_chunk(file, size, _W64_DATA, 40, "<16sQ", pad=8, counted=24, unknown=2**63)
    if magic[:4] == b"FORM":
        return _find_chunk(file, size, b"SSND", 12, ">4sI", pad=2, unknown=_AIFF_UNKNOWN)
    if magic[:4] == b"caff":
        return _find_chunk(file, size, b"data", 8, ">4sQ", unknown=2**63)
    if magic[:4] in (b".snd", b"dns."):
        offset, claimed = struct.unpack_from(">II" if magic[:1] == b"." else "<II", magic, 4)
        return None if claimed == _AU_UNKNOWN else (offset, claimed)
    header = read_header(file)
    return None if header is None or header.data_bytes is None else (header.offset, header.data_bytes)


def _find_chunk(
    file: BinaryIO, size: int, wanted: bytes, start: int, layout: str, *, unknown: int, pad: int = 1, counted: int = 0
) -> tuple[int, int] | None:
    """Offset of the content of the first such chunk and bytes that it claims; None without it, or from `unknown` on.

    Args:
        file: to look through.
        size: of the file.
        wanted: name of the chunk.
        start: of the first chunk.
        layout: of name and size, as `struct` has it.
        unknown: size from which on a claim stands for "until the end".
        pad: chunks begin at multiples of this.
        counted: bytes of name and size, where sizes include them.
    """
    position, head_bytes = start, struct.calcsize(layout)
    for _ in range(_MAX_CHUNKS):
        if position + head_bytes > size:
            break
        file.seek(position)
        head = file.read(head_bytes)
        name, claimed = struct.unpack(layout, head)
        position += head_bytes
        if name == wanted:
            return None if claimed >= unknown else (position, max(claimed - counted, 0))
        position += max(claimed - counted, 0)
        position += -position % pad
    return None


def _chunk_follows(file: BinaryIO, offset: int, size: int) -> bool:
    """Whether nothing, or what looks like a RIFF chunk, begins at `offset`."""
    file.seek(offset)
    head = file.read(8)
    return len(head) < 8 or (head[:4].isascii() and int.from_bytes(head[4:], "little") <= size - offset - 8)


def _bytes(count: int) -> str:
    if count < 10_000:
        return f"{count} bytes"
    unit, name = next((u, n) for u, n in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")) if count >= u)
    return f"{count / unit:.3g} {name}"


def _flac_shortfall(file: BinaryIO, size: int) -> str | None:
    """Only what no file of this size can hold; the rest shows at the end of the reading."""
    head = file.read(26)
    if len(head) < 26 or head[:4] != b"fLaC":
        return None
    frames = int.from_bytes(head[18:26], "big") & 0xFFFFFFFFF
    if frames <= size * _FLAC_MAX_FRAMES_PER_BYTE:
        return None
    return f"its header claims {frames} samples, more than {_bytes(size)} can hold"


def _ogg_shortfall(file: BinaryIO, size: int) -> str | None:
    """Ogg has no length in its header; but its pages tell theirs, and the last one is marked (RFC 3533, section 6)."""
    position, streams, ended = 0, 0, False
    while position < size:
        file.seek(position)
        head = file.read(27)
        if head[:4] != b"OggS" or len(head) < 27:
            break
        lengths = file.read(head[26])
        position += 27 + head[26] + sum(lengths)
        streams += bool(head[5] & _OGG_FIRST)
        ended = bool(head[5] & _OGG_LAST)
        if len(lengths) < head[26] or position > size:
            return "it ends in the middle of a page"
    if streams > 1:
        return f"it is made of {streams} streams, of which only the first could be read"
    return None if ended else "it ends before the page that is marked as its last"
