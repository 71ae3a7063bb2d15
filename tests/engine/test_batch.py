from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from musr_cli.engine import batch
from musr_cli.engine.batch import Encoding, FileResult, Note, Request, run_batch
from musr_cli.engine.enhancer import Enhancer, Settings
from musr_cli.engine.outputs import Task
from musr_cli.errors import MusrError, UnavailableError, UsageError
from tests.conftest import Music

RATE = 8000


class Recorder:
    """A watcher that keeps what it hears."""

    def __init__(self) -> None:
        self.notes: list[tuple[int, Note]] = []
        self.results: dict[int, FileResult] = {}

    def noted(self, index: int, note: Note) -> None:
        self.notes.append((index, note))

    def finished(self, index: int, result: FileResult) -> None:
        self.results[index] = result


def request(encoding: Encoding = Encoding(), dry_run: bool = False, **settings: object) -> Request:
    return Request(Settings(**{"model": "linear", "ratio": 2.0, **settings}), encoding, dry_run)  # type: ignore[arg-type]


@pytest.fixture
def tasks(tmp_path: Path, music: Music) -> list[Task]:
    """Three files of 1, 2 and 3 seconds; the second is not audio."""
    made = []
    for number in range(3):
        source = tmp_path / f"{number}.wav"
        soundfile.write(source, music(RATE, number + 1.0, seed=number).T, RATE)
        made.append(Task(source, tmp_path / "out" / f"{number}.wav"))
    (tmp_path / "1.wav").write_bytes(b"not audio")
    return made


def test_results_come_in_order_and_the_watcher_hears_all(tasks: list[Task]) -> None:
    heard = Recorder()
    results = run_batch(tasks, request(), 1, heard)
    assert [result.status for result in results] == ["done", "failed", "done"]
    assert list(heard.results.values()) == results
    assert [result.audio_s for result in results] == [1.0, 0.0, 3.0]
    assert "1.wav" in results[1].messages[0]
    assert results[1].exit_code == MusrError.exit_code
    assert "Traceback" in results[1].trace
    assert results[0].details["output_rate"] == 2 * RATE


def test_notes_run_from_nothing_towards_the_whole(tasks: list[Task], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "NOTE_EVERY_S", 0.0)
    heard = Recorder()
    run_batch(tasks, request(chunk_s=0.5), 1, heard)
    for index, audio_s in ((0, 1.0), (2, 3.0)):
        notes = [note for told, note in heard.notes if told == index]
        done = [note.done_s for note in notes]
        assert done[0] == 0
        assert done == sorted(done)
        assert done[-1] == audio_s
        assert {note.audio_s for note in notes} == {audio_s}


def test_one_enhancer_serves_all_files(tasks: list[Task], monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Enhancer] = []

    def make(settings: Settings) -> Enhancer:
        made.append(Enhancer(settings))
        return made[-1]

    monkeypatch.setattr(batch, "Enhancer", make)
    run_batch(tasks, request(), 1, Recorder())
    assert len(made) == 1


def test_a_dry_run_says_what_it_would_do(tasks: list[Task], tmp_path: Path) -> None:
    results = run_batch(tasks, request(dry_run=True), 1, Recorder())
    assert [result.status for result in results] == ["planned", "failed", "planned"]
    assert results[2].audio_s == 3.0
    assert not (tmp_path / "out").exists()


def test_a_full_band_file_is_untouched_and_written(tmp_path: Path, music: Music) -> None:
    source, out = tmp_path / "full.wav", tmp_path / "out.wav"
    soundfile.write(source, music(48000, 1.0).T, 48000)
    [result] = run_batch([Task(source, out)], request(model="sbr", ratio=1.0), 1, Recorder())
    assert result.status == "untouched"
    assert "left untouched" in result.messages[0]
    assert np.array_equal(soundfile.read(source)[0], soundfile.read(out)[0])


@pytest.mark.parametrize(("clip", "told"), [("warn", "clipped"), ("none", None), ("rescale", "lowered by")])
def test_level_changes_are_announced(tmp_path: Path, clip: str, told: str | None) -> None:
    # between the samples of a full-scale square lies more than full scale
    square = np.where(np.arange(RATE) // 20 % 2, 1.0, -1.0)
    soundfile.write(tmp_path / "in.wav", square, RATE, "PCM_16")
    encoding = Encoding(clip=clip)  # type: ignore[arg-type]
    task = Task(tmp_path / "in.wav", tmp_path / "out.wav")
    [result] = run_batch([task], request(encoding, model="sbr"), 1, Recorder())
    assert result.status == "done"
    assert [told in message for message in result.messages] == ([True] if told else [])


def test_what_makes_every_file_impossible_is_raised(tasks: list[Task]) -> None:
    with pytest.raises(UsageError, match="--phase"):
        run_batch(tasks, request(phase="sideways"), 1, Recorder())
    if not torch.cuda.is_available():
        with pytest.raises(UnavailableError, match="--device cuda"):
            run_batch(tasks, request(device="cuda"), 1, Recorder())


def test_a_file_whose_process_died_is_one_failed_file(tasks: list[Task]) -> None:
    heard = Recorder()
    collector = batch._Collector(tasks, heard)
    collector.lost(1, tasks[1])
    assert heard.results[1].status == "failed"
    assert "1.wav" in heard.results[1].messages[0]
    assert "--jobs" in heard.results[1].messages[0]
