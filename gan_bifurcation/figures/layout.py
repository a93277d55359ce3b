"""Where axes lie on a figure: found when what is on them has changed, with each axis measured once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import TextArea
from matplotlib.transforms import Bbox

# What was on a figure when it was laid out last: doing it again would take as long as drawing it.
_laid_out: "WeakKeyDictionary[Figure, Any]" = WeakKeyDictionary()


def lay_out(drawn: Figure) -> None:
    """Give the axes their places, unless that was done for what the figure shows now."""
    engine = drawn.get_layout_engine()
    content = _content(drawn)
    if engine is not None and _laid_out.get(drawn) != content:
        with measured_once(drawn):
            engine.execute(drawn)
        _laid_out[drawn] = content


def stays_laid_out(drawn: Figure) -> None:
    """What was added since lies inside the axes: their places are as good as before."""
    if drawn in _laid_out:
        _laid_out[drawn] = _content(drawn)


def _content(drawn: Figure) -> Any:
    """Whatever the places of axes depend on."""
    rim: list[Any] = [*drawn.get_size_inches(), len(drawn.get_children()), len(drawn.legends)]
    for ax in drawn.axes:
        rim += [len(ax.get_children()), id(ax.get_legend())]
        for text in (ax.title, ax.xaxis.label, ax.yaxis.label):
            rim += [text.get_text(), text.get_fontsize()]
        for axis in (ax.xaxis, ax.yaxis):
            rim += [*(float(v) for v in axis.get_view_interval()), axis.get_scale(), axis.get_tick_params()]
    return repr(rim)


@contextmanager
def measured_once(drawn: Figure) -> Iterator[None]:
    """While a figure is laid out and drawn, its parts are asked ever again how large they are; they measure once.

    What an axis reaches beyond its frame, in points, depends on its ticks alone, and what a spine does on their length.
    """
    changed: list[tuple[Any, str]] = []

    def answer(thing: Any, name: str, reach: Any) -> None:
        # One of these inside of another leaves that one's answers.
        if name not in vars(thing):
            setattr(thing, name, reach)
            changed.append((thing, name))

    for ax in drawn.axes:
        for axis in (ax.xaxis, ax.yaxis):
            answer(axis, "get_tightbbox", _Reach(ax, axis.get_tightbbox, axis.get_majorticklocs))
        for side in _SIDES.keys() & ax.spines.keys():
            spine = ax.spines[side]
            answer(spine, "get_window_extent", _OneSide(_Reach(ax, spine.get_window_extent, None), side))
    for legend in filter(None, [*drawn.legends, *(ax.get_legend() for ax in drawn.axes)]):
        for words in legend.findobj(TextArea):
            answer(words, "get_bbox", _Size(words))
    try:
        yield
    finally:
        for thing, name in changed:
            delattr(thing, name)


class _Reach:
    """The frame of axes and what reaches beyond it, measured anew only when other ticks are shown."""

    def __init__(self, ax: Axes, measure: Callable[..., Any], ticks: Callable[[], Any] | None) -> None:
        self.ax, self.measure, self.ticks = ax, measure, ticks
        self.shown: Any = None
        # In points, for a figure is drawn at several resolutions; None is nothing to measure.
        self.margins: Any = None
        self.asked = False

    def __call__(self, renderer: Any = None, **how: Any) -> Bbox | None:
        shown = self.ticks().tolist() if self.ticks else None
        frame = self.ax.bbox.extents
        point = self.ax.figure.dpi / 72.0
        if not self.asked or shown != self.shown:
            found = self.measure(renderer, **how)
            self.asked, self.shown = True, shown
            self.margins = None
            if found is not None:
                beyond = (found.extents - frame) / point
                self.margins = np.concatenate([beyond[:2].clip(max=0.0), beyond[2:].clip(min=0.0)])
        return None if self.margins is None else Bbox.from_extents(*(frame + point * self.margins))


class _Size:
    """The box of the words of a legend at one resolution."""

    def __init__(self, words: TextArea) -> None:
        self.words, self.measure = words, words.get_bbox
        self.dpi = 0.0
        self.found: Any = None

    def __call__(self, renderer: Any) -> Any:
        dpi = self.words.figure.dpi
        if dpi != self.dpi:
            self.dpi, self.found = dpi, self.measure(renderer)
        return self.found


_SIDES: Final = {"left": 0, "bottom": 1, "right": 2, "top": 3}


class _OneSide:
    """The box of a spine: its side of the frame, as thick as its ticks are long."""

    def __init__(self, reach: _Reach, side: str) -> None:
        self.reach, self.side = reach, _SIDES[side]

    def __call__(self, renderer: Any = None) -> Bbox:
        box = self.reach(renderer)
        corners = np.array(self.reach.ax.bbox.extents)
        opposite = (self.side + 2) % 4
        corners[opposite] = corners[self.side]
        if box is not None:
            corners[self.side] = box.extents[self.side]
        return Bbox.from_extents(*corners)
