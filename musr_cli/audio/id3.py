"""ID3v2 tags: how long one is, and one of ours for MP3s, as LAME would write UTF-8 where players expect Latin-1."""

from __future__ import annotations

from collections.abc import Mapping

_FRAMES = {"title": b"TIT2", "artist": b"TPE1", "album": b"TALB", "comment": b"COMM", "copyright": b"TCOP",
           "date": b"TDRC", "genre": b"TCON", "software": b"TSSE", "tracknumber": b"TRCK"}  # fmt: skip
_UTF8 = b"\x03"
# of a comment: language not known, no description
_COMMENT = b"XXX\0"

_HEADER_BYTES = 10
_HAS_FOOTER = 0x10


def tag_size(head: bytes) -> int:
    """Bytes of the ID3v2 tag that a file begins with, header included (ID3v2.4 structure, section 3.1); 0 for none."""
    if head[:3] != b"ID3" or len(head) < _HEADER_BYTES:
        return 0
    size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    return size + _HEADER_BYTES * (2 if head[5] & _HAS_FOOTER else 1)


def encode_tag(tags: Mapping[str, str]) -> bytes:
    """An ID3v2.4 tag, empty where there is nothing to say; `tags` by the names of `AudioInfo.tags`."""
    frames = b"".join(_frame(_FRAMES[key], text) for key, text in tags.items() if key in _FRAMES)
    return b"ID3\x04\0\0" + _syncsafe(len(frames)) + frames if frames else b""


def _frame(name: bytes, text: str) -> bytes:
    content = _UTF8 + (_COMMENT if name == b"COMM" else b"") + text.encode()
    return name + _syncsafe(len(content)) + b"\0\0" + content


def _syncsafe(size: int) -> bytes:
    """28 bits in four bytes of seven (section 6.2)."""
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
