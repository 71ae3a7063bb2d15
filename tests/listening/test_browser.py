"""The listening test as listeners meet it: from the first click to the analysed figure, in a real browser."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from musr_cli.app import app
from tests.browser import DESKTOP, PHONE, Browser
from tests.conftest import make_music

RATE = 44_100

# what listeners of these tests think
MEANS = {"reference": 100, "new-system": 70, "old-system": 30, "anchor 3.5 kHz": 10}
SCORES = {"reference": 5, "new-system": 4, "old-system": 2}

KEY = "const key = JSON.parse(atob(data.key));"


def musr(*args: str | Path):
    result = CliRunner().invoke(app, ["listen", *map(str, args)])
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    """A page of each kind: three clips, one of them for practice."""
    folder = tmp_path_factory.mktemp("listen")
    rng = np.random.default_rng(0)
    for index in range(3):
        x = make_music(RATE, 1.5, seed=index)
        versions = {
            "reference": x,
            "new-system": x[:, ::-1],
            "old-system": 0.3 * x + 0.01 * rng.standard_normal(x.shape),
        }
        for name, y in versions.items():
            path = folder / name / f"song-{index}.wav"
            path.parent.mkdir(exist_ok=True)
            soundfile.write(path, y.T, RATE)
    systems, reference = [folder / "new-system", folder / "old-system"], ["--reference", folder / "reference"]
    made = {kind: folder / f"{kind}.html" for kind in ("ab", "mos", "mushra")}
    for kind, page in made.items():
        given = [] if kind == "ab" else reference
        # a screen for each version: one clip less is as much to do
        clips = 1 if kind == "mos" else 2
        musr(*systems, *given, "--test", kind, "-o", page, "--title", f"Trial {kind}", "--clips", clips, "-q")
    return made


class Listener:
    """Someone in front of the browser."""

    def __init__(self, browser: Browser, page: Path | str) -> None:
        self.browser = browser
        self.arrive(page)

    def arrive(self, page: Path | str) -> None:
        self.browser.open(page)
        self.hurry()

    def hurry(self) -> None:
        """Listen a shorter time than people have to."""
        self.browser.run("data.heard_s = 0.15")

    def start(self, name: str) -> None:
        self.browser.type("#name", name)
        self.browser.click("#start")
        self.browser.wait("return item !== null")

    def versions(self) -> list[str]:
        """Conditions in the order of this screen, which only the key knows."""
        return self.browser.run(
            f"{KEY} return item.slots.map((slot) => (slot.isRated ? '' : '! ') + key.versions[slot.version])"
        )

    def hear_all(self) -> None:
        for index in range(self.browser.run("return item.slots.length")):
            self.browser.run("return item.choose(item.slots[arguments[0]])", index)
            self.browser.wait("return item.isHeard(item.slots[arguments[0]])", index)

    def rate(self) -> None:
        """Answer as `MEANS` and `SCORES` say."""
        kind, rated = self.browser.run("return data.kind"), [name for name in self.versions() if name[0] != "!"]
        if kind == "ab":
            self.browser.find_all(".choice input")[rated.index("new-system")].click()
        elif kind == "mos":
            self.browser.click(f".choice input[value='{SCORES[rated[0]]}']")
        else:
            for slider, name in zip(self.browser.find_all(".row input"), rated, strict=True):
                set_value = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))"
                self.browser.run(set_value, slider, MEANS[name])

    def answer(self) -> None:
        """One screen."""
        self.hear_all()
        self.rate()
        place = self.browser.run("return session.place")
        self.browser.click("#next")
        assert self.browser.run("return session.place") == place + 1, self.browser.shown()

    def answer_all(self) -> None:
        while self.browser.run("return item !== null"):
            self.answer()


def names_anything(browser: Browser) -> bool:
    """Whether what is shown or told to screen readers gives a system away."""
    shown = browser.run(
        "const body = document.body.cloneNode(true); body.querySelector('#data').remove(); return body.outerHTML"
    )
    return any(name in shown for name in ("new-system", "old-system", "song-", "anchor"))


# --- from the first click to the figure ---


@pytest.mark.parametrize("kind", ["ab", "mos", "mushra"])
def test_from_the_first_click_to_the_analysed_figure(browser, pages, tmp_path, kind):
    listener = Listener(browser, pages[kind])
    assert browser.text("h1") == f"Trial {kind}"
    browser.click("#start")
    assert browser.run("return session") is None, "nobody starts without a name"
    listener.start("Ann Ö.")
    assert browser.text("h2").startswith("Practice")
    assert not names_anything(browser)

    # nothing is rated before it is heard
    assert all(not control.is_enabled() for control in browser.find_all(".rating input"))
    browser.click("#next")
    assert browser.run("return session.place") == 0
    assert browser.text("#todo").startswith("First listen to")
    assert browser.text("#todo") in browser.run("return document.getElementById('announce').textContent")

    # the practice, then the first screen that counts; a reload in the middle of it
    while browser.run("return item.trial.practice"):
        listener.answer()
    assert "answers count" in browser.text("#screen")
    listener.hear_all()
    before = listener.versions()
    browser.reload()
    listener.hurry()
    assert "Ann Ö. has done" in browser.text("#screen")
    browser.click("#resume")
    assert listener.versions() == before
    assert browser.run("return item.slots.every((slot) => item.isHeard(slot))"), "what was heard is remembered"
    listener.answer_all()

    # back, and on
    browser.click("#back")
    assert browser.text("#todo").startswith("Done")
    browser.click("#next")
    browser.type("#remarks", "Very nice.")
    assert not names_anything(browser)
    browser.click("#finish")
    assert "Thank you, Ann Ö." in browser.text("#screen")
    browser.click("#download")
    file = browser.downloaded("*.json")
    assert file.name == f"results-trial-{kind}-ann-ö.json"

    written = json.loads(file.read_text(encoding="utf-8"))
    assert (written["listener"]["name"], written["remarks"]) == ("Ann Ö.", "Very nice.")
    clips = {answer["clip"] for answer in written["answers"]}
    assert len(clips) == (1 if kind == "mos" else 2)
    assert not clips & {answer["clip"] for answer in written["practice"]}
    figure = tmp_path / "figure.png"
    result = musr("--analyse", file, "-o", figure)
    assert figure.read_bytes().startswith(b"\x89PNG")
    rows = [line.split("  ") for line in result.stdout.splitlines()]
    table = {row[0]: [cell.strip() for cell in row[1:] if cell.strip()] for row in rows if len(row) > 2}
    if kind == "ab":
        assert table["new-system"][:2] == ["old-system", "100.0 %"]
    else:
        expected = SCORES if kind == "mos" else MEANS
        assert {name: float(table[name][0]) for name in expected} == expected


def test_switching_keeps_the_place_in_the_music(browser, pages):
    listener = Listener(browser, pages["mushra"])
    listener.start("Bo")
    browser.click("#play")
    browser.wait("return item.player.time > 0.3")
    state = (
        "const { player } = item; return [player.chosen, player.startedAt, player.time, player.context.currentTime, "
        "player.nodes.map(({ gain }) => gain.gain.value)]"
    )
    _, started, time, now, gains = browser.run(state)
    assert gains == [1, 0, 0, 0, 0]
    browser.click("[data-label='B']")
    browser.wait("return item.player.nodes[2].gain.gain.value === 1")
    chosen, still_started, later, later_now, gains = browser.run(state)
    assert (chosen, still_started, gains) == (2, started, [0, 0, 1, 0, 0])
    # the music went on, by as much as time did
    seconds = browser.run("return item.player.seconds")
    assert (later - time) % seconds == pytest.approx((later_now - now) % seconds, abs=0.01)


def test_music_that_is_left_while_it_loads_is_never_heard(browser, pages):
    listener = Listener(browser, pages["mushra"])
    listener.start("By")
    browser.run("window.left = item.player; item.toggle(); go(1)")
    browser.wait("return left.buffers !== null")
    assert browser.run("return [left.isPlaying, Player.running]") == [False, None]


def test_the_keys(browser, pages):
    listener = Listener(browser, pages["mushra"])
    listener.start("Cy")
    chosen = "return item.slots[item.player.chosen].label"
    browser.press(" ")
    browser.wait("return item.player.isPlaying")
    for key, label in (("2", "B"), ("r", "Reference"), ("1", "A"), ("9", "A")):
        browser.press(key)
        assert browser.run(chosen) == label
    # after a click on a version, Space still pauses
    browser.click("[data-label='C']")
    browser.press(" ")
    assert browser.run("return [item.player.isPlaying, item.slots[item.player.chosen].label]") == [False, "C"]
    listener.hear_all()
    browser.run("document.querySelector('.row input').focus()")
    browser.press("\ue014", "\ue014")  # arrow right
    assert browser.text(".row:not(.head) output") == "52"
    assert browser.run("return document.activeElement.getAttribute('aria-valuetext')") == "52, Fair"
    browser.press("n")
    assert browser.text("#todo") == "Now rate B, C and D."
    assert browser.run("return document.activeElement.getAttribute('aria-label')") == "Rating of B"
    listener.rate()
    browser.press("\ue007")  # enter
    assert browser.text("h2") == "1 of 2"
    assert browser.run("return document.activeElement.id") == "heading"


def test_choices_are_made_with_the_keyboard_alone(browser, pages):
    listener = Listener(browser, pages["ab"])
    listener.start("Di")
    listener.hear_all()
    browser.run("document.querySelector('.choice input').focus()")
    browser.press(" ")
    assert browser.run("return item.answer.values.chosen === item.rated[0].version")
    browser.press("\ue015")  # arrow down
    assert browser.run("return item.answer.values.chosen === item.rated[1].version")
    browser.press("n")
    assert browser.text("h2") == "1 of 2"


# --- order ---


def test_orders_differ_between_listeners_and_are_balanced(browser, pages):
    browser.open(pages["ab"])
    plans = browser.run(
        "return [...Array(40).keys()].map((n) => planned(`listener ${n}`).map(({ trial, versions }) => "
        "[trial.practice, trial.id, versions[0] === trial.versions[0]]))"
    )
    again = browser.run("return planned('listener 3').map(({ trial }) => trial.id)")
    assert again == [trial for _, trial, _ in plans[3]]
    assert all([practice for practice, _, _ in plan] == [True, False, False] for plan in plans)
    assert len({tuple(trial for _, trial, _ in plan) for plan in plans}) == 2
    # of the two that count, one each way round
    assert all(sorted(first for _, _, first in plan[1:]) == [False, True] for plan in plans)
    assert 8 < sum(plan[0][2] for plan in plans) < 32


def test_versions_are_shuffled_and_clips_kept_apart(browser, pages):
    browser.open(pages["mushra"])
    first = browser.run(
        "return [...Array(200).keys()].map((n) => { const { trial, versions } = planned(`l ${n}`)[1]; "
        "return trial.versions.indexOf(versions[0]); })"
    )
    assert sorted(Counter(first)) == [0, 1, 2, 3]
    assert all(30 < count < 70 for count in Counter(first).values())
    for clips in ([1, 1, 1, 2, 2, 3, 3], [3, 2, 1, 1, 1, 1], [1, 2, 3, 3, 3, 3, 1, 2]):
        apart = browser.run("return apart(arguments[0].map((clip) => ({ clip }))).map(({ clip }) => clip)", clips)
        assert sorted(apart) == sorted(clips)
        assert sum(a == b for a, b in pairwise(apart)) == (1 if clips[0] == 3 else 0)


# --- looks ---


@pytest.mark.parametrize("kind", ["ab", "mos", "mushra"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_screen_fits_and_is_accessible(browser, pages, kind, size):
    browser.resize(size)
    listener = Listener(browser, pages[kind])
    browser.check()
    listener.start("A name that is quite long for a phone")
    browser.check()
    listener.hear_all()
    browser.check()
    listener.rate()
    browser.check()
    browser.run("go(screens.length)")
    browser.check()
    browser.reload()
    browser.check()
    answers = (
        "for (const { trial, versions } of screens) "
        "session.answers[trial.id] = { values: { chosen: versions[0] }, heard: {}, seconds: 1 };"
    )
    browser.run(f"{answers} finish()")
    browser.check()
    assert browser.run("return document.querySelectorAll('h1, h2').length") == 2


def test_storage_that_is_refused_is_said(browser, pages):
    listener = Listener(browser, pages["ab"])
    assert not browser.find("#unkept").is_displayed()
    browser.run("Storage.prototype.setItem = () => { throw new DOMException('no', 'QuotaExceededError'); }")
    listener.start("Flo")
    assert "does not keep your answers" in browser.text("#unkept")
    # leaving would lose them, so the browser asks; here, the page is told not to
    browser.run("isKept = true")


def test_another_listener_starts_anew(browser, pages):
    listener = Listener(browser, pages["ab"])
    listener.start("Gil")
    first = browser.run("return session.listener.id")
    listener.answer_all()
    browser.click("#finish")
    browser.click("#another")
    assert "were not saved yet" in browser.driver.switch_to.alert.text
    browser.driver.switch_to.alert.dismiss()
    assert "Thank you, Gil" in browser.text("#screen")
    browser.reload()
    assert "Thank you, Gil" in browser.text("#screen")
    browser.click("#download")
    browser.downloaded("*gil.json")
    browser.click("#another")
    listener.hurry()
    listener.start("Hu")
    assert browser.run("return [session.place, Object.keys(session.answers).length]") == [0, 1]
    assert browser.run("return session.listener.id") != first


# --- served ---


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_served_results_arrive_and_are_analysed(browser, pages, tmp_path):
    command = [sys.executable, "-m", "musr_cli", "listen", pages["ab"], "--serve", "--results", tmp_path / "in"]
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    url = process.stderr.readline().split()[0]
    try:
        listener = Listener(browser, url)
        assert "this machine" in browser.text("#screen")
        listener.start("Ivo")
        listener.answer_all()
        # the first try fails, and the way out is told
        browser.run("window.fetched = fetch; window.fetch = async () => { throw new TypeError('no network'); }")
        browser.click("#finish")
        browser.wait("return find('delivery').textContent.includes('could not be sent (no network)')")
        browser.check()
        browser.run("window.fetch = window.fetched")
        browser.click("#send")
        browser.wait("return find('delivery').textContent.includes('have arrived')")
        browser.reload()
        assert "have arrived" in browser.text("#screen")
    finally:
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=60)[1]
    assert "1 result collected" in told
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["results-trial-ab-ivo.json"]
    result = musr("--analyse", tmp_path / "in", "-o", tmp_path / "figure.svg")
    assert "1 listener, 2 clips" in result.stdout
    assert "100.0 %" in result.stdout
    assert "<svg" in (tmp_path / "figure.svg").read_text()
