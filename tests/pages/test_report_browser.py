"""The report of `musr eval` in a real browser: it opens from disk, plays, switches, sorts, and can be used by keys."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musr_cli.degrade import Degradation, apply
from tests.browser import PHONE, Browser
from tests.conftest import Music, RunMusr

RATE = 32_000
SECONDS = 2.5


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, music: Music) -> Path:
    """Originals, transfers without an upper half, two systems, and a clip that only one of them has."""
    root = tmp_path_factory.mktemp("report")
    for index, name in enumerate(("a", "b <i>&amp;", "c")):
        ref = music(RATE, SECONDS, seed=index)
        low = apply(ref, RATE, Degradation("resample", 8000.0))
        noise = 0.02 * np.random.default_rng(index).standard_normal(ref.shape)
        for folder, x in (("ref", ref), ("lr", low), ("nothing", low), ("noise", low + noise), ("quiet", 0.25 * ref)):
            (root / folder).mkdir(exist_ok=True)
            soundfile.write(root / folder / f"{name}.wav", x.T, RATE, subtype="FLOAT")
    (root / "noise" / "c.wav").unlink()
    return root


@pytest.fixture(scope="module")
def page(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from typer.testing import CliRunner

    from musr_cli.app import app

    page = tmp_path_factory.mktemp("page") / "report.html"
    places = [str(folders / name) for name in ("ref", "nothing", "noise", "quiet")]
    options = ["--input", str(folders / "lr"), "--report", str(page), "--clips", "2"]
    result = CliRunner().invoke(app, ["eval", *places, *options])
    assert result.exit_code == 3, result.stderr
    return page


def test_it_opens_from_disk_and_fits_every_window_in_both_themes(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.text("h1") == "nothing, noise, quiet against ref"
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    browser.check()
    browser.resize(PHONE)
    browser.check()
    # nothing was asked of any network
    assert browser.run("return performance.getEntriesByType('resource').length") == 0


def test_it_says_what_was_measured_and_what_was_left_out(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert "3 clips, 3 systems" in browser.text("#about")
    head = [cell.text for cell in browser.find_all("#summary thead th")]
    assert head == ["figure", "nothing", "noise", "quiet", "unit", "better"]
    best = browser.run("""
        const rows = [...document.querySelectorAll("#summary tbody tr")];
        return rows.find((row) => row.cells[0].textContent === "SNR given band").querySelector(".best").cellIndex;
    """)
    assert head[best] == "nothing"
    assert "noise: c: no estimate of this name" in browser.text("#left-out")
    assert "nothing" in browser.text("#frequency")


def test_names_are_shown_as_they_are(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.run("return data.rows.some((row) => row.clip.includes('<i>&amp;'))")
    assert browser.find_all("#table i") == []
    assert "b <i>&amp;" in browser.text("#table")


def test_the_table_sorts_both_ways_and_filters(browser: Browser, page: Path) -> None:
    browser.open(page)
    column = "return [...document.querySelectorAll('#table tbody tr')].map((row) => row.cells[2].textContent)"
    for direction, button in (("ascending", "click"), ("descending", "keys")):
        if button == "click":
            browser.click("#table [data-sort=lsd_a]")
        else:
            browser.press("\ue007")
        values = [float(text) for text in browser.run(column)]
        assert values == sorted(values, reverse=direction == "descending")
        assert browser.run("return document.activeElement.closest('th').getAttribute('aria-sort')") == direction
    browser.type("#filter", "b <")
    assert len(browser.run(column)) == 3
    browser.click("#all-metrics")
    assert len(browser.find_all("#table thead th")) == browser.run("return measured.length") + 2


def test_it_plays_and_switches_without_losing_the_place(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.click(".card .main")
    browser.wait("return cards[0].player.isPlaying && cards[0].player.time > 0.15")
    assert browser.run("return device.context.sampleRate") == RATE
    before = browser.run("return cards[0].player.time")
    browser.press("3")
    after, chosen = browser.run("return [cards[0].player.time, cards[0].player.chosen]")
    assert chosen == 2
    assert 0 <= after - before < 1.0
    # all versions run on, and one alone is heard
    browser.wait("return cards[0].player.nodes.filter(({ gain }) => gain.gain.value > 0.01).length === 1")
    assert browser.run("return cards[0].player.nodes.length === cards[0].clip.versions.length")
    assert browser.run("return cards[0].player.nodes[2].gain.gain.value") > 0.01
    browser.press("n")
    browser.wait("return !cards[0].player.isPlaying && cards[1].player.isPlaying")
    browser.press("l")
    assert not browser.find("#matched").is_selected()


def test_versions_have_one_loudness(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.click(".card .main")
    browser.wait("return cards[0].player.isPlaying")
    loudness = """
        const size = (buffer) => Math.hypot(...buffer.getChannelData(0));
        return cards[0].player.buffers.map((buffer, place) => size(buffer) * cards[0].clip.versions[place].gain);
    """
    labels = browser.run("return cards[0].clip.versions.map((version) => version.label)")
    found = dict(zip(labels, browser.run(loudness), strict=True))
    assert found["quiet"] == pytest.approx(found["reference"], rel=0.01)
    raw = browser.run("return cards[0].clip.versions.map((version) => version.gain)")
    assert raw[labels.index("quiet")] == pytest.approx(4 * raw[labels.index("reference")], rel=0.01)


def test_pictures_choose_and_seek(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.run("arguments[0].scrollIntoView({ block: 'center', behavior: 'instant' })", browser.find(".view"))
    browser.run("document.querySelectorAll('.card .view')[4].click()")
    browser.click(".card .view")
    chosen, place = browser.run("return [cards[0].player.chosen, cards[0].player.time / cards[0].clip.seconds]")
    assert chosen == 0
    assert place == pytest.approx(0.5, abs=0.02)
    assert browser.run("return cards[0].views[0].querySelector('img').naturalWidth") == 560


def test_figures_of_the_page_are_those_of_the_command(page: Path, folders: Path, run_musr: RunMusr) -> None:
    text = page.read_text(encoding="utf-8")
    data = json.loads(text.split('id="data">')[1].split("</script>")[0])
    result = run_musr("eval", folders / "ref", folders / "quiet", "--input", folders / "lr", "--json")
    told = json.loads(result.stdout)
    for file in told["files"]:
        (row,) = [row for row in data["rows"] if row["clip"] == file["file"] and row["system"] == "quiet"]
        assert row["metrics"] == pytest.approx(file["metrics"])
    assert data["summaries"]["quiet"] == told["mean"]["quiet"]
