"""One self-contained HTML file: styles, scripts, data, pictures and sound inside, and no way to the network."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from string import Template
from typing import Any

_ASSETS = resources.files("musr_cli.pages") / "assets"

# what a browser is told to refuse: everything that is not in the file; a served page may answer its own server
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; media-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'"
)


def render(title: str, data: Mapping[str, Any], scripts: Sequence[str], body: str) -> str:
    """The page as text.

    Args:
        title: for the tab and the heading.
        data: what the scripts draw, as JSON; figures that are not finite become null.
        scripts: names of assets, in the order in which they run, without ".js".
        body: name of the asset that holds the page's own HTML, without ".html".
    """
    return Template(_asset("page.html")).substitute(
        policy=html.escape(_POLICY),
        title=html.escape(title),
        style=_asset("page.css"),
        body=_asset(f"{body}.html"),
        data=_as_script(data),
        scripts="\n".join(_asset(f"{name}.js") for name in scripts),
    )


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _as_script(data: Mapping[str, Any]) -> str:
    """JSON that no parser of HTML takes for the end of its element, whatever names hold."""
    text = json.dumps(_finite(data), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not abs(value) < float("inf") else value
