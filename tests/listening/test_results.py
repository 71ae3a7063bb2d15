from __future__ import annotations

import copy
import csv
import io
import json

import numpy as np
import pytest
from scipy import stats

from musr_cli.errors import MusrError, UsageError
from musr_cli.listening import tables
from musr_cli.listening.outcome import evaluate_sessions
from musr_cli.listening.picture import draw_outcome
from musr_cli.listening.results import find_results, parse_session, read_sessions, session_name, slug
from tests.listening.answers import CLIPS, preferring, rating, results, save


def fair(condition: str, clip: int) -> float:
    """A listener of a MUSHRA test who hears everything."""
    return {"reference": 100, "new": 80 - clip, "old": 60, "input": 40, "anchor 3.5 kHz": 20}[condition]


def rough(condition: str, clip: int) -> float:
    """The same in a MOS test."""
    return {"reference": 5, "new": 4, "old": 3, "input": 2}[condition]


# --- reading ---


def test_what_the_page_writes_is_read():
    session = parse_session(json.dumps(preferring("Ann", 7, remarks="fine")), "a.json")
    assert (session.source, session.listener, session.remarks, session.device) == (
        "a.json",
        "Ann",
        "fine",
        "headphones",
    )
    assert session.design.rated == ("new", "old")
    assert [one.chosen for one in session.preferences] == 7 * ["new"] + 3 * ["old"]
    assert [one.first for one in session.preferences[:2]] == ["new", "old"]
    assert parse_session(json.dumps(rating("mushra", "Bo", fair)), "b").ratings[1].value == 80


def changed(kind: str, *path: str | int, to: object = None):
    """Results with one field replaced, or left out."""
    file = copy.deepcopy(
        preferring("Ann", 7) if kind == "ab" else rating(kind, "Ann", rough if kind == "mos" else fair)
    )
    place = file
    for step in path[:-1]:
        place = place[step]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return file


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ([1, 2], "it is no object"),
        ({}, "it has no 'format'"),
        (changed("ab", "format", to="other"), "'format' of it is none of musr-listening-test"),
        (changed("ab", "schema", to=2), "schema 2 is not 1"),
        (changed("ab", "schema", to=True), "'schema' of it is no number"),
        (changed("ab", "test", "kind", to="abx"), "'kind' of 'test' is none of ab, mos, mushra"),
        (changed("ab", "test", "id", to=3), "'id' of 'test' is no text"),
        (changed("ab", "test", "title", to="x" * 10_001), "'title' of 'test' is no text"),
        (changed("ab", "listener", "name", to="a\ud800"), "'name' of 'listener' is no text"),
        (changed("ab", "test", "conditions", to={}), "'conditions' of 'test' is no list"),
        (changed("ab", "test", "conditions", 0, "role", to="judge"), "'role' of 'conditions' 1 is none of"),
        (changed("ab", "test", "conditions", 1, "name", to="new"), "two conditions share a name"),
        (changed("ab", "listener", "name"), "'listener' has no 'name'"),
        (changed("ab", "answers", to=[]), "there are no answers"),
        (changed("ab", "answers", 3, "chosen", to="neither"), "'chosen' of 'answers' 4 is none of old, new"),
        (changed("ab", "answers", 3, "first", to="new"), "'new' is compared with itself"),
        (changed("ab", "answers", 3, "clip", to="song 1"), "judged twice"),
        (changed("mos", "answers", 0, "ratings", "reference", to=6), "6 is not between 1 and 5"),
        (changed("mushra", "answers", 0, "ratings", "new", to=-1), "-1 is not between 0 and 100"),
        (changed("mushra", "answers", 0, "ratings", "new", to="80"), "'new' of 'ratings' is no number"),
        (changed("mushra", "answers", 0, "ratings", "new", to=float("nan")), "'new' of 'ratings' is no number"),
        (changed("mushra", "answers", 0, "ratings", to={"spam": 1}), "'spam' is no condition"),
        (changed("mushra", "answers", 0, "clip", to="song 2"), "judged twice"),
    ],
)
def test_anything_else_is_refused_in_one_line(file, told):
    with pytest.raises(MusrError) as refusal:
        parse_session(json.dumps(file), "x.json")
    assert str(refusal.value).startswith("x.json: not results of a listening test: ")
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("text", ["", "{", "null", "[" * 100_000, '"\\ud800"'])
def test_damaged_files_are_refused(text):
    with pytest.raises(MusrError, match="not results of a listening test"):
        parse_session(text, "x.json")


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(MusrError, match=r"missing\.json: cannot be read"):
        read_sessions([tmp_path / "missing.json"])
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    with pytest.raises(MusrError, match=r"bytes\.json: .*it is no text"):
        read_sessions([tmp_path / "bytes.json"])


def test_folders_stand_for_the_results_in_them(tmp_path):
    paths = save(tmp_path / "in", preferring("a", 5), preferring("b", 5))
    (tmp_path / "in" / ".hidden.json").touch()
    (tmp_path / "in" / "notes.txt").touch()
    assert find_results([tmp_path / "in", paths[0]]) == paths
    assert find_results([tmp_path / "in" / "results-*.json"]) == paths
    assert find_results([tmp_path / "none-*.json"]) == [tmp_path / "none-*.json"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(MusrError, match=r"empty: no results \(\.json\)"):
        find_results([tmp_path / "empty"])


def test_results_of_two_tests_are_refused_by_name(tmp_path):
    other = preferring("b", 5)
    other["test"] |= {"id": "ba9876543210", "title": "Organ"}
    with pytest.raises(UsageError) as refusal:
        read_sessions(save(tmp_path, preferring("a", 5), other))
    assert str(refusal.value) == (
        f"{tmp_path / 'results-b.json'}: results of 'Organ' (ab, test ba9876543210), but "
        f"{tmp_path / 'results-a.json'} is of "
        "'Piano, restored' (ab, test 0123456789ab); analyse one test at a time"
    )


def test_a_session_that_is_there_twice_counts_once(tmp_path):
    later = preferring("a", 9, finished="2026-01-01T11:00:00.000Z")
    paths = save(tmp_path / "x", preferring("a", 5), preferring("b", 5)) + save(tmp_path / "y", later)
    collection = read_sessions(paths)
    assert [(one.listener, one.source) for one in collection.sessions] == [("a", str(paths[2])), ("b", str(paths[1]))]
    assert collection.notes == (f"{paths[0]}: the same session as {paths[2]}: counted once",)


def test_two_listeners_of_one_name_both_count(tmp_path):
    one, two = preferring("a", 5), preferring("a", 6)
    two["listener"]["id"] = "another"
    collection = read_sessions(save(tmp_path / "x", one) + save(tmp_path / "y", two))
    assert len(collection.sessions) == 2
    assert "2 sessions under this name" in collection.notes[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ann B.", "ann-b"),
        ("../../etc/passwd", "etc-passwd"),
        ("Éva  Nő", "éva-nő"),
        ("…", "unnamed"),
        ("x" * 99, "x" * 40),
    ],
)
def test_names_of_files_are_harmless(text, expected):
    assert slug(text) == expected
    session = parse_session(json.dumps(preferring(text, 5)), "x")
    assert session_name(session) == f"results-piano-restored-{expected}.json"
    assert session_name(session, 3) == f"results-piano-restored-{expected}-3.json"


# --- preferences ---


def sessions(tmp_path, *files):
    return read_sessions(save(tmp_path, *files))


def test_preferences_are_counted_and_tested(tmp_path):
    wins = {"a": 9, "b": 8, "c": 5, "d": 4}
    outcome = evaluate_sessions(sessions(tmp_path, *(preferring(name, count) for name, count in wins.items())))
    (contest,) = outcome.contests
    assert (contest.first, contest.second, contest.all.wins, contest.all.answers) == ("new", "old", 26, 40)
    expected = stats.binomtest(26, 40)
    interval = expected.proportion_ci(method="exact")
    assert (contest.all.p, contest.all.low, contest.all.high) == pytest.approx(
        (expected.pvalue, interval.low, interval.high)
    )
    # Clopper & Pearson, from the beta distribution
    bounds = stats.beta.ppf(0.025, 26, 15), stats.beta.ppf(0.975, 27, 14)
    assert (contest.all.low, contest.all.high) == pytest.approx(bounds)
    assert contest.p_holm == contest.all.p
    # c is undecided
    assert (contest.listeners.wins, contest.listeners.answers) == (2, 3)
    assert {clip: (share.wins, share.answers) for clip, share in contest.by_clip.items()} == {
        clip: (sum(place < count for count in wins.values()), 4) for place, clip in enumerate(CLIPS)
    }
    shown_first = sum((place % 2 == 0) == (place < count) for count in wins.values() for place in range(10))
    assert (outcome.position.wins, outcome.position.answers) == (shown_first, 40)


def test_three_systems_are_corrected_for_their_pairs(tmp_path):
    order = ["x", "y", "z"]
    answers = [
        {"clip": clip, "first": first, "second": second, "chosen": min(first, second)}
        for clip in CLIPS
        for first, second in (("x", "y"), ("z", "y"), ("z", "x"))
    ]
    file = results("ab", "a", answers)
    file["test"]["conditions"] = [{"name": name, "role": "system"} for name in order]
    contests = evaluate_sessions(sessions(tmp_path, file)).contests
    assert [(one.first, one.second) for one in contests] == [("x", "y"), ("x", "z"), ("y", "z")]
    p = stats.binomtest(10, 10).pvalue
    assert [one.p_holm for one in contests] == pytest.approx([3 * p] * 3)


# --- ratings ---


def test_opinions_are_averaged_over_listeners(tmp_path):
    files = [
        rating("mushra", str(number), lambda name, clip, n=number: min(fair(name, clip) + n, 100))
        for number in range(8)
    ]
    outcome = evaluate_sessions(sessions(tmp_path, *files))
    by_name = {opinion.condition: opinion for opinion in outcome.opinions}
    assert list(by_name) == ["reference", "new", "old", "input", "anchor 3.5 kHz"]
    new = by_name["new"]
    values = [80 - clip + number for number in range(8) for clip in range(10)]
    assert new.mean == pytest.approx(np.mean(values))
    assert new.quartiles == pytest.approx(tuple(np.percentile(values, [25, 50, 75])))
    # listeners differ, clips do the same for all: the interval is that of 8 means, not of 80 ratings
    means = np.array([np.mean([80 - clip + number for clip in range(10)]) for number in range(8)])
    error = means.std() / np.sqrt(8)
    assert new.high - new.low == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert new.by_clip["song 3"] == pytest.approx(78 + 3.5)
    assert outcome.screened == ()


def test_systems_and_input_are_compared_in_pairs_of_the_same_listeners(tmp_path):
    files = [
        rating("mushra", str(number), lambda name, clip, n=number: max(fair(name, clip) - n * (name == "old"), 0))
        for number in range(8)
    ]
    outcome = evaluate_sessions(sessions(tmp_path, *files))
    assert [(one.first, one.second) for one in outcome.differences] == [
        ("new", "old"),
        ("new", "input"),
        ("old", "input"),
    ]
    first = outcome.differences[0]
    assert first.test.mean == pytest.approx(np.mean([80 - clip - 60 + n for n in range(8) for clip in range(10)]))
    # 8 listeners of one opinion: the smallest p of a signed-rank test of 8
    assert (first.listeners, first.test.p) == (8, pytest.approx(2 / 2**8))
    assert first.test.p_holm == pytest.approx(3 * 2 / 2**8)


def test_one_listener_has_no_interval(tmp_path):
    outcome = evaluate_sessions(sessions(tmp_path, rating("mos", "a", rough)))
    assert [(one.low, one.high) for one in outcome.opinions] == [(None, None)] * 4
    assert outcome.differences[0].test.p is None
    assert "–" in tables.as_text(outcome)


@pytest.mark.parametrize(("kind", "opinion", "limit"), [("mushra", fair, 90), ("mos", rough, 4)])
def test_who_misses_the_hidden_reference_is_named_and_left_out(tmp_path, kind, opinion, limit):
    """ITU-R BS.1534-3: more than 15 % of the items below 90; 1 of 10 is not, 2 of 10 are."""

    def missing(count: int):
        return lambda name, clip: limit - 1 if name == "reference" and clip < count else opinion(name, clip)

    files = [rating(kind, f"misses {count}", missing(count)) for count in (0, 1, 2)]
    collection = sessions(tmp_path, *files)
    outcome = evaluate_sessions(collection)
    assert [(one.listener, one.failed, one.items) for one in outcome.screened] == [("misses 2", 2, 10)]
    assert [session.listener for session in outcome.sessions] == ["misses 0", "misses 1"]
    note = tables.screening_note(outcome)
    assert (
        note
        == f"hidden reference not recognised by misses 2: below {limit} in 2 of 10: left out (--keep-all counts them)"
    )
    kept = evaluate_sessions(collection, keep_all=True)
    assert len(kept.sessions) == 3
    assert tables.screening_note(kept).endswith("counted all the same")


def test_where_all_miss_it_they_count_and_are_named(tmp_path):
    file = rating("mos", "a", lambda name, clip: 1)
    outcome = evaluate_sessions(sessions(tmp_path, file))
    assert (len(outcome.sessions), outcome.is_kept) == (1, True)
    assert "below 4 in 10 of 10: counted all the same" in tables.screening_note(outcome)


# --- telling ---


def test_the_table_of_preferences(tmp_path):
    outcome = evaluate_sessions(sessions(tmp_path, *(preferring(name, 8) for name in "abcdef")))
    lines = tables.as_text(outcome).splitlines()
    assert lines[0] == "Piano, restored (AB): 6 listeners, 10 clips; Which is better?"
    assert lines[3].split() == [
        "new",
        "old",
        "80.0",
        "%",
        "67.7",
        "…",
        "89.2",
        "%",
        "<",
        "0.001",
        "<",
        "0.001",
        "60",
        "6",
        "of",
        "6",
        "0.031",
    ]
    assert "A, whichever system it was, was chosen in 50.0 % of all answers (p 1.000)" in lines[-1]


def test_the_table_of_opinions(tmp_path):
    outcome = evaluate_sessions(sessions(tmp_path, *(rating("mos", name, rough) for name in "abcdef")))
    lines = tables.as_text(outcome).splitlines()
    assert lines[3].split() == ["reference", "5.00", "5.00", "…", "5.00", "5", "5", "…", "5", "60"]
    assert lines[-3].split() == ["new", "−", "old", "1.00", "1.00", "…", "1.00", "0.031", "0.094", "6"]


@pytest.mark.parametrize("kind", ["ab", "mos", "mushra"])
def test_json_csv_and_picture_hold_every_kind(tmp_path, kind):
    opinion = rough if kind == "mos" else fair
    files = [preferring(name, 8) if kind == "ab" else rating(kind, name, opinion) for name in "ab"]
    outcome = evaluate_sessions(sessions(tmp_path, *files))
    told = json.loads(json.dumps(tables.as_json(outcome, ["a note"])))
    assert told["test"]["kind"] == kind
    assert [listener["name"] for listener in told["listeners"]] == ["a", "b"]
    assert told["notes"] == ["a note"]
    rows = list(csv.DictReader(io.StringIO(tables.as_csv(outcome))))
    assert len(rows) == 2 * 10 * len(files[0]["test"]["conditions"] if kind != "ab" else [1])
    assert set(rows[0]) > {"listener", "listener_id", "clip"}
    drawn = io.BytesIO()
    draw_outcome(outcome, drawn, "svg")
    picture = drawn.getvalue().decode()
    for name in ("Piano, restored", "2 listeners, 10 clips", "new", "old"):
        assert name in picture
    again = io.BytesIO()
    draw_outcome(outcome, again, "svg")
    assert again.getvalue() == drawn.getvalue()


def test_names_are_drawn_as_they_are(tmp_path):
    file = preferring("a", 8)
    text = json.dumps(file).replace('"new"', '"$x_1$ and a name that goes on and on"')
    (tmp_path / "a.json").write_text(text)
    drawn = io.BytesIO()
    draw_outcome(evaluate_sessions(read_sessions([tmp_path / "a.json"])), drawn, "svg")
    assert "$x_1$ and a name that goe…" in drawn.getvalue().decode()
