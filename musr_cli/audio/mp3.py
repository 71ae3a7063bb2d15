"""How long an MP3 really is.

libmpg123 believes the Xing tag of the first frame, or guesses from the size of the first frame where there is none,
and libsndfile reads no further than that: a VBR file without tag, or two files joined, would lose their rest without a
word. So the frames are counted (38 headers per second of audio), and a tag that is missing or wrong is replaced on the
way.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

# Tables of layer III by version bits: 3 is MPEG-1 (ISO 11172-3, 2.4.2.3), 2 is MPEG-2 (ISO 13818-3), 0 is MPEG-2.5.
# kbit/s by index: 0 is free format, 15 is forbidden.
_KBPS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0)
_KBPS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0)
_KBPS = {3: _KBPS_1, 2: _KBPS_2, 0: _KBPS_2}
_SAMPLE_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
# samples per frame / 8 · 1000: bytes = this · kbps / rate
_BYTES_PER_KBPS = {3: 144_000, 2: 72_000, 0: 72_000}
# of stereo and mono
_SIDE_INFO_BYTES = {3: (32, 17), 2: (17, 9), 0: (17, 9)}
_HIGHEST_KBPS_INDEX = 14
_LAYER_III = 1

# what all frames of a file share: sync word, version, layer, sample rate
_SAME = 0xFFFE0C00
_NO_CRC = 0x00010000

# encoders disagree on whether the frame with the tag counts
_TOLERANCE = 1
# libmpg123 warns of more
_SIZE_TOLERANCE = 0.01

_HAS_FRAMES, _HAS_BYTES = 1, 2
_ID3V1_BYTES = 128
_SEARCH_BYTES = 1 << 16
# no music starts later: what has no frame here is not worth a search to its end
_LEAD_BYTES = 1 << 20
_READ_AHEAD_BYTES = 1 << 20


@dataclass(frozen=True)
class Frame:
    """Header of one layer III frame.

    Attributes:
        word: its 32 bits.
        size: bytes of the frame.
        tag_offset: bytes from its start to where a Xing tag stands.
    """

    word: int
    size: int
    tag_offset: int

    @classmethod
    def parse(cls, word: int) -> Frame | None:
        """The frame of these 32 bits; None where they are no header."""
        version, layer, rate = word >> 19 & 3, word >> 17 & 3, word >> 10 & 3
        if word >> 21 != 0x7FF or version == 1 or layer != _LAYER_III or rate == 3:
            return None
        return cls.of(word) if _KBPS[version][word >> 12 & 15] else None

    @classmethod
    def of(cls, word: int) -> Frame:
        """The frame of 32 bits that are a header."""
        version, mono = word >> 19 & 3, word >> 6 & 3 == 3
        kbps, sample_rate = _KBPS[version][word >> 12 & 15], _SAMPLE_RATES[version][word >> 10 & 3]
        size = _BYTES_PER_KBPS[version] * kbps // sample_rate + (word >> 9 & 1)
        return cls(word, size, 4 + _SIDE_INFO_BYTES[version][mono])


@dataclass(frozen=True)
class Tag:
    """A Xing (or Info) tag.

    Attributes:
        position: of its count of frames, in bytes.
        frames: that it claims.
        size: bytes of the stream that it claims; None where it does not.
    """

    position: int
    frames: int
    size: int | None


@dataclass(frozen=True)
class Count:
    """What a scan of the frames found.

    Attributes:
        lead: position where the first frame should have been, in bytes.
        start: position of the first frame.
        first: that frame.
        frames: whole frames of audio, without the one that holds the tag.
        cut: whether the file ends in the middle of a frame.
        size: bytes from the first frame to the end of the file, without an ID3v1 tag there.
        tag: the tag in the first frame, if there is one.
    """

    lead: int
    start: int
    first: Frame
    frames: int
    cut: bool
    size: int
    tag: Tag | None

    @property
    def truncated(self) -> bool:
        """Whether the tag counts more frames than there are."""
        return self.tag is not None and self.frames + (0 if self.cut else _TOLERANCE) < self.tag.frames

    @property
    def misleading(self) -> bool:
        """Whether libmpg123 would get the length wrong, find nothing, or warn on stderr (of APE tags, for one)."""
        if self.tag is None or self.lead != self.start or self.frames > self.tag.frames + _TOLERANCE:
            return True
        return self.tag.size is not None and abs(self.size - self.tag.size) > _SIZE_TOLERANCE * self.size


class CorrectedFile:
    """An MP3 file with the tag that a count of its frames calls for, written over what is there or put in front.

    Junk before the first frame is left out. Read only.
    """

    def __init__(self, file: BinaryIO, count: Count) -> None:
        self._file = file
        self._origin = count.start if count.lead != count.start else 0
        if count.tag is None:
            self._start, self._patch, replaced = count.start, _tag_frame(count), 0
        else:
            self._start, self._patch = count.tag.position, _tag_fields(count)
            replaced = len(self._patch)
        self._shift = len(self._patch) - replaced
        self._here = 0

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes: from before, in and after the patch."""
        here = self._here + self._origin
        end, patch_end = here + size, self._start + len(self._patch)
        data = b""
        if here < self._start:
            data += self._at(here, min(end, self._start) - here)
        if here < patch_end:
            data += self._patch[max(here - self._start, 0) : max(end - self._start, 0)]
        if end > patch_end:
            after = max(here, patch_end)
            data += self._at(after - self._shift, end - after)
        self._here += len(data)
        return data

    def write(self, data: bytes, /) -> int:
        """Never called."""
        raise NotImplementedError

    def seek(self, offset: int, whence: int, /) -> int:
        """The new position."""
        if whence == os.SEEK_END:
            offset += self._file.seek(0, os.SEEK_END) + self._shift - self._origin
        elif whence == os.SEEK_CUR:
            offset += self._here
        self._here = max(offset, 0)
        return self._here

    def tell(self) -> int:
        """The position."""
        return self._here

    def _at(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(size)


def count_frames(path: Path, lead: int) -> Count | None:
    """Count the frames of a layer III file from byte `lead` (after an ID3v2 tag) on.

    Returns:
        None where there are none: not an MP3, or one in free format.
    """
    with path.open("rb", buffering=_READ_AHEAD_BYTES) as file:
        found = _next_frame(file, lead, None, _LEAD_BYTES)
        if found is None:
            return None
        start, first = found
        size = file.seek(0, os.SEEK_END)
        stream_size = size - start - _id3v1_size(file, size)
        tag = _read_tag(file, start, first)
        frames, end = 0, start + (first.size if tag else 0)
        while (found := _next_frame(file, end, first, size)) is not None:
            end = found[0] + found[1].size
            frames += end <= size
        return Count(lead, start, first, frames, end > size, stream_size, tag)


def _id3v1_size(file: BinaryIO, size: int) -> int:
    file.seek(max(size - _ID3V1_BYTES, 0))
    return _ID3V1_BYTES if file.read(3) == b"TAG" else 0


def _next_frame(file: BinaryIO, position: int, like: Frame | None, within: int) -> tuple[int, Frame] | None:
    """Position and header of the first frame at or after `position`; one out of step must be followed by another."""
    file.seek(position)
    frame = _same_kind(file.read(4), like)
    if frame and (like or _follows(file, position, frame)):
        return position, frame
    limit = position + within
    while position < limit:
        file.seek(position)
        data = file.read(_SEARCH_BYTES)
        at = data.find(b"\xff")
        while 0 <= at < len(data) - 3:
            frame = _same_kind(data[at : at + 4], like)
            if frame and _follows(file, position + at, frame):
                return position + at, frame
            at = data.find(b"\xff", at + 1)
        if len(data) < _SEARCH_BYTES:
            return None
        position += len(data) - 3
    return None


def _same_kind(header: bytes, like: Frame | None) -> Frame | None:
    frame = Frame.parse(int.from_bytes(header, "big")) if len(header) == 4 else None
    return frame if frame and (like is None or not (frame.word ^ like.word) & _SAME) else None


def _follows(file: BinaryIO, position: int, frame: Frame) -> bool:
    """Whether another frame, or the end of the file, stands where this one ends."""
    file.seek(position + frame.size)
    header = file.read(4)
    return _same_kind(header, frame) is not None or header in (b"", b"APET") or header[:3] == b"TAG"


def _read_tag(file: BinaryIO, start: int, first: Frame) -> Tag | None:
    file.seek(start + first.tag_offset)
    tag = file.read(16)
    if tag[:4] not in (b"Xing", b"Info") or len(tag) < 16 or not tag[7] & _HAS_FRAMES:
        return None
    size = int.from_bytes(tag[12:], "big") if tag[7] & _HAS_BYTES else None
    return Tag(start + first.tag_offset + 8, int.from_bytes(tag[8:12], "big"), size)


def _tag_fields(count: Count) -> bytes:
    """What should stand where the tag counts frames (and bytes, which libmpg123 compares with the file)."""
    size = b"" if count.tag is None or count.tag.size is None else min(count.size, 0xFFFFFFFF).to_bytes(4, "big")
    return count.frames.to_bytes(4, "big") + size


def _tag_frame(count: Count) -> bytes:
    """A frame of silence with a Xing tag that has the count, as LAME would have put in front."""
    # the highest rate, without padding: always room for the tag
    word = count.first.word & ~0xF200 | _HIGHEST_KBPS_INDEX << 12 | _NO_CRC
    frame = Frame.of(word)
    tag = b"Xing" + _HAS_FRAMES.to_bytes(4, "big") + count.frames.to_bytes(4, "big")
    return (word.to_bytes(4, "big") + bytes(frame.tag_offset - 4) + tag).ljust(frame.size, b"\0")
