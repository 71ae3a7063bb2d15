"""Frequency axes: linear, logarithmic or mel, with ticks in kHz; spectra on rows of equal height on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ROWS = 480
"""Of a picture from the bottom to the top of its axis: about the pixels that a panel has."""

_CLOSEST = 0.055
"""Distance of ticks, as a fraction of the axis."""


@dataclass(frozen=True)
class Scale:
    """How frequencies are spread over an axis.

    Attributes:
        name: what users call it.
        forward: kHz → place, in any unit.
        inverse: place → kHz.
        lowest_khz: where the axis begins.
        candidates_khz: where ticks may be, the more important first; empty for equal distances.
    """

    name: str
    forward: Callable[[Any], Any]
    inverse: Callable[[Any], Any]
    lowest_khz: float = 0.0
    candidates_khz: Sequence[float] = ()

    def bottom_khz(self, top_khz: float) -> float:
        """Where an axis that ends at `top_khz` begins."""
        return min(self.lowest_khz, top_khz / 10)

    def fraction(self, khz: float, top_khz: float) -> float:
        """Place of a frequency on an axis that ends at `top_khz`: 0 at the bottom, 1 at the top."""
        bottom, place, top = (float(self.forward(each)) for each in (self.bottom_khz(top_khz), khz, top_khz))
        return (place - bottom) / (top - bottom)

    def set(self, axes: Any, which: Literal["x", "y"], top_khz: float) -> None:
        """Make one axis of matplotlib's `axes` show frequencies up to `top_khz`."""
        from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

        getattr(axes, f"set_{which}scale")("function", functions=(self.forward, self.inverse))
        getattr(axes, f"set_{which}lim")(self.bottom_khz(top_khz), top_khz)
        axis = getattr(axes, f"{which}axis")
        ticks = FixedLocator(self.ticks_khz(top_khz)) if self.candidates_khz else MaxNLocator(9, steps=[1, 2, 5, 10])
        axis.set_major_locator(ticks)
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda khz, _: f"{khz:g}"))
        getattr(axes, f"set_{which}label")("frequency (kHz)")

    def ticks_khz(self, top_khz: float) -> list[float]:
        """Candidates on an axis that ends at `top_khz`, without those too close to a more important one."""
        bottom, top = self.forward(self.bottom_khz(top_khz)), self.forward(top_khz)
        chosen: list[float] = []
        for khz in self.candidates_khz:
            places = self.forward(np.array([khz, *chosen]))
            apart = np.abs(places[1:] - places[0]).min(initial=math.inf)
            if bottom <= places[0] <= top and apart >= _CLOSEST * (top - bottom):
                chosen.append(khz)
        return sorted(chosen)

    def bins(self, count: int, nyquist_khz: float, top_khz: float) -> tuple[Array, float]:
        """Edges [rows + 1] of rows of equal height, in bins of a spectrum of `count`; where the last ends, in kHz."""
        end_khz = min(nyquist_khz, top_khz)
        rows = max(1, round(ROWS * self.fraction(end_khz, top_khz)))
        low, high = self.forward(self.bottom_khz(top_khz)), self.forward(end_khz)
        edges_khz = np.asarray(self.inverse(np.linspace(low, high, rows + 1)), np.float64)
        return edges_khz / nyquist_khz * (count - 1), end_khz


def line(density_db: Array, nyquist_khz: float, scale: Scale, top_khz: float) -> tuple[Array, Array]:
    """A spectrum as a line of points at equal distances on an axis that ends at `top_khz`: places in kHz, values in dB.

    Points that stand for several bins have their mean power; where they are finer than bins, values are interpolated.

    Args:
        density_db: at equal distances from 0 Hz to `nyquist_khz` [F].
    """
    edges, _ = scale.bins(len(density_db), nyquist_khz, top_khz)
    first, last = _bins_of(edges, len(density_db))
    middle, several = (edges[1:] + edges[:-1]) / 2, last > first + 1
    power = np.add.reduceat(10 ** (density_db[: last[-1]] / 10), first)
    mean_db = 10 * np.log10(power / np.maximum(last - first, 1))
    interpolated_db = np.interp(middle, np.arange(len(density_db)), density_db)
    return middle * nyquist_khz / (len(density_db) - 1), np.where(several, mean_db, interpolated_db)


def levels(picture: Array, edges: Array) -> Array:
    """A picture in dB [bins, columns] on rows between `edges` [rows + 1] (in bins): [rows, columns].

    A row has the level of its strongest bin, so that no tone is lost between two; where rows are finer than bins,
    levels are interpolated.
    """
    first, last = _bins_of(edges, len(picture))
    loudest = np.maximum.reduceat(picture[: last[-1]], first, axis=0)
    middle = np.clip((edges[:-1] + edges[1:]) / 2, 0, len(picture) - 1)
    below = np.minimum(middle.astype(int), max(len(picture) - 2, 0))
    above, share = np.minimum(below + 1, len(picture) - 1), (middle - below)[:, None]
    between = (1 - share) * picture[below] + share * picture[above]
    return np.where((last > first)[:, None], loudest, between)


def strongest(picture: Array, edges: Array) -> NDArray[np.intp]:
    """Index of the strongest bin of each row and column [rows, columns]; the nearest where rows are finer than bins."""
    first, last = _bins_of(edges, len(picture))
    nearest = np.clip(np.round((edges[:-1] + edges[1:]) / 2), 0, len(picture) - 1).astype(int)
    rows = [
        low + picture[low:high].argmax(axis=0) if high > low else np.full(picture.shape[1], only)
        for low, high, only in zip(first, last, nearest, strict=True)
    ]
    return np.array(rows, dtype=np.intp)


def _bins_of(edges: Array, count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First bin within each row, and the one after the last."""
    bounds = np.ceil(edges).astype(np.intp)
    # the bin on the upper end belongs to the last row
    bounds[-1] = min(bounds[-1] + 1, count)
    return bounds[:-1], bounds[1:]


def _log(khz: Any) -> Any:
    # matplotlib asks for places below the axis too
    return np.log2(np.maximum(khz, 1e-6))


def _mel(khz: Any) -> Any:
    # the scale is for frequencies; below 0 it only has to go on (O'Shaughnessy 1987)
    return np.sign(khz) * 2595 * np.log10(1 + np.abs(khz) / 0.7)


def _from_mel(mel: Any) -> Any:
    return np.sign(mel) * 0.7 * (10 ** (np.abs(mel) / 2595) - 1)


_OCTAVES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 0.5, 0.25, 0.125)
_DECADES = tuple(digit * 10.0**power for digit in (1, 2, 5) for power in (0, 1, -1, 2, -2, -3))

SCALES: Mapping[str, Scale] = {
    scale.name: scale
    for scale in (
        Scale("linear", lambda khz: khz, lambda khz: khz),
        Scale("log", _log, np.exp2, 0.03, _DECADES),
        Scale("mel", _mel, _from_mel, 0.0, (0.0, *_OCTAVES)),
    )
}
