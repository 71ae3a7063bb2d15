"""A real browser for the pages: headless Chromium, one for all tests of a process.

    def test_something(browser, tmp_path):
        browser.open(page)                          # a Path (file://) or an address
        browser.click("#start")                     # CSS selectors; an error of one line where nothing is found
        browser.wait("return item.player.isPlaying")
        browser.press(Keys.SPACE)
        assert browser.text("h2") == "Practice"
        assert browser.run("return item.player.time") > 1
        file = browser.downloaded("results-*.json")
        browser.check()                             # fits the window, every control has a name, contrast in both themes

Each test begins in a fresh window of 1280 × 900 with nothing remembered, and fails where the page wrote errors to the
console. Top-level names of the page's scripts can be used in `run` and `wait`. Tests are skipped where there is no
Chromium or no chromedriver.
"""

from __future__ import annotations

import fnmatch
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM, CHROMEDRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--force-device-scale-factor=1",
)

DESKTOP, PHONE = (1280, 900), (390, 844)

# what a page does later than the click that caused it
PATIENCE_S = 15.0

# every visible control without a name that a screen reader could tell
NAMELESS = """
const name = (element) => {
  const ids = (element.getAttribute("aria-labelledby") ?? "").split(" ");
  const labelled = ids.map((id) => document.getElementById(id)?.textContent ?? "");
  const labels = [...(element.labels ?? [])].map((label) => label.textContent);
  const own = element.matches("button, a, summary") ? element.textContent : element.getAttribute("alt") ?? "";
  return [element.getAttribute("aria-label") ?? "", ...labelled, ...labels, own].join("").trim();
};
const controls = "button, a[href], input, select, textarea, progress, summary, fieldset";
const legend = (element) => element.querySelector("legend")?.textContent.trim();
const named = (element) => (element.matches("fieldset") ? legend(element) : name(element));
return [...document.querySelectorAll(`${controls}, img, [tabindex='0'], [role=img], [role=group]`)]
  .filter((element) => element.checkVisibility() && !named(element))
  .map((element) => element.outerHTML.slice(0, 200));
"""

# every visible text whose contrast with what lies behind it is below 4.5 (WCAG 2, AA), disabled controls left out
FAINT = """
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const parsed = (text) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = text;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
};
const over = ([r, g, b, a], below) => [r, g, b].map((value, index) => a * value + (1 - a) * below[index]);
const behind = (element) => {
  const layers = [];
  for (let one = element; one; one = one.parentElement) layers.push(parsed(getComputedStyle(one).backgroundColor));
  return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
};
const luminance = (rgb) => {
  const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const [r, g, b] = rgb.map((value) => linear(value / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const found = [];
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const element = texts.currentNode.parentElement;
  const isExempt = element.closest("script, style, noscript, .hidden, .skip, [data-no-contrast], :disabled");
  if (!texts.currentNode.textContent.trim() || isExempt) continue;
  if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
  const ground = behind(element), style = getComputedStyle(element);
  const ink = over(parsed(element.closest("svg") ? style.fill : style.color), ground);
  const [low, high] = [luminance(ground), luminance(ink)].sort((a, b) => a - b);
  const contrast = (high + 0.05) / (low + 0.05);
  if (contrast < 4.5) found.push(`${contrast.toFixed(2)}: ${texts.currentNode.textContent.trim().slice(0, 60)}`);
}
return found;
"""

OVERFLOW = """
const width = document.documentElement.clientWidth;
const inScroll = (element) => element.closest(".scroll") && !element.matches(".scroll");
const whole = document.documentElement.scrollWidth;
return [...document.body.querySelectorAll("*")]
  .filter((element) => element.checkVisibility() && !inScroll(element) && !element.closest(".hidden, .skip, svg"))
  .filter((element) => element.getBoundingClientRect().right > width + 1 || element.getBoundingClientRect().left < -1)
  .map((element) => element.outerHTML.slice(0, 200))
  .concat(whole > width ? [`the page is ${whole} wide, the window ${width}`] : []);
"""


class Browser:
    """A window of Chromium.

    Attributes:
        driver: selenium's driver, for what is missing here.
        downloads: folder into which the browser saves.
    """

    def __init__(self, driver: Any, downloads: Path) -> None:
        self.driver, self.downloads = driver, downloads

    def open(self, place: Path | str) -> None:
        """Show a file or an address."""
        self.driver.get(place.as_uri() if isinstance(place, Path) else place)

    def reload(self) -> None:
        """Show the same page anew."""
        self.driver.refresh()

    def run(self, script: str, *args: Any) -> Any:
        """What the body of a JavaScript function returns; `arguments` are `args`."""
        return self.driver.execute_script(script, *args)

    def wait(self, script: str, *args: Any) -> Any:
        """Run until the result is true, and return it."""
        end = time.monotonic() + PATIENCE_S
        while not (result := self.run(script, *args)):
            assert time.monotonic() < end, f"not within {PATIENCE_S:g} s: {script} ({self.shown()})"
            time.sleep(0.02)
        return result

    def find(self, selector: str) -> Any:
        """The first element that matches."""
        found = self.find_all(selector)
        assert found, f"nothing matches {selector} ({self.shown()})"
        return found[0]

    def find_all(self, selector: str) -> list[Any]:
        """All elements that match."""
        return list(self.driver.find_elements("css selector", selector))

    def click(self, selector: str) -> None:
        """Click an element with the mouse, where it lies."""
        element = self.find(selector)
        self.run("arguments[0].scrollIntoView({ block: 'center', behavior: 'instant' })", element)
        element.click()

    def type(self, selector: str, text: str) -> None:
        """Type into a field."""
        self.find(selector).send_keys(text)

    def press(self, *keys: str) -> None:
        """Press keys where the focus is."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def text(self, selector: str) -> str:
        """The text of an element, as it is shown."""
        return str(self.find(selector).text)

    def shown(self) -> str:
        """The text of the page, shortened, for messages."""
        return " | ".join(self.text("body").split("\n"))[:600]

    def resize(self, size: tuple[int, int]) -> None:
        """Width and height in CSS pixels; up to 640 wide it is a phone, with touch."""
        is_phone = size[0] <= 640
        screen = {"width": size[0], "height": size[1], "deviceScaleFactor": 2 if is_phone else 1, "mobile": is_phone}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        self.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": is_phone})

    def prefer(self, theme: str) -> None:
        """What the system asks for: "light" or "dark"."""
        features = [{"name": "prefers-color-scheme", "value": theme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def downloaded(self, pattern: str) -> Path:
        """The newest whole file in `downloads` whose name matches, as soon as it is there."""
        end = time.monotonic() + PATIENCE_S
        while True:
            names = [path for path in self.downloads.iterdir() if fnmatch.fnmatch(path.name, pattern)]
            if names and not list(self.downloads.glob("*.crdownload")):
                return max(names, key=lambda path: path.stat().st_mtime_ns)
            assert time.monotonic() < end, f"no {pattern} in {list(self.downloads.iterdir())}"
            time.sleep(0.02)

    def errors(self) -> list[str]:
        """What the page complained of in the console since this was last asked."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def check(self) -> None:
        """Fail where something is too wide, a control has no name, or text is too faint in either theme."""
        assert self.run(OVERFLOW) == []
        assert self.run(NAMELESS) == []
        for theme in ("light", "dark"):
            self.prefer(theme)
            assert self.run(FAINT) == [], theme
        self.prefer("light")

    def picture(self, path: Path) -> Path:
        """Save what is shown, for people to look at."""
        self.driver.save_screenshot(str(path))
        return path


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests of the process; tests take `browser`, which begins anew each time."""
    if not (CHROMIUM and CHROMEDRIVER):
        pytest.skip("no Chromium with chromedriver here")
    webdriver = pytest.importorskip("selenium.webdriver")
    folder = tmp_path_factory.mktemp("chromium")
    downloads = folder / "downloads"
    downloads.mkdir()
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    options.add_experimental_option(
        "prefs", {"download.default_directory": str(downloads), "download.prompt_for_download": False}
    )
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(CHROMEDRIVER))
    try:
        yield Browser(driver, downloads)
    finally:
        driver.quit()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """A window that remembers nothing; its page may not have complained in the end."""
    chromium.open("about:blank")
    chromium.driver.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"})
    for path in chromium.downloads.iterdir():
        path.unlink()
    chromium.resize(DESKTOP)
    chromium.prefer("light")
    chromium.errors()
    yield chromium
    assert chromium.errors() == []
    # a page may ask before it is left
    chromium.run("window.onbeforeunload = null")
    chromium.open("about:blank")
