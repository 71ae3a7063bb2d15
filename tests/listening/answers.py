"""Results of listening tests as the page writes them, of listeners whose opinions are known."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Json = dict[str, Any]

CLIPS = tuple(f"song {number}" for number in range(1, 11))

CONDITIONS = {
    "ab": [{"name": "new", "role": "system"}, {"name": "old", "role": "system"}],
    "mos": [
        {"name": "reference", "role": "reference"},
        {"name": "new", "role": "system"},
        {"name": "old", "role": "system"},
        {"name": "input", "role": "input"},
    ],
}
CONDITIONS["mushra"] = [*CONDITIONS["mos"], {"name": "anchor 3.5 kHz", "role": "anchor"}]


def results(kind: str, listener: str, answers: Sequence[Json], **changes: Any) -> Json:
    """A whole file."""
    test = {"id": "0123456789ab", "kind": kind, "title": "Piano, restored", "question": "Which is better?"}
    return {
        "format": "musr-listening-test",
        "schema": 1,
        "musr": "0.1.0",
        "test": {**test, "conditions": copy.deepcopy(CONDITIONS[kind])},
        "listener": {"id": f"id-{listener}", "name": listener, "device": "headphones"},
        "started": "2026-01-01T10:00:00.000Z",
        "finished": "2026-01-01T10:20:00.000Z",
        "remarks": "",
        "practice": [],
        "answers": list(answers),
        **changes,
    }


def preferring(listener: str, wins: int, clips: Sequence[str] = CLIPS, **changes: Any) -> Json:
    """Of an AB test: the first `wins` clips are better in "new"; A and B take turns."""
    names = ("new", "old")
    answers = [
        {
            "clip": clip,
            "first": names[place % 2],
            "second": names[1 - place % 2],
            "chosen": names[place >= wins],
            "seconds": 9.5,
        }
        for place, clip in enumerate(clips)
    ]
    return results("ab", listener, answers, **changes)


def rating(
    kind: str, listener: str, opinion: Callable[[str, int], float], clips: Sequence[str] = CLIPS, **changes: Any
) -> Json:
    """Of a MOS or MUSHRA test: `opinion` of condition and number of the clip."""
    names = [condition["name"] for condition in CONDITIONS[kind]]
    rated = [(clip, {name: opinion(name, place) for name in names}) for place, clip in enumerate(clips)]
    answers = [{"clip": clip, "ratings": ratings, "seconds": 20.0} for clip, ratings in rated]
    if kind == "mos":
        # one version a screen
        answers = [
            {"clip": clip, "ratings": {name: value}} for clip, ratings in rated for name, value in ratings.items()
        ]
    return results(kind, listener, answers, **changes)


def save(folder: Path, *files: Json) -> list[Path]:
    """Write files under the names of their listeners."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"results-{file['listener']['name']}.json" for file in files]
    for path, file in zip(paths, files, strict=True):
        path.write_text(json.dumps(file), encoding="utf-8")
    return paths
