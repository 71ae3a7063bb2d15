from __future__ import annotations

import base64
import io
import json
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musr_cli.audio.resampling import resample
from musr_cli.degrade import Degradation, response
from musr_cli.dsp.loudness import LoudnessMeter
from musr_cli.errors import MusrError, UsageError
from musr_cli.listening.design import Condition, Design, asked_by, build, minutes_of, page_data, plan_trials
from musr_cli.listening.recordings import Sources, draw_clips, find_recordings, make_design
from musr_cli.listening.stimuli import ANCHOR_FAMILY, ANCHOR_ORDER, TARGET_LUFS, Cut, cut_versions, level, with_anchors

RATE = 16_000


def design(kind: str, *systems: str, reference: bool = True, input: bool = False) -> Design:
    conditions = [Condition("reference", "reference")] if reference else []
    conditions += [Condition(name, "system") for name in systems]
    return Design(kind, "A title", "A question?", (*conditions, *([Condition("input", "input")] if input else [])))


def write(path: Path, x: np.ndarray, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, x.T, rate, subtype="FLOAT")
    return path


def lufs(x: np.ndarray, rate: int = RATE) -> float:
    meter = LoudnessMeter(rate, len(x))
    meter.push(x)
    return meter.lufs()


@pytest.fixture
def folders(tmp_path, music):
    """Three recordings, and what two systems made of them, one much softer than the other."""
    for index, name in enumerate("abc"):
        x = music(RATE, 3.0, seed=index)
        write(tmp_path / "ref" / f"{name}.wav", x)
        write(tmp_path / "new" / f"{name}.wav", 0.25 * x)
        write(tmp_path / "old" / f"{name}.wav", x[::-1])
    return tmp_path


# --- the plan ---


def test_an_ab_test_compares_all_pairs_of_systems_and_practises_once():
    trials = plan_trials(design("ab", "x", "y", "z"), ["one", "two", "three"])
    pairs = list(combinations("xyz", 2))
    assert [(trial.clip, trial.conditions) for trial in trials if trial.is_practice] == [("one", pairs[0])]
    counted = [(trial.clip, trial.conditions) for trial in trials if not trial.is_practice]
    assert counted == [(clip, pair) for clip in ("two", "three") for pair in pairs]
    assert {trial.conditions: trial.group for trial in trials} == {pair: group for group, pair in enumerate(pairs)}


def test_a_mos_test_has_a_screen_for_each_version_and_practises_the_whole_range():
    trials = plan_trials(design("mos", "x", input=True), ["one", "two"])
    expected = [("reference",), ("x",), ("input",)]
    assert [trial.conditions for trial in trials] == 2 * expected
    assert [trial.is_practice for trial in trials] == 3 * [True] + 3 * [False]


def test_a_mushra_test_has_a_screen_for_each_clip():
    trials = plan_trials(design("mushra", "x", "y"), ["one", "two"])
    assert [(trial.clip, trial.conditions, trial.is_practice) for trial in trials] == [
        ("one", ("reference", "x", "y"), True),
        ("two", ("reference", "x", "y"), False),
    ]


def test_one_clip_alone_counts():
    assert [trial.is_practice for trial in plan_trials(design("mushra", "x"), ["one"])] == [False]


def test_minutes_grow_with_screens_versions_and_seconds():
    asked = design("mushra", "x", "y")
    trials = plan_trials(asked, [str(number) for number in range(11)])
    # 11 screens of 4 versions (the open reference counts), 5 s each, one and a half times, and 6 s to decide
    assert minutes_of(asked, trials, 5.0) == round(11 * (4 * 7.5 + 6) / 60)


# --- the page's data ---


def audio(*names: str) -> dict[str, dict[str, str]]:
    return {clip: {name: f"sound of {name} in {clip}" for name in names} for clip in ("one", "two")}


def test_the_data_name_nothing_but_in_the_key():
    asked = design("mushra", "system-x", "system-y")
    data = page_data(asked, audio("reference", "system-x", "system-y"), seed=3)
    key = json.loads(base64.b64decode(data.pop("key")))
    sounds = data.pop("audio")
    told = json.dumps(data)
    assert not any(name in told for name in ("system-x", "system-y", '"one"', '"two"'))
    assert key["test"]["id"] == data["id"]
    assert [condition["name"] for condition in key["test"]["conditions"]] == ["reference", "system-x", "system-y"]
    for trial in data["trials"]:
        clip = key["clips"][trial["clip"]]
        assert [key["versions"][version] for version in trial["versions"]] == list(asked.rated)
        assert key["versions"][trial["reference"]] == "reference"
        for version, sound in sounds[trial["clip"]].items():
            assert sound == f"sound of {key['versions'][version]} in {clip}"
        assert list(sounds[trial["clip"]]) == sorted(sounds[trial["clip"]])


def test_the_same_test_has_the_same_id_and_any_other_another():
    asked, sounds = design("mos", "x"), audio("reference", "x")
    first = page_data(asked, sounds, 0)
    assert page_data(asked, sounds, 0) == first
    others = [
        page_data(asked, sounds, 1),
        page_data(design("mushra", "x"), sounds, 0),
        page_data(asked, {**sounds, "two": {"reference": "louder", "x": "x"}}, 0),
    ]
    assert len({first["id"], *(data["id"] for data in others)}) == 4


def test_a_page_tells_which_test_it_is(folders):
    cuts = [Cut("a", RATE, {"x": np.ones((1, RATE)), "y": np.ones((1, RATE))})]
    page = build(design("ab", "x", "y", reference=False), cuts)
    assert len(asked_by(page) or "") == 12
    assert asked_by(page.replace('"kind":"ab"', '"kind":"report"')) is None
    assert asked_by(page.replace('"kind":', '"kind"')) is None
    assert asked_by("<html>") is None


def test_the_page_holds_levelled_flac_of_one_rate(folders, music):
    x = music(RATE, 2.0)
    high = resample(x, RATE, 96_000)
    cuts = [Cut("a", RATE, {"x": x, "y": 0.1 * x}), Cut("b", 96_000, {"x": high, "y": 0.1 * high})]
    page = build(design("ab", "x", "y", reference=False), cuts)
    data = json.loads(page.split('id="data">')[1].split("</script>")[0])
    sounds = [sound for versions in data["audio"].values() for sound in versions.values()]
    for sound in sounds:
        y, rate = soundfile.read(io.BytesIO(base64.b64decode(sound)))
        assert (rate, data["rate"], soundfile.info(io.BytesIO(base64.b64decode(sound))).format) == (
            48_000,
            48_000,
            "FLAC",
        )
        assert lufs(y.T, rate) == pytest.approx(TARGET_LUFS, abs=0.1)
        assert not y[0].any()
    assert list(data["seconds"].values()) == [2.0, 2.0]


# --- sound ---


def test_all_versions_are_equally_loud_and_their_ends_faded(music):
    x = music(RATE, 2.0).astype(np.float64)
    levelled = level(Cut("a", RATE, {"x": x, "y": 0.05 * x, "z": np.sign(x) * np.abs(x) ** 0.5}))
    for y in levelled.versions.values():
        assert lufs(y) == pytest.approx(TARGET_LUFS, abs=0.1)
        assert not y[:, [0, -1]].any()
        assert np.abs(y).max() < 1
    # the middle is only scaled
    middle = slice(RATE, RATE + 100)
    ratio = levelled.versions["x"][:, middle] / levelled.versions["y"][:, middle]
    assert ratio == pytest.approx(np.ones_like(ratio), rel=1e-3)


def test_silence_stays_silent():
    levelled = level(Cut("a", RATE, {"x": np.zeros((1, RATE)), "y": np.zeros((1, RATE))}))
    assert not any(y.any() for y in levelled.versions.values())


@pytest.mark.parametrize("rate", [16_000, 32_000, 44_100, 48_000])
def test_the_anchor_is_that_of_the_standard(rate):
    """ITU-R BS.1534-3: 3.5 kHz, ±0.1 dB in the pass band, −25 dB at 4 kHz, −50 dB at 4.5 kHz."""
    frequencies, gain = response(Degradation(ANCHOR_FAMILY, 3500.0, ANCHOR_ORDER), rate)
    level_db = 20 * np.log10(np.maximum(gain, 1e-9))
    passed = level_db[frequencies <= 3500]
    assert passed.max() - passed.min() <= 0.201
    assert level_db[frequencies >= 4000].max() < -25
    assert level_db[frequencies >= 4500].max() < -50


def test_anchors_are_low_passed_references(music):
    x = music(RATE, 1.0)
    cut = with_anchors(Cut("a", RATE, {"reference": x, "new": x}), "reference", {"anchor 3.5 kHz": 3500.0})
    assert list(cut.versions) == ["reference", "new", "anchor 3.5 kHz"]
    spectrum = np.abs(np.fft.rfft(cut.versions["anchor 3.5 kHz"]))
    assert spectrum[:, 4500:].max() < 1e-3 * spectrum.max()
    assert cut.versions["anchor 3.5 kHz"].shape == x.shape


def test_the_loudest_part_is_cut_from_all_versions_alike(tmp_path, music):
    x = 0.01 * music(RATE, 10.0)
    x[:, 4 * RATE : 6 * RATE] *= 50
    late = np.concatenate([np.zeros((2, 320), np.float32), x], axis=1)[:, : x.shape[1]]
    files = {"reference": write(tmp_path / "r.wav", x), "new": write(tmp_path / "n.wav", late)}
    cut = cut_versions("a", files, 2.0, "reference")
    assert cut.versions["reference"] == pytest.approx(x[:, 4 * RATE : 6 * RATE], abs=1e-7)
    assert cut.versions["new"] == pytest.approx(x[:, 4 * RATE : 6 * RATE], abs=1e-7)
    assert len(cut.notes) == 1
    assert "320 samples (20.0 ms) late: aligned" in cut.notes[0]


def test_what_delays_leave_is_common_to_all(tmp_path, music):
    x = music(RATE, 3.0)
    late = np.concatenate([np.zeros((2, 300), np.float32), x[:, :-300]], axis=1)
    early = x[:, 500:]
    files = {name: write(tmp_path / f"{name}.wav", y) for name, y in {"x": x, "late": late, "early": early}.items()}
    cut = cut_versions("a", files, 60.0, "x")
    assert {y.shape[1] for y in cut.versions.values()} == {3 * RATE - 800}
    for y in cut.versions.values():
        assert y == pytest.approx(x[:, 500:-300], abs=1e-7)


def test_without_a_reference_the_highest_rate_is_kept(tmp_path, music):
    x = music(32_000, 2.0)
    files = {"low": write(tmp_path / "l.wav", resample(x, 32_000, RATE)), "high": write(tmp_path / "h.wav", x, 32_000)}
    cut = cut_versions("a", files, 1.0)
    assert (cut.sample_rate, list(cut.versions)) == (32_000, ["low", "high"])
    assert ["resampled from 16000 to 32000 Hz" in note for note in cut.notes] == [True]
    assert cut_versions("a", files, 1.0, expected="low").notes == ()


def test_recordings_that_are_too_short_say_so(tmp_path, music):
    files = {name: write(tmp_path / f"{name}.wav", music(RATE, 0.6)) for name in "xy"}
    with pytest.raises(MusrError, match=r"^song: only 0\.60 s"):
        cut_versions("song", files, 5.0)


# --- which recordings ---


def test_designs_name_their_conditions(folders):
    sources = Sources((folders / "new", folders / "old"), folders / "ref", folders / "input", (3500.0, 7000.0))
    asked = make_design("mushra", sources)
    assert [(condition.name, condition.role) for condition in asked.conditions] == [
        ("reference", "reference"),
        ("new", "system"),
        ("old", "system"),
        ("input", "input"),
        ("anchor 3.5 kHz", "anchor"),
        ("anchor 7 kHz", "anchor"),
    ]
    assert asked.rated == tuple(condition.name for condition in asked.conditions)
    assert make_design("ab", Sources(sources.systems, folders / "ref")).rated == ("new", "old")
    named = make_design("mos", Sources((folders / "x" / "input", folders / "y" / "input"), folders / "ref"), "T", "Q?")
    assert (named.title, named.question, named.rated[1:]) == ("T", "Q?", ("x/input", "y/input"))
    assert make_design("mos", Sources((folders / "input",), folders / "ref")).rated[1:] == ("input (system)",)


@pytest.mark.parametrize(
    ("kind", "systems", "reference", "input", "told"),
    [
        ("ab", ["new"], None, None, "name another folder after it"),
        ("ab", ["new", "new"], None, None, "named twice"),
        ("ab", ["new", "old"], None, "ref", "name it as one of them"),
        ("mos", ["new"], None, None, "with --reference"),
        ("mushra", ["new"], None, None, "with --reference"),
        ("mushra", ["new", "ref"], "ref", None, "named twice"),
    ],
)
def test_sources_that_do_not_fit_are_refused(folders, kind, systems, reference, input, told):
    places = [folders / name if name else None for name in (reference, input)]
    with pytest.raises(UsageError, match=told):
        make_design(kind, Sources(tuple(folders / name for name in systems), *places))


def test_too_many_versions_for_one_screen_are_refused(folders):
    with pytest.raises(UsageError, match="too many for one screen"):
        make_design("mushra", Sources(tuple(folders / str(number) for number in range(20)), folders / "ref"))


def test_recordings_are_those_that_all_folders_have(folders):
    (folders / "old" / "b.wav").unlink()
    write(folders / "new" / "d.wav", np.zeros((2, RATE), np.float32))
    sources = Sources((folders / "new", folders / "old"), folders / "ref")
    found = find_recordings(make_design("mos", sources), sources)
    assert list(found.files) == ["a", "c"]
    assert list(found.files["a"]) == ["reference", "new", "old"]
    assert found.files["a"]["old"] == folders / "old" / "a.wav"
    assert found.problems == {
        "b": f"b: no file of this name in {folders / 'old'}",
        "d": f"d: no file of this name in {folders / 'ref'}",
    }


def test_files_may_have_any_names(folders):
    sources = Sources((folders / "new" / "a.wav", folders / "old" / "b.wav"), folders / "ref" / "c.wav")
    found = find_recordings(make_design("mos", sources), sources)
    assert {name: [path.stem for path in files.values()] for name, files in found.files.items()} == {
        "c": ["c", "a", "b"]
    }


def draw(folders: Path, **options):
    sources = Sources((folders / "new", folders / "old"))
    asked = make_design("ab", sources)
    return draw_clips(asked, find_recordings(asked, sources), (), **{"clips": 1, "seconds": 1.0, "seed": 0, **options})


def test_clips_are_drawn_by_the_seed_and_replaced_where_they_fail(folders):
    first = draw(folders)
    names = [cut.name for cut in first.cuts]
    assert len(names) == 2
    assert [cut.name for cut in draw(folders).cuts] == names
    assert (
        Counter(tuple(cut.name for cut in draw(folders, seed=seed).cuts) for seed in range(10)).most_common(1)[0][1]
        < 10
    )
    (folders / "old" / f"{names[0]}.wav").write_bytes(b"no audio")
    asked: list[str] = []
    second = draw(folders, progress=asked.append)
    assert [cut.name for cut in second.cuts] == [name for name in asked if name != names[0]]
    assert len(second.cuts) == 2
    assert [*second.problems] == [names[0]]
    assert str(folders / "old" / f"{names[0]}.wav") in second.problems[names[0]]
