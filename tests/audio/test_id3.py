"""ID3 tags: measured as the standard says, and read back by libmpg123 in any script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from musr_cli.audio.id3 import encode_tag, tag_size
from musr_cli.audio.reading import open_source
from tests.audio.conftest import read_audio, write_audio


def test_tags_are_measured() -> None:
    assert tag_size(b"ID3\x04\x00\x00\x00\x00\x02\x01") == 10 + 257
    assert tag_size(b"ID3\x04\x00\x10\x00\x00\x02\x01") == 20 + 257
    assert tag_size(b"ID3") == tag_size(b"RIFF\0\0\0\0WAVE") == 0


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.sampled_from(("title", "artist", "comment", "license")), st.text(max_size=300), max_size=4))
def test_our_own_tags_have_the_length_they_say(tags: dict[str, str]) -> None:
    tag = encode_tag(tags)
    assert tag_size(tag) == len(tag)
    assert bool(tag) == any(key != "license" for key in tags)


def test_any_script_comes_back_from_an_mp3(noise: Any, tmp_path: Path) -> None:
    tags = {
        "title": "Étude № 3 — «Tristesse»", "artist": "Фредерик", "album": "夜想曲" * 30, "comment": "a\nb 🎹",
        "copyright": "© 1890", "date": "1890", "genre": "piano", "software": "x", "tracknumber": "3/12",
    }  # fmt: skip
    plain = read_audio(write_audio(tmp_path / "a.mp3", noise(9000), "MP3", depth="same"))
    path = write_audio(tmp_path / "b.mp3", noise(9000), "MP3", depth="same", tags=tags)
    with open_source(path) as source:
        assert source.info.tags == tags
    assert (read_audio(path) == plain).all()
