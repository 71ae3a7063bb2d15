"""WAV in plain Python: what a stream needs, and what libsndfile leaves open.

libsndfile writes no WAV into a pipe, must be told before the first sample whether a file will pass 4 GiB, and rounds
floats down when it makes integers of them. A linear WAV is a header and samples, so both are made here; the same
header parser reads streams and tells whether a file holds what it claims.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from musr_cli.audio.formats import bits_of
from musr_cli.audio.libsndfile import Samples

# 32-bit size fields end here; larger files become RF64 (EBU Tech 3306)
RIFF_MAX_BYTES = 0xFFFFFFFF

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_DTYPES = {"PCM_U8": "u1", "PCM_16": "<i2", "PCM_24": "<i4", "PCM_32": "<i4", "FLOAT": "<f4", "DOUBLE": "<f8"}
# bytes of one sample
WIDTHS = {"PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
_SUBTYPES = {(_PCM, 8): "PCM_U8", (_PCM, 16): "PCM_16", (_PCM, 24): "PCM_24", (_PCM, 32): "PCM_32",
             (_FLOAT, 32): "FLOAT", (_FLOAT, 64): "DOUBLE"}  # fmt: skip

# What sox, arecord, and ffmpeg and musr write where they cannot know the length.
_UNKNOWN_BYTES = (0x7FFFF000, 0x80000000, 0xFFFFFFFF)

# speaker positions by number of channels, as libsndfile and WAVEFORMATEXTENSIBLE assume them; 0 says nothing
_SPEAKERS = {4: 0x33, 6: 0x3F, 8: 0xFF}
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")

_INFO_TAGS = {"title": b"INAM", "artist": b"IART", "album": b"IPRD", "comment": b"ICMT", "copyright": b"ICOP",
              "date": b"ICRD", "genre": b"IGNR", "software": b"ISFT", "tracknumber": b"ITRK"}  # fmt: skip
_MAX_INFO_BYTES = 1 << 20


class Readable(Protocol):
    """A binary stream."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, fewer only at the end."""


@dataclass(frozen=True)
class WavFormat:
    """How the samples of a WAV are laid down.

    Attributes:
        subtype: libsndfile's name: PCM_U8, PCM_16, PCM_24, PCM_32, FLOAT or DOUBLE; "" for anything else, and for
            samples that stand big end first.
        sample_rate: in Hz.
        channels: how many.
        frame_bytes: bytes of one sample of all channels.
    """

    subtype: str
    sample_rate: int
    channels: int
    frame_bytes: int

    @classmethod
    def linear(cls, subtype: str, sample_rate: int, channels: int) -> WavFormat:
        """The format of integer or float samples."""
        return cls(subtype, sample_rate, channels, WIDTHS[subtype] * channels)


@dataclass(frozen=True)
class WavHeader:
    """Everything before the first sample.

    Attributes:
        format: of the samples.
        data_bytes: that the header claims; None where it stands for "not known yet".
        offset: bytes before the first sample.
        tags: from a LIST INFO chunk before the samples.
    """

    format: WavFormat
    data_bytes: int | None
    offset: int
    tags: Mapping[str, str] = field(default_factory=dict)


def stream_header(form: WavFormat) -> bytes:
    """Header of a WAV whose length is not known, with the sizes that ffmpeg writes into pipes."""
    fmt = _fmt_chunk(form)
    return b"RIFF" + struct.pack("<I", RIFF_MAX_BYTES) + b"WAVE" + fmt + b"data" + struct.pack("<I", RIFF_MAX_BYTES)


def file_header(form: WavFormat, frames: int, tags: Mapping[str, str], *, rf64: bool = False) -> bytes:
    """Header of a file of so many frames: RIFF where it fits, else RF64, always of the same length.

    A JUNK chunk keeps the room of RF64's ds64 chunk (EBU Tech 3306, section 3.5), so that the header can be written
    first and rewritten once the length is known.

    Args:
        form: of the samples.
        frames: samples per channel.
        tags: written as LIST INFO, as far as that has names for them.
        rf64: RF64 whatever the length.
    """
    fact = b"fact" + struct.pack("<II", 4, min(frames, 0xFFFFFFFF)) if bits_of(form.subtype) is None else b""
    chunks = _fmt_chunk(form) + fact + _info_chunk(tags)
    data_bytes = frames * form.frame_bytes
    riff_bytes = 4 + 36 + len(chunks) + 8 + data_bytes + data_bytes % 2
    sizes = struct.pack("<QQQI", riff_bytes, data_bytes, frames, 0)
    if rf64 or riff_bytes > RIFF_MAX_BYTES:
        start, room, size = b"RF64" + b"\xff" * 4, b"ds64" + struct.pack("<I", 28) + sizes, b"\xff" * 4
    else:
        start, room = b"RIFF" + struct.pack("<I", riff_bytes), b"JUNK" + struct.pack("<I", 28) + bytes(28)
        size = struct.pack("<I", data_bytes)
    return start + b"WAVE" + room + chunks + b"data" + size


def encode(block: Samples, subtype: str) -> bytes:
    """Samples [C, n] → the bytes of a WAV; integers are rounded, and saturate beyond full scale."""
    frames = block.T
    bits = bits_of(subtype)
    if bits is None:
        return np.ascontiguousarray(frames, _DTYPES[subtype]).tobytes()
    integers = quantise(frames, bits)
    if subtype == "PCM_U8":
        integers = integers + 128
    packed = np.ascontiguousarray(integers, _DTYPES[subtype])
    if subtype == "PCM_24":
        return packed.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    return packed.tobytes()


def decode(data: bytes, form: WavFormat) -> Samples:
    """The bytes of whole frames → samples [C, n]: float64 where the format needs it, else float32. Exact."""
    if form.subtype == "PCM_24":
        padded = np.zeros((len(data) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        raw = padded.view("<i4")
    else:
        raw = np.frombuffer(data, _DTYPES[form.subtype])
    frames = raw.reshape(-1, form.channels).T
    if form.subtype == "PCM_U8":
        return np.ascontiguousarray((frames.astype(np.float32) - 128) / 128)
    if form.subtype == "FLOAT":
        return np.ascontiguousarray(frames, np.float32)
    if form.subtype in ("PCM_32", "DOUBLE"):
        return np.ascontiguousarray(frames, np.float64) / (1 if form.subtype == "DOUBLE" else 2**31)
    # 24 bits stand in the upper three bytes
    return np.ascontiguousarray(frames, np.float32) / (2**15 if form.subtype == "PCM_16" else 2**31)


def quantise(samples: Samples, bits: int) -> NDArray[np.int32]:
    """Round to integers of so many bits; full scale and beyond saturate. What came from such integers stays exact."""
    scale = 2.0 ** (bits - 1)
    # float32 cannot hold the largest 32-bit integer
    limited = np.clip(samples, -1, 1, dtype=np.float64 if bits > 24 else samples.dtype)
    return np.asarray(np.minimum(np.rint(limited * scale), scale - 1), np.int32)


def read_header(stream: Readable) -> WavHeader | None:
    """Read up to the first sample, strictly forwards. None where there are no samples, or it is not a WAV."""
    magic, _, kind = struct.unpack("<4sI4s", _exactly(stream, 12))
    if magic not in (b"RIFF", b"RIFX", b"RF64") or kind != b"WAVE":
        return None
    order = ">" if magic == b"RIFX" else "<"
    form: WavFormat | None = None
    long_bytes: int | None = None
    tags: dict[str, str] = {}
    offset = 12
    while len(head := stream.read(8)) == 8:
        name, size = struct.unpack(f"{order}4sI", head)
        offset += 8
        if name == b"data":
            claim = long_bytes if magic == b"RF64" and size == RIFF_MAX_BYTES else _claimed(size, form)
            return WavHeader(form, claim, offset, tags) if form else None
        body = stream.read(min(size, _MAX_INFO_BYTES)) if name in (b"fmt ", b"ds64", b"LIST") else b""
        _skip(stream, size + size % 2 - len(body))
        offset += size + size % 2
        if name == b"fmt ":
            form = _parse_fmt(body, order)
        elif name == b"ds64" and len(body) >= 16:
            long_bytes = struct.unpack_from("<Q", body, 8)[0]
        elif name == b"LIST":
            tags |= _parse_info(body)
    return None


def _fmt_chunk(form: WavFormat) -> bytes:
    code = _PCM if bits_of(form.subtype) else _FLOAT
    bits = 8 * form.frame_bytes // form.channels
    shape = (form.channels, form.sample_rate, form.sample_rate * form.frame_bytes, form.frame_bytes, bits)
    # more than two channels need the extended form, which says what they are
    if form.channels > 2:
        extra = struct.pack("<HHIH", 22, bits, _SPEAKERS.get(form.channels, 0), code) + _GUID_TAIL
        return b"fmt " + struct.pack("<IHHIIHH", 40, _EXTENSIBLE, *shape) + extra
    if code == _FLOAT:
        return b"fmt " + struct.pack("<IHHIIHHH", 18, code, *shape, 0)
    return b"fmt " + struct.pack("<IHHIIHH", 16, code, *shape)


def _parse_fmt(body: bytes, order: str) -> WavFormat | None:
    if len(body) < 16:
        return None
    code, channels, sample_rate, _, frame_bytes, bits = struct.unpack_from(f"{order}HHIIHH", body)
    if code == _EXTENSIBLE and len(body) >= 26:
        code = struct.unpack_from(f"{order}H", body, 24)[0]
    subtype = _SUBTYPES.get((code, bits), "")
    if not channels or order == ">" or frame_bytes != WIDTHS.get(subtype, 0) * channels:
        subtype = ""
    return WavFormat(subtype, sample_rate, channels, frame_bytes)


def _claimed(size: int, form: WavFormat | None) -> int | None:
    """The size that a header claims, None where it stands for "not known yet"."""
    # some round down to whole frames
    slack = max(form.frame_bytes if form else 1, 1)
    return None if any(0 <= mark - size < slack for mark in _UNKNOWN_BYTES) else size


def _info_chunk(tags: Mapping[str, str]) -> bytes:
    body = b"".join(_chunk(_INFO_TAGS[key], value.encode() + b"\0") for key, value in tags.items() if key in _INFO_TAGS)
    return _chunk(b"LIST", b"INFO" + body) if body else b""


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def _parse_info(body: bytes) -> dict[str, str]:
    names = {name: key for key, name in _INFO_TAGS.items()}
    tags: dict[str, str] = {}
    position = 4
    while body[:4] == b"INFO" and position + 8 <= len(body):
        name, size = struct.unpack_from("<4sI", body, position)
        if name in names:
            text = body[position + 8 : position + 8 + size].split(b"\0")[0]
            tags[names[name]] = text.decode("utf-8", "replace")
        position += 8 + size + size % 2
    return tags


def _exactly(stream: Readable, size: int) -> bytes:
    data = stream.read(size)
    return data + bytes(size - len(data))


def _skip(stream: Readable, size: int) -> None:
    while size > 0 and (piece := stream.read(min(size, 1 << 16))):
        size -= len(piece)
