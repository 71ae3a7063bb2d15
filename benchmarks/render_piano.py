"""Render solo piano to train on: MIDI files of POP909 (MIT) with the Splendid Grand Piano (public domain).

    pip install mido
    git clone https://github.com/music-x-lab/POP909-Dataset && git clone
    https://github.com/sfzinstruments/SplendidGrandPiano python benchmarks/render_piano.py POP909-Dataset/POP909
    SplendidGrandPiano FOLDER [--pieces 320] [--seconds 75]

Writes stereo Ogg Vorbis at 44.1 kHz, each piece twice: as written or somewhat softer, and softer. Pieces that
`--without` names (those of the music that figures are reported on) are left out.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import mido
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from musr_cli.audio.libsndfile import ForwardFile

RATE = 44100
LONGEST_S = 12.0
PEAK = 0.8
LOWEST_KEY, HIGHEST_KEY = 21, 108
# How much softer than written pieces are played, by two pianists: the layers differ in brightness.
TOUCHES = {"": range(16), "-soft": range(6, 30)}
# lowest velocity of each of the instrument's four layers
LAYERS = {101: "FF", 85: "MF", 68: "MP", 1: "PP"}
RELEASE_S = 0.7
SUSTAIN_PEDAL, PEDAL_DOWN = 64, 64

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Note:
    """A key held, pedal included; times in seconds."""

    start: float
    end: float
    key: int
    velocity: int


@dataclass(frozen=True)
class Region:
    """Keys that a sample is for, the key that it was recorded at, and samples to leave out at its beginning."""

    sample: Path
    keys: range
    centre: int
    offset: int


@dataclass
class _Hands:
    """Which keys are down, and which only sound on because the pedal is."""

    notes: list[Note] = field(default_factory=list)
    down: dict[int, tuple[float, int]] = field(default_factory=dict)
    held: dict[int, tuple[float, int]] = field(default_factory=dict)
    is_pedal: bool = False

    def press(self, now: float, key: int, velocity: int) -> None:
        self.release(now, key)
        self._end(now, key, self.held)
        self.down[key] = (now, velocity)

    def release(self, now: float, key: int) -> None:
        if key in self.down and self.is_pedal:
            self.held[key] = self.down.pop(key)
        self._end(now, key, self.down)

    def pedal(self, now: float, is_down: bool) -> None:
        self.is_pedal = is_down
        for key in [] if is_down else list(self.held):
            self._end(now, key, self.held)

    def _end(self, now: float, key: int, keys: dict[int, tuple[float, int]]) -> None:
        if key in keys:
            start, velocity = keys.pop(key)
            self.notes.append(Note(start, now, key, velocity))


def notes_of(midi: Path) -> list[Note]:
    """All notes of all tracks, as one pianist would play them."""
    now, hands = 0.0, _Hands()
    for message in mido.MidiFile(midi):
        now += message.time
        if message.type == "note_on" and message.velocity:
            hands.press(now, message.note, message.velocity)
        elif message.type in ("note_on", "note_off"):
            hands.release(now, message.note)
        elif message.type == "control_change" and message.control == SUSTAIN_PEDAL:
            hands.pedal(now, message.value >= PEDAL_DOWN)
    return hands.notes


class Piano:
    """The samples, brought to the pitch of each key."""

    def __init__(self, folder: Path) -> None:
        files = {path.name.lower(): path for path in (folder / "Samples").iterdir()}
        self.layers = {
            layer: list(_regions((folder / "Data" / f"{layer}.txt").read_text(encoding="utf-8"), files))
            for layer in LAYERS.values()
        }
        self.sound = lru_cache(maxsize=None)(self._sound)

    def _sound(self, layer: str, key: int) -> Array:
        """[samples, 2]"""
        region = next(region for region in self.layers[layer] if key in region.keys)
        audio, rate = soundfile.read(region.sample, dtype="float32", always_2d=True, start=region.offset)
        raised: Array = soxr.resample(audio, rate * 2 ** ((key - region.centre) / 12), RATE, quality="VHQ")
        raised = raised[: round(LONGEST_S * RATE)]
        return np.repeat(raised, 2, axis=1) if raised.shape[1] == 1 else raised

    def render(self, notes: list[Note], start: float, seconds: float) -> Array:
        """What sounds from `start` on, [samples, 2]."""
        mix = np.zeros((round(seconds * RATE), 2), np.float32)
        for note in notes:
            layer = next(name for lowest, name in LAYERS.items() if note.velocity >= lowest)
            sound = self.sound(layer, min(max(note.key, LOWEST_KEY), HIGHEST_KEY))
            held_s = note.end - note.start
            first = round((note.start - start) * RATE)
            heard = sound[: min(round((held_s + RELEASE_S) * RATE), max(len(mix) - first, 0))]
            played = heard * (_envelope(len(heard), held_s) * (note.velocity / 127) ** 2)[:, None]
            part = played[max(-first, 0) :]
            mix[max(first, 0) : max(first, 0) + len(part)] += part
        return mix * np.float32(PEAK / max(float(np.abs(mix).max()), PEAK / 10))


def _regions(text: str, files: dict[str, Path]) -> Iterator[Region]:
    for line in text.splitlines():
        values = dict(re.findall(r"(\w+)=(\S+)", line))
        if "lokey" not in values:
            continue
        name = re.search(r"sample=(.+?)\.\$EXT", line)
        assert name, line
        keys = range(int(values["lokey"]), int(values["hikey"]) + 1)
        path = files[f"{name[1].lower()}.flac"]
        yield Region(path, keys, int(values["pitch_keycenter"]), int(values.get("offset", 0)))


def _envelope(samples: int, held_s: float) -> Array:
    """1 while the key is held, then down by 60 dB in `RELEASE_S`."""
    after = np.arange(samples, dtype=np.float32) / RATE - held_s
    return np.asarray(10 ** (-3 * np.maximum(after, 0) / RELEASE_S), np.float32)


def write(place: Path, audio: Array) -> None:
    """Stereo Ogg Vorbis of [samples, 2]."""
    with ForwardFile(str(place), "w", samplerate=RATE, channels=audio.shape[1]) as sink:
        sink.write_frames(audio)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("midi", type=Path, help="folder of MIDI files")
    parser.add_argument("piano", type=Path, help="folder with Data and Samples")
    parser.add_argument("out", type=Path)
    parser.add_argument("--pieces", type=int, default=320)
    parser.add_argument("--seconds", type=float, default=75.0)
    parser.add_argument("--start", type=float, default=5.0)
    parser.add_argument("--without", nargs="*", default=["262", "389", "400"], help="names of pieces to leave out")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    piano = Piano(options.piano)
    pieces = [path for path in sorted(options.midi.rglob("*.mid")) if path.stem not in options.without]
    for path in pieces[:: max(1, len(pieces) // options.pieces)][: options.pieces]:
        written = notes_of(path)
        for name, touch in TOUCHES.items():
            softer = touch[int(path.stem) % len(touch)]
            notes = [replace(note, velocity=max(note.velocity - softer, 1)) for note in written]
            place = options.out / f"splendid-grand--pop909-{path.stem}{name}.ogg"
            write(place, piano.render(notes, options.start, options.seconds))


if __name__ == "__main__":
    main()
