from __future__ import annotations

from pathlib import Path

import pytest

from musr_cli.errors import MusrError, UsageError
from musr_cli.metrics.pairing import pair_files


def tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def test_files_are_paired_whatever_their_names(tmp_path):
    pairing = pair_files(tmp_path / "original.wav", tmp_path / "restored.flac", tmp_path / "lr.wav")
    (pair,) = pairing.pairs
    assert (pair.name, pair.input) == ("restored", tmp_path / "lr.wav")
    assert not pairing.problems


def test_folders_are_matched_by_relative_stem(tmp_path):
    ref = tree(tmp_path / "ref", "a.wav", "disc 1/b.flac", "notes.txt", ".hidden.wav")
    est = tree(tmp_path / "est", "a.mp3", "disc 1/b.WAV", "disc 2/b.wav")
    pairing = pair_files(ref, est)
    assert [(pair.name, pair.ref.name, pair.est.name) for pair in pairing.pairs] == [
        ("a", "a.wav", "a.mp3"),
        ("disc 1/b", "b.flac", "b.WAV"),
    ]
    assert pairing.problems == {"disc 2/b": f"disc 2/b: no reference of this name in {ref}"}


def test_missing_inputs_and_estimates_are_named(tmp_path):
    ref = tree(tmp_path / "ref", "a.wav", "b.wav", "c.wav")
    est = tree(tmp_path / "est", "a.wav", "b.wav")
    low = tree(tmp_path / "low", "a.wav")
    pairing = pair_files(ref, est, low)
    assert [pair.name for pair in pairing.pairs] == ["a"]
    assert pairing.problems == {
        "b": f"b: no input of this name in {low}",
        "c": f"c: no estimate of this name in {est}",
    }


def test_two_files_of_one_stem_are_a_problem_of_that_name_only(tmp_path):
    ref = tree(tmp_path / "ref", "a.wav", "a.flac", "b.wav")
    est = tree(tmp_path / "est", "a.wav", "b.wav")
    pairing = pair_files(ref, est)
    assert [pair.name for pair in pairing.pairs] == ["b"]
    assert pairing.problems["a"] == f"a: 2 files of this name in {ref}, keep one of a.flac, a.wav"


def test_dots_in_names_are_part_of_them(tmp_path):
    ref = tree(tmp_path / "ref", "No. 5.wav", "No. 6.wav")
    est = tree(tmp_path / "est", "No. 5.flac", "No. 6.flac")
    assert [pair.name for pair in pair_files(ref, est).pairs] == ["No. 5", "No. 6"]


def test_a_file_beside_a_folder_and_empty_folders_are_refused(tmp_path):
    folder, empty = tree(tmp_path / "ref", "a.wav"), tree(tmp_path / "empty", "a.txt")
    with pytest.raises(UsageError, match="not both"):
        pair_files(folder, folder / "a.wav")
    with pytest.raises(MusrError, match="no audio files"):
        pair_files(folder, empty)
