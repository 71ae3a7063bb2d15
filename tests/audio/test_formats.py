"""The table of containers against libsndfile itself, and the choices made from it."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from musr_cli.audio.formats import (
    CONTAINERS,
    PIPE,
    READABLE_SUFFIXES,
    bits_of,
    container_named,
    container_of,
    refuse_impossible,
    subtype_for,
    suffix_of,
)
from musr_cli.errors import MusrError, UsageError


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=lambda c: c.name)
def test_libsndfile_knows_every_format_of_the_table(container: object) -> None:
    subtypes = container.subtypes.values() or [container.codec]  # type: ignore[attr-defined]
    assert all(soundfile.check_format(container.major, subtype) for subtype in subtypes)  # type: ignore[attr-defined]


def test_names_and_suffixes_lead_to_containers() -> None:
    assert [container_of(Path(name)) for name in ("a.wav", "a.FLAC", "x.y.aif", "a.opus")] == [
        "WAV", "FLAC", "AIFF", "OPUS",
    ]  # fmt: skip
    assert container_of(PIPE) == "WAV"
    assert [container_named(name) for name in ("wav", "FLAC", "aif", ".mp3")] == ["WAV", "FLAC", "AIFF", "MP3"]
    assert all(container_of(Path(f"a{suffix_of(name)}")) == name for name in CONTAINERS)
    assert {
        ".wav",
        ".flac",
        ".ogg",
        ".opus",
        ".mp3",
        ".aiff",
        ".aif",
        ".w64",
        ".rf64",
        ".au",
        ".caf",
    } <= READABLE_SUFFIXES


@pytest.mark.parametrize("name", ["a", "a.txt", "a.m4a"])
def test_a_name_that_says_no_format_is_refused_with_the_way_out(name: str) -> None:
    with pytest.raises(UsageError, match="--format"):
        container_of(Path(name))
    with pytest.raises(UsageError, match="wav, rf64"):
        container_named("m4a")


@pytest.mark.parametrize(
    ("container", "source", "written"),
    [
        ("WAV", "PCM_U8", "PCM_U8"),
        ("WAV", "PCM_S8", "PCM_U8"),
        ("AIFF", "PCM_U8", "PCM_S8"),
        ("WAV", "PCM_24", "PCM_24"),
        ("FLAC", "PCM_24", "PCM_24"),
        ("FLAC", "PCM_32", "PCM_24"),
        ("FLAC", "FLOAT", "PCM_24"),
        ("W64", "DOUBLE", "DOUBLE"),
        ("CAF", "ALAC_20", "PCM_24"),
        ("WAV", "VORBIS", "PCM_16"),
        ("WAV", "ULAW", "PCM_16"),
        ("OGG", "PCM_24", "VORBIS"),
        ("OPUS", "FLOAT", "OPUS"),
        ("MP3", "PCM_16", "MPEG_LAYER_III"),
    ],
)
def test_the_same_depth_is_kept_or_the_nearest_that_there_is(container: str, source: str, written: str) -> None:
    assert subtype_for(container, "same", source) == written


def test_a_depth_that_is_asked_for_is_given_or_refused() -> None:
    assert subtype_for("WAV", "float", "PCM_16") == "FLOAT"
    assert subtype_for("FLAC", 24, "PCM_16") == "PCM_24"
    with pytest.raises(UsageError, match="FLAC holds 8, 16, 24"):
        subtype_for("FLAC", "float")
    with pytest.raises(UsageError, match="MP3 has no bit depth"):
        subtype_for("MP3", "16")


@given(st.sampled_from(sorted(CONTAINERS)), st.sampled_from(("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT")))
def test_the_same_depth_never_loses_bits_where_the_container_could_hold_them(container: str, source: str) -> None:
    written, held = subtype_for(container, "same", source), CONTAINERS[container].subtypes.values()
    wanted = bits_of(source)
    if wanted and any((bits_of(subtype) or 0) >= wanted for subtype in held):
        assert (bits_of(written) or 0) >= wanted


@pytest.mark.parametrize(
    ("container", "rate", "channels", "message"),
    [
        ("OPUS", 44100, 2, "OPUS takes 8000, 12000, 16000, 24000, 48000 Hz, not 44100"),
        ("MP3", 96000, 2, "--rate"),
        ("MP3", 44100, 6, "up to 2 channels, not 6"),
        ("FLAC", 44100, 9, "up to 8 channels"),
        ("FLAC", 768000, 2, "up to 655350 Hz"),
        ("OGG", 384000, 2, "up to 192000 Hz"),
    ],
)
def test_what_a_container_cannot_take_is_refused_with_the_way_out(
    container: str, rate: int, channels: int, message: str
) -> None:
    with pytest.raises(MusrError, match=f"^a.x: .*{message}"):
        refuse_impossible(Path("a.x"), container, rate, channels)


def test_what_a_container_takes_is_not_refused() -> None:
    for container in CONTAINERS:
        refuse_impossible(Path("a.x"), container, 48000, 2)
