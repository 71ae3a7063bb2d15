from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musr_cli.engine.outputs import Existing, Plan, Selection, Task, plan_outputs
from musr_cli.errors import MusrError, UsageError

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, so that plans can be written with short relative names."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def pairs(plan: Plan) -> dict[str, str]:
    return {_posix(task.source): _posix(task.output) for task in plan.tasks}


def _posix(place: Path | str) -> str:
    return place if isinstance(place, str) else place.as_posix()


def test_a_file_becomes_the_file_that_was_named(here: Path) -> None:
    touch("a.wav")
    assert pairs(plan_outputs(["a.wav"], "new/b.flac")) == {"a.wav": "new/b.flac"}


def test_a_file_goes_into_a_folder(here: Path) -> None:
    touch("in/a.wav")
    Path("there").mkdir()
    assert pairs(plan_outputs(["in/a.wav"], "there")) == {"in/a.wav": "there/a.wav"}
    assert pairs(plan_outputs(["in/a.wav"], "new/")) == {"in/a.wav": "new/a.wav"}
    assert pairs(plan_outputs(["in/a.wav"], "new/", suffix=".flac")) == {"in/a.wav": "new/a.flac"}


def test_a_folder_becomes_a_mirrored_tree_of_its_audio_files(here: Path) -> None:
    touch(
        "in/b.wav",
        "in/a.FLAC",
        "in/cover.jpg",
        "in/disc 1/x.ogg",
        "in/disc 1/live/y.mp3",
        "in/._b.wav",
        "in/.trash/z.wav",
    )
    plan = plan_outputs(["in"], "out")
    assert list(pairs(plan).items()) == [
        ("in/a.FLAC", "out/a.FLAC"),
        ("in/b.wav", "out/b.wav"),
        ("in/disc 1/x.ogg", "out/disc 1/x.ogg"),
        ("in/disc 1/live/y.mp3", "out/disc 1/live/y.mp3"),
    ]
    assert list(pairs(plan_outputs(["in"], "out", selection=Selection(recursive=False)))) == ["in/a.FLAC", "in/b.wav"]


def test_several_inputs_go_into_a_folder_and_folders_keep_their_names(here: Path) -> None:
    touch("x/a.wav", "y/a.wav", "a.wav")
    assert pairs(plan_outputs(["x", "y", "a.wav"], "out")) == {
        "x/a.wav": "out/x/a.wav",
        "y/a.wav": "out/y/a.wav",
        "a.wav": "out/a.wav",
    }


def test_an_input_named_twice_is_done_once(here: Path) -> None:
    touch("a.wav", "b.wav")
    assert pairs(plan_outputs(["a.wav", "b.wav", "a.wav"], "out")) == {"a.wav": "out/a.wav", "b.wav": "out/b.wav"}


@pytest.mark.parametrize(
    ("pattern", "taken"),
    [
        ("*.flac", ["in/a.flac", "in/live/c.FLAC", "in/live/old/d.flac"]),
        ("live/*.flac", ["in/live/c.FLAC", "in/live/old/d.flac"]),
        ("live/**/*.flac", ["in/live/c.FLAC", "in/live/old/d.flac"]),
        ("**/*.flac", ["in/a.flac", "in/live/c.FLAC", "in/live/old/d.flac"]),
        ("[ab].*", ["in/a.flac", "in/b.raw"]),
    ],
)
def test_glob_chooses_files_of_a_folder(here: Path, pattern: str, taken: list[str]) -> None:
    touch("in/a.flac", "in/b.raw", "in/live/c.FLAC", "in/live/old/d.flac", "in/e.wav")
    assert list(pairs(plan_outputs(["in"], "out", selection=Selection(pattern)))) == taken


def test_patterns_in_the_input_are_expanded_as_not_every_shell_does(here: Path) -> None:
    touch("in/a.wav", "in/b.wav", "in/c.flac", "odd[1].wav")
    assert pairs(plan_outputs(["in/*.wav"], "out")) == {"in/a.wav": "out/a.wav", "in/b.wav": "out/b.wav"}
    assert pairs(plan_outputs(["odd[1].wav"], "o.wav")) == {"odd[1].wav": "o.wav"}
    with pytest.raises(MusrError, match=r"^in/\*\.aiff: nothing matches"):
        plan_outputs(["in/*.aiff"], "out")


@pytest.mark.parametrize("name", ["Symphony No. 5", "take.2"])
def test_a_new_format_replaces_audio_suffixes_only(here: Path, name: str) -> None:
    touch(f"in/{name}", f"in/{name}.wav")
    plan = plan_outputs([f"in/{name}"], "out/", suffix=".flac")
    assert pairs(plan) == {f"in/{name}": f"out/{name}.flac"}
    assert pairs(plan_outputs(["in"], "out", suffix=".flac")) == {f"in/{name}.wav": f"out/{name}.flac"}


def test_pipes(here: Path) -> None:
    touch("a.wav", "in/b.wav")
    assert plan_outputs(["-"], "-").tasks == (Task("-", "-"),)
    assert plan_outputs(["a.wav"], "-").tasks == (Task(Path("a.wav"), "-"),)
    assert plan_outputs(["-"], "out.wav").tasks == (Task("-", Path("out.wav")),)
    for inputs, out in (
        (["-", "a.wav"], "out"),
        (["in"], "-"),
        (["-"], "in"),
        (["-"], "new/"),
        (["a.wav", "in/b.wav"], "-"),
    ):
        with pytest.raises(UsageError, match="'-'"):
            plan_outputs(inputs, out)


def test_two_inputs_to_one_output_are_refused(here: Path) -> None:
    touch("in/a.wav", "in/a.flac", "x/a.wav")
    with pytest.raises(MusrError, match=r"a\.flac and .*a\.wav would both become .*a\.wav"):
        plan_outputs(["in"], "out", suffix=".wav")
    with pytest.raises(MusrError, match="would both become"):
        plan_outputs(["in/a.wav", "x/a.wav"], "out")
    assert not Path("out").exists()


def test_a_folder_onto_a_file_is_refused(here: Path) -> None:
    touch("in/a.wav", "b.wav", "out.wav")
    with pytest.raises(MusrError, match=r"^out\.wav: is a file"):
        plan_outputs(["in"], "out.wav", existing=Existing.REPLACE)
    with pytest.raises(MusrError, match=r"^out\.wav: is a file"):
        plan_outputs(["in/a.wav", "b.wav"], "out.wav", existing=Existing.REPLACE)
    with pytest.raises(MusrError, match=r"out\.wav is not a folder"):
        plan_outputs(["b.wav"], "out.wav/c.wav")


@pytest.mark.parametrize("out", ["in", "in/out", "in/sub/../deep/out", "./in"])
def test_an_output_inside_the_input_tree_is_refused(here: Path, out: str) -> None:
    touch("in/a.wav", "in/sub/b.wav")
    with pytest.raises(MusrError, match="lies inside the input folder in"):
        plan_outputs(["in"], out, existing=Existing.REPLACE, suffix=".flac")


def test_the_parent_of_the_input_is_a_fine_output(here: Path) -> None:
    touch("all/in/a.wav")
    assert pairs(plan_outputs(["all/in"], "all")) == {"all/in/a.wav": "all/a.wav"}


@pytest.mark.parametrize("existing", list(Existing))
def test_an_input_is_never_an_output(here: Path, existing: Existing) -> None:
    touch("a.wav", "b/a.wav", "b/c.wav")
    for inputs, out in (
        (["a.wav"], "a.wav"),
        (["b/a.wav"], "b/../b/a.wav"),
        (["a.wav"], "."),
        (["a.wav"], str(here / "a.wav")),
        (["x.wav", "b/c.wav"], "b"),
    ):
        with pytest.raises(MusrError, match=r"is the input .* itself"):
            plan_outputs(inputs, out, existing=existing)


@needs_links
def test_links_to_the_input_are_seen_through(here: Path) -> None:
    touch("a.wav", "in/b.wav", "x/lone.wav")
    Path("symbolic.wav").symlink_to("a.wav")
    os.link("a.wav", "hard.wav")
    Path("linked").symlink_to("in")
    for inputs, out in ((["a.wav"], "symbolic.wav"), (["symbolic.wav"], "a.wav"), (["a.wav"], "hard.wav")):
        with pytest.raises(MusrError, match="is the input"):
            plan_outputs(inputs, out, existing=Existing.REPLACE)
    os.link("in/b.wav", "lone.wav")
    with pytest.raises(MusrError, match=r"^lone\.wav: is the input .*b\.wav"):
        plan_outputs(["in/b.wav", "x/lone.wav"], ".", existing=Existing.REPLACE)
    with pytest.raises(MusrError, match="lies inside"):
        plan_outputs(["in"], "linked", existing=Existing.REPLACE)


@needs_links
def test_links_are_followed_but_loops_end(here: Path) -> None:
    touch("in/a.wav", "elsewhere/b.wav")
    Path("in/up").symlink_to("..")
    Path("in/self").symlink_to(".")
    Path("in/music").symlink_to("../elsewhere")
    Path("elsewhere/back").symlink_to("../in")
    Path("in/loop.wav").symlink_to("loop.wav")
    sources = list(pairs(plan_outputs(["in"], str(here.parent / "out"))))
    assert "in/a.wav" in sources
    assert "in/music/b.wav" in sources
    # a link that leads nowhere is tried, so that its failure is told
    assert "in/loop.wav" in sources
    assert not any("self" in source or "back" in source for source in sources)


@pytest.mark.skipif(sys.platform == "win32" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may all")
def test_folders_without_permission_are_told(here: Path) -> None:
    touch("in/a.wav", "in/secret/b.wav")
    Path("out").mkdir()
    Path("in/secret").chmod(0)
    Path("out").chmod(0o500)
    try:
        with pytest.raises(MusrError, match="no permission to write"):
            plan_outputs(["in"], "out")
        plan = plan_outputs(["in"], "new")
        assert list(pairs(plan)) == ["in/a.wav"]
        assert plan.unreadable[0][0] == Path("in/secret")
    finally:
        Path("in/secret").chmod(0o700)
        Path("out").chmod(0o700)


def test_existing_outputs_are_refused_and_named(here: Path) -> None:
    names = [f"{n}.wav" for n in range(6)]
    touch(*(f"in/{name}" for name in names), *(f"out/{name}" for name in names[:4]))
    with pytest.raises(MusrError) as refused:
        plan_outputs(["in"], "out")
    told = str(refused.value).replace("\\", "/")
    assert told == (
        "4 of 6 outputs exist already (out/0.wav, out/1.wav, out/2.wav …);"
        " --overwrite replaces, --skip-existing leaves them"
    )
    assert len(plan_outputs(["in"], "out", existing=Existing.REPLACE).tasks) == 6
    resumed = plan_outputs(["in"], "out", existing=Existing.SKIP)
    assert list(pairs(resumed)) == ["in/4.wav", "in/5.wav"]
    assert [task.source for task in resumed.skipped] == [Path(f"in/{n}.wav") for n in range(4)]


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="POSIX devices")
def test_devices_exist_without_being_in_the_way(here: Path) -> None:
    touch("a.wav")
    assert pairs(plan_outputs(["a.wav"], "/dev/null")) == {"a.wav": "/dev/null"}


def test_a_folder_in_the_place_of_an_output_is_refused(here: Path) -> None:
    touch("in/a.wav", "out/a.wav/b")
    with pytest.raises(MusrError, match="a folder is in the place"):
        plan_outputs(["in"], "out", existing=Existing.REPLACE)


def test_a_folder_without_audio_is_an_error_that_says_what_was_looked_for(here: Path) -> None:
    touch("in/cover.jpg", "in/sub/a.wav")
    with pytest.raises(MusrError, match=r"^in: no audio files .* --no-recursive"):
        plan_outputs(["in"], "out", selection=Selection(recursive=False))
    with pytest.raises(MusrError, match=r"^in: no file matches --glob '\*.xyz'$"):
        plan_outputs(["in"], "out", selection=Selection("*.xyz"))


names = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)


@given(files=st.sets(names.map(lambda name: f"{name}.wav"), min_size=1, max_size=8))
def test_a_tree_is_mirrored_one_to_one(files: set[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("tree")
    touch(*(str(root / "in" / file) for file in files))
    plan = plan_outputs([str(root / "in")], str(root / "out"))
    assert {Path(task.output).relative_to(root / "out").as_posix() for task in plan.tasks} == files
    for task in plan.tasks:
        assert Path(task.source).relative_to(root / "in") == Path(task.output).relative_to(root / "out")
