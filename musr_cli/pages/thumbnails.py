"""Small spectrograms as PNG, for pages that draw axes and the playing position themselves."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musr_cli.plotting.pictures import RANGE_DB
from musr_cli.plotting.spectrogram import Spectrogram
from musr_cli.plotting.style import LEVEL_COLOURS

WIDTH, HEIGHT = 560, 280
"""Pixels."""

COLOURS = 96
"""More would make files larger and tell the eye nothing."""


def thumbnails(versions: Sequence[NDArray[Any]], sample_rate: int) -> list[str]:
    """Spectrograms of signals [C, T] on one scale of level, from 0 Hz to the Nyquist frequency, as PNG in base64."""
    pictures = [_columns_db(x, sample_rate) for x in versions]
    loudest_db = 5 * math.ceil(max(picture.max() for picture in pictures) / 5)
    return [_as_png((picture - loudest_db) / RANGE_DB + 1) for picture in pictures]


def _columns_db(x: NDArray[Any], sample_rate: int) -> NDArray[np.float64]:
    """[HEIGHT, WIDTH] in dB, the highest frequency first."""
    spectrogram = Spectrogram(sample_rate, x.shape[-1])
    spectrogram.push(x)
    spectrogram.finish()
    powers = 10 ** (spectrogram.columns_db / 10)
    return np.asarray(10 * np.log10(_resized(_resized(powers, HEIGHT).T, WIDTH).T))[::-1]


def _resized(rows: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """[R, …] → [count, …]: means of the rows that fall together, or rows repeated."""
    starts = np.arange(count) * len(rows) // count
    stops = np.maximum(np.append(starts[1:], len(rows)), starts + 1)
    sums = np.concatenate([np.zeros((1, *rows.shape[1:])), np.cumsum(rows, axis=0)])
    # a difference of long sums can end below zero by rounding
    means = (sums[stops] - sums[starts]) / (stops - starts)[:, None]
    return np.asarray(np.maximum(means, np.finfo(np.float64).tiny))


def _as_png(shares: NDArray[np.float64]) -> str:
    """0 … 1 → colours of the map, as an image of few colours."""
    from matplotlib import colormaps
    from PIL import Image

    indices = np.round(np.clip(shares, 0, 1) * (COLOURS - 1)).astype(np.uint8)
    palette = np.round(255 * colormaps[LEVEL_COLOURS](np.linspace(0, 1, COLOURS))[:, :3]).astype(np.uint8)
    image = Image.fromarray(indices)
    image.putpalette(palette.tobytes())
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
