"""One folder of a gallery: references, what is left of them, and what systems make of that.

    GALLERY/<task>/reference/<clip>.flac      the originals, 24 bit
    GALLERY/<task>/input/<clip>.flac          what is left of them, for anybody to restore
    GALLERY/<task>/systems/<name>/<clip>.flac what a model made of that, or somebody else's system
    GALLERY/<task>/figures/<name>.json        what was measured of it

Whatever is there is kept. A file `made-of.json` in each folder says what its clips were made of, and what was said of
them: where they would be made of something else today (music, seconds, weights, version), they are made again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

from clips import Clip
from gallery_tasks import Task, parse
from musr_cli import __version__
from musr_cli.audio.files import AtomicFile
from musr_cli.audio.formats import READABLE_SUFFIXES
from musr_cli.audio.resampling import resample
from musr_cli.audio.writing import AudioWriter
from musr_cli.console import Progress, warn
from musr_cli.degrade import degrade_file
from musr_cli.engine.batch import Encoding, FileResult, Note, Request, run_batch
from musr_cli.engine.enhancer import Settings
from musr_cli.engine.outputs import Existing, plan_outputs
from musr_cli.errors import UNAVAILABLE, MusrError
from musr_models import registry
from musr_models.checkpoint import Card

ABOUT, MADE_OF, README, KEPT = "task.json", "made-of.json", "README.txt", "figures"
CONTAINER, SUBTYPE, BITS, SUFFIX = "FLAC", "PCM_24", "24", ".flac"
HIGHEST_PEAK = 0.5
"""Of references: what is made of them may be louder, and must not be cut."""

NO_NETWORK = "no network for this rate and edge"
GUEST = "guest"

HOW_TO = """{title}: how to add a system
1. Restore every file of input/ ({input_rate} Hz, its band ends at {edge_hz:.0f} Hz) to {rate} Hz, into one folder:
   FOLDER/SYSTEM/<the same name>, in any format, as long as the original; several systems are several folders.
2. python benchmarks/compare.py FOLDER --gallery GALLERY/{name}
   prints the table with its rows, and writes FOLDER/report.html and FOLDER/figures.csv.
3. With --add it also goes into the tables, the report and the index of this gallery.
reference/ holds the originals: nothing that restores may see them.
"""


@dataclass(frozen=True)
class About:
    """What a task's folder says of itself.

    Attributes:
        seconds: of each clip.
        sources: of the clips, by name.
        refused: why a model is missing, by its name.
        skipped: why a clip of the music is missing, by its name.
        command: what made it.
        versions: what ran it.
    """

    seconds: float
    sources: dict[str, str]
    refused: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    command: str = ""
    versions: str = ""


@dataclass(frozen=True)
class TaskFolder:
    """Where the files of a task lie, below `path`, whose name is the task's."""

    path: Path

    @property
    def task(self) -> Task:
        return parse(self.path.resolve().name)

    @property
    def reference(self) -> Path:
        return self.path / "reference"

    @property
    def input(self) -> Path:
        return self.path / "input"

    @property
    def figures(self) -> Path:
        return self.path / KEPT

    def system(self, name: str) -> Path:
        """Folder of one system."""
        return self.path / "systems" / name

    def systems(self) -> list[str]:
        """Names of all that are there."""
        return sorted(place.name for place in self.path.glob("systems/*") if place.is_dir() and stems(place))

    def about(self) -> About:
        """What the folder says of itself; raises `MusrError` where it is no task's."""
        told = read_json(self.path / ABOUT)
        if not told:
            raise MusrError(f"{self.path}: no task of a gallery, for want of a {ABOUT}; benchmarks/run.py makes them")
        return About(**told)

    def refused(self) -> dict[str, str]:
        """Why models are missing, as far as that was told before."""
        return dict(read_json(self.path / ABOUT).get("refused", {}))

    def tell(self, about: About) -> None:
        """Write what the folder says of itself, and how to add a system."""
        task = self.task
        write_text(self.path / ABOUT, as_json(asdict(about)))
        shown = {"edge_hz": task.edge_hz, "input_rate": task.input_rate, "rate": task.rate}
        write_text(self.path / README, HOW_TO.format(title=task.title, name=task.name, **shown))

    def is_guest(self, name: str) -> bool:
        """Whether a system was put there by somebody else."""
        return name in self.systems() and read_json(self.system(name) / MADE_OF).get("by", GUEST) == GUEST

    def is_stale(self, name: str) -> bool:
        """Whether a system, as far as one knows, restored other inputs."""
        made_of = read_json(self.system(name) / MADE_OF)
        return bool(made_of) and made_of["clips"] != self.input_keys()

    def notes(self, name: str) -> dict[str, str]:
        """What was said of a system's clips when they were made, by clip."""
        return dict(read_json(self.system(name) / MADE_OF).get("notes", {}))

    def input_keys(self) -> dict[str, str]:
        """What tells today's inputs from others, by clip."""
        return dict(read_json(self.input / MADE_OF).get("clips", {}))


def make_inputs(folder: TaskFolder, clips: Mapping[str, Clip], seconds: float) -> None:
    """References and what is left of them, as far as they are not there."""
    task = folder.task
    keys = {name: digest(clip.path.read_bytes(), seconds, task.rate, __version__) for name, clip in clips.items()}
    for name in _settle(folder.reference, "run.py", keys):
        _write_reference(clips[name], flac(folder.reference, name), task.rate, seconds)
    keys = {name: digest(key, task.how.describe()) for name, key in keys.items()}
    for name in _settle(folder.input, "run.py", keys):
        paths = flac(folder.reference, name), flac(folder.input, name)
        outcome = degrade_file(*paths, task.wish, seed=0, container=CONTAINER, bit_depth=BITS)
        if outcome.clipped:
            warn(f"{paths[1]}: {outcome.clipped} samples above full scale are clipped")


def _write_reference(clip: Clip, path: Path, rate: int, seconds: float) -> None:
    audio, own_rate = clip.read(seconds)
    x = resample(audio, own_rate, rate)
    x = x * min(1.0, HIGHEST_PEAK / max(float(np.abs(x).max(initial=0.0)), HIGHEST_PEAK))
    with AudioWriter(path, rate, len(x), CONTAINER, SUBTYPE, make_parents=True) as writer:
        writer.write(x)


def usable_clips(clips: Sequence[Clip], data: Path, rate: int) -> tuple[dict[str, Clip], dict[str, str]]:
    """Clips by name, and why others are left out.

    Raises:
        MusrError: two clips of one name, or none at all.
    """
    found: dict[str, Clip] = {}
    left_out = {}
    for clip in clips:
        name = _stem(data, clip.path)
        if name in found:
            raise MusrError(f"{clip.path} and {found[name].path}: two clips of one name; rename one")
        own_rate = sf.info(clip.path).samplerate
        if own_rate < rate:
            left_out[name] = f"a clip at {own_rate} Hz, which is too low"
        else:
            found[name] = clip
    if not found:
        raise MusrError(f"{data}: no clips at {rate} Hz or more to measure with (--tier '' takes all tiers)")
    return found, left_out


def label(model: str) -> str:
    """What folders and tables call a model: its name, of a path that of its card."""
    cards = registry.variants(model)
    return model if model in registry.families() or not Path(model).exists() else cards[0].name


def restore(folder: TaskFolder, model: str, jobs: int) -> str | None:
    """Restore all inputs with one model, as far as that is not done; why it is left out, or None."""
    task, name = folder.task, label(model)
    cards = [card for card in registry.variants(model) if _is_for(card, task)]
    if not any(registry.fits(card, task.band) for card in cards) and model not in registry.BASELINES:
        return NO_NETWORK
    made_by = f"{name} {' '.join(card.sha256 for card in cards)} musr {__version__}"
    if not _settle(folder.system(name), made_by, folder.input_keys()):
        return None
    plan = plan_outputs([str(folder.input)], str(folder.system(name)), existing=Existing.SKIP)
    request = Request(Settings(model=model, rate=task.rate), Encoding(CONTAINER, BITS))
    with Progress(len(plan.tasks)) as progress:
        results = run_batch(plan.tasks, request, jobs, _Watcher(progress, folder.system(name)))
    return _why_left_out(results)


def _is_for(card: Card, task: Task) -> bool:
    return card.is_network and (not card.sample_rates or task.rate in card.sample_rates)


def _why_left_out(results: Sequence[FileResult]) -> str | None:
    failed = [result for result in results if result.status == "failed"]
    if not failed:
        return None
    what = "refuses" if all(result.exit_code == UNAVAILABLE for result in failed) else "fails with"
    return f"{what} {len(failed)} clips: {failed[0].messages[0]}"


class _Watcher:
    """Moves the bar of a batch, and writes down what is to be said of clips that were not simply restored."""

    def __init__(self, progress: Progress, folder: Path) -> None:
        self._progress, self._folder = progress, folder

    def noted(self, index: int, note: Note) -> None:
        """Clips are too short for bars of their own."""

    def finished(self, index: int, result: FileResult) -> None:
        """See `engine.batch.Watcher`."""
        del index
        self._progress.finish(result.audio_s)
        # a model that refuses is told of once, for all its clips
        if result.messages and result.status != "failed":
            told = "; ".join(message.partition(";")[0] for message in result.messages)
            warn(f"{result.output}: {told}")
            made_of = read_json(self._folder / MADE_OF)
            made_of["notes"] |= {_stem(self._folder, Path(result.output)): told}
            write_text(self._folder / MADE_OF, as_json(made_of))


def add_guest(folder: TaskFolder, name: str, place: Path, kept: Path) -> None:
    """Copy somebody else's results into the gallery, and the figures that were kept of them.

    Raises:
        MusrError: a system of that name is there already, and nobody else's.
    """
    target = folder.system(name)
    if stems(target) and not folder.is_guest(name):
        raise MusrError(f"{name}: run.py made a system of this name in {folder.path}; rename your folder")
    if target.resolve() == place.resolve():
        return
    shutil.rmtree(target, ignore_errors=True)
    for path in audio_files(place):
        copy = target / path.relative_to(place)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    write_text(target / MADE_OF, as_json({"by": GUEST, "clips": folder.input_keys()}))
    write_text(folder.figures / f"{name}.json", (kept / f"{name}.json").read_text(encoding="utf-8"))


def audio_files(folder: Path) -> list[Path]:
    """All audio in a folder and below, hidden files left out."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in READABLE_SUFFIXES)
    return sorted(path for path in found if path.is_file() and not path.name.startswith("."))


def stems(folder: Path) -> set[str]:
    """Names of the clips in a folder."""
    return {_stem(folder, path) for path in audio_files(folder)}


def _stem(folder: Path, path: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()


def _settle(folder: Path, by: str, keys: Mapping[str, str]) -> list[str]:
    """Remove clips that were made otherwise, note what the rest are made of; the names that are to be made."""
    old = read_json(folder / MADE_OF)
    if old.get("by", GUEST) == GUEST and stems(folder):
        raise MusrError(f"{folder}: holds music that run.py did not make; move it away, or rename the folder")
    kept = {name for name, key in keys.items() if old.get("by") == by and old["clips"].get(name) == key}
    for path in audio_files(folder):
        if _stem(folder, path) not in kept:
            path.unlink()
    notes = {name: note for name, note in old.get("notes", {}).items() if name in kept}
    write_text(folder / MADE_OF, as_json({"by": by, "clips": keys, "notes": notes}))
    return [name for name in keys if not flac(folder, name).is_file()]


def flac(folder: Path, name: str) -> Path:
    # names may hold dots, which with_suffix would take for a suffix
    return folder / f"{name}{SUFFIX}"


def digest(*parts: object) -> str:
    """The same for the same parts only; bytes are taken as they are."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part if isinstance(part, bytes) else repr(part).encode()).digest())
    return whole.hexdigest()[:16]


def as_json(value: object) -> str:
    """Readable JSON."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def read_json(path: Path) -> dict[str, Any]:
    """What a file holds; nothing where there is none, or none that can be read."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def write_text(path: Path, text: str) -> None:
    """Write a file, whole or not at all, unless it says the same already."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    with AtomicFile(path, make_parents=True) as whole:
        whole.file.write(text.encode())
