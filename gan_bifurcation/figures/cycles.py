"""Cycles and invariant circles in a plane of two states, and how well they are resolved."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.circle_waves import highest_mode
from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.figures.scales import spans_decades, tidy
from gan_bifurcation.figures.style import as_list, axes_or_new, figure_of, styled
from gan_bifurcation.figures.text import math_name

FloatArray = NDArray[np.float64]

# A closed curve is drawn with so many points; a branch shows so many of its curves.
_FINE: Final = 600
_SHOWN: Final = 7
_DASHED: Final[Any] = (0, (4, 2))
# Where rounding ends the decay of the modes.
_ROUNDING: Final = 1e-17


@styled
def profile(
    shown: Branch | Point | Sequence[Branch | Point],
    states: Sequence[str] | None = None,
    *,
    count: int = _SHOWN,
    colour_bar: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Cycles or invariant circles in a plane of two states.

    Parameters
    ----------
    shown : Branch, Point or sequence of them
        Branches of cycles or circles over one parameter, or points of such branches; of a branch, several along it.
    states : pair of str, optional
        The plane; by default the two states that vary most.
    count : int
        How many are drawn of each branch.
    colour_bar : bool
        Whether to show which colour is which value of the parameter.
    ax : Axes, optional

    Returns
    -------
    Axes
        Coloured by the parameter, stable ones solid and unstable ones dashed.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> field = {"x": "r*x*(1 - y)", "y": "x"}
    >>> logistic = gb.System.from_equations("map", field, parameters={"r": 1.9})
    >>> fixed = gb.trace(gb.point(logistic, {"x": 0.5, "y": 0.5}), {"r": (1.5, 2.2)})
    >>> circles = gb.trace(gb.neimark_sacker_to_circles(fixed["NS1"]), {"r": (1.5, 2.05)})
    >>> ax = gb.figures.profile(circles, ax=gb.figures.figure()[1])
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('$x$', '$y$')
    """
    points, name = _points(shown, count)
    plane = _plane(points, states)
    ax = axes_or_new(ax, aspect=0.85)
    values = [p.parameters[name] for p in points]
    norm, colours = _scale(values)
    columns = [points[0].system.states.index(s) for s in plane]
    for point, value in zip(points, values, strict=True):
        curve = _closed(point)[:, columns]
        style: Any = "-" if point.stable else _DASHED
        ax.plot(curve[:, 0], curve[:, 1], color=colours(norm(value)), ls=style, lw=1.3, zorder=3)
    ax.set_xlabel(math_name(plane[0]))
    ax.set_ylabel(math_name(plane[1]))
    if colour_bar and len(set(values)) > 1:
        _bar(ax, norm, colours, name)
    _legend(ax, points)
    return ax


@styled
def resolution(
    shown: Branch | Point | Sequence[Branch | Point],
    *,
    count: int = _SHOWN,
    colour_bar: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """How well cycles or circles are resolved: decay of the Fourier modes of circles, mesh of cycles.

    Parameters
    ----------
    shown, count, colour_bar, ax
        As for :func:`profile`.

    Returns
    -------
    Axes
        For circles, the largest coefficient of each mode among the states, relative to the largest of all; for cycles,
        the length of the intervals of the mesh over the phase.
    """
    points, name = _points(shown, count)
    ax = axes_or_new(ax)
    values = [p.parameters[name] for p in points]
    norm, colours = _scale(values)
    circles = points[0].kind == "circle"
    for point, value in zip(points, values, strict=True):
        look: dict[str, Any] = {"color": colours(norm(value)), "ls": "-" if point.stable else _DASHED, "lw": 1.1}
        if circles:
            sizes = modes(point)
            ax.semilogy(np.arange(1, 1 + len(sizes)), sizes, marker=".", ms=3.0, **look)
        else:
            assert point.profile is not None
            mesh = np.asarray(point.profile.mesh)
            ax.stairs(np.diff(mesh), mesh, baseline=None, **look)
    if circles:
        ax.set_xlabel("Fourier mode")
        ax.set_ylabel("coefficient, relative")
    else:
        ax.set_yscale("log")
        ax.set_xlim(0.0, 1.0)
        ax.set_xlabel("phase (turns)")
        ax.set_ylabel("length of interval (turns)")
    tidy(ax)
    if colour_bar and len(set(values)) > 1:
        _bar(ax, norm, colours, name)
    return ax


@styled
def profiles(
    shown: Branch | Point | Sequence[Branch | Point],
    states: Sequence[str] | None = None,
    *,
    count: int = _SHOWN,
    axes: Sequence[Axes] | None = None,
) -> tuple[Axes, Axes]:
    """Cycles or circles in a plane, and beside them how well they are resolved.

    Parameters
    ----------
    shown, states, count
        As for :func:`profile`.
    axes : pair of Axes, optional

    Returns
    -------
    pair of Axes
    """
    if axes is None:
        import matplotlib.pyplot as plt

        axes = tuple(np.ravel(plt.subplots(1, 2, figsize=(7.2, 3.0), layout="constrained")[1]))
    left, right = axes
    profile(shown, states, count=count, colour_bar=False, ax=left)
    resolution(shown, count=count, colour_bar=True, ax=right)
    return left, right


def modes(point: Point) -> FloatArray:
    """Sizes of the Fourier coefficients of a circle from the first mode on, the largest one being 1."""
    assert point.profile is not None
    states = point.profile.states
    # Modes beyond are left out by the trace, since products of others would appear there.
    found = np.abs(np.fft.rfft(states, axis=0))[1 : 1 + highest_mode(len(states))].max(axis=1)
    return np.asarray(np.maximum(found / found.max(), _ROUNDING))


def _points(shown: Any, count: int) -> tuple[list[Point], str]:
    """The points to draw, in order, and the parameter that tells them apart."""
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise MisuseError(f"The number of curves to draw is a whole number from 1 on, but got {count!r}.")
    items = [shown] if isinstance(shown, Branch | Point) else as_list(shown, Branch)
    points: list[Point] = []
    for item in items:
        if isinstance(item, Branch) and item.profiles:
            points += [item.point(k) for k in _spread(item, count)]
        elif isinstance(item, Point) and item.profile is not None:
            points.append(item)
        else:
            raise MisuseError(
                f"A profile is drawn of cycles or invariant circles, but got {item!r}; trace a branch of them first."
            )
    if not points:
        raise MisuseError("A profile is drawn of at least one cycle or invariant circle, but got none.")
    first = points[0]
    if any(p.kind != first.kind or p.system.states != first.system.states for p in points):
        raise MisuseError("The profiles of one figure are all of cycles or all of circles, of the same states.")
    return points, _parameter(points)


def _spread(branch: Branch, count: int) -> list[int]:
    """Positions along a branch, the first and the last among them, as far from each other on paper as can be."""
    sizes = np.array([np.ptp(p.states, axis=0) for p in branch.profiles])
    walk = np.column_stack([sizes, branch.parameters[:, 0]])
    whole = np.ptp(walk, axis=0)
    whole[:-1] = whole[:-1].max()
    steps = np.abs(np.diff(walk, axis=0) / np.where(whole > 0.0, whole, 1.0)).max(axis=1)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    goals = np.linspace(0.0, length[-1], min(count, len(branch)))
    return sorted({int(np.argmin(np.abs(length - goal))) for goal in goals})


def _parameter(points: Sequence[Point]) -> str:
    free = points[0].free or tuple(points[0].parameters)
    return max(free, key=lambda name: float(np.ptp([p.parameters[name] for p in points])))


def _plane(points: Sequence[Point], states: Sequence[str] | None) -> tuple[str, str]:
    names = points[0].system.states
    if states is not None:
        if len(states) != 2:
            raise MisuseError(f"A profile is drawn in a plane of two states, but got {len(states)}.")
        for name in states:
            if name not in names:
                raise unknown_name("state", name, names)
        return states[0], states[1]
    if len(names) < 2:
        raise MisuseError("A profile is drawn in a plane, but the system has one state.")
    size = np.max([np.ptp(p.profile.states, axis=0) for p in points if p.profile is not None], axis=0)
    # What training is about is the generator: its state is drawn along x, with the state that varies most beside it.
    game = points[0].system.game
    own = [k for k, s in enumerate(names) if game is not None and s in game.generator.states]
    first = max(own, key=lambda k: size[k]) if own and size[own].max() > 0.0 else int(np.argmax(size))
    rest = [k for k in range(len(names)) if k != first]
    second = max(rest, key=lambda k: size[k])
    pair = (first, second) if own else tuple(sorted((first, second)))
    return names[pair[0]], names[pair[1]]


def _closed(point: Point) -> FloatArray:
    assert point.profile is not None
    states = point.profile.at(np.arange(_FINE) / _FINE)
    return np.concatenate([states, states[:1]])


def _scale(values: Sequence[float]) -> tuple[Any, Any]:
    low, high = min(values), max(values)
    norm = LogNorm(low, high) if spans_decades(low, high) else Normalize(low, high if high > low else low + 1.0)
    # The light end of the map cannot be seen on white.
    return norm, lambda share: colormaps["viridis"](0.9 * share)


def _bar(ax: Axes, norm: Any, colours: Any, name: str) -> None:
    from matplotlib.colors import ListedColormap

    listed = ListedColormap([colours(k / 255) for k in range(256)])
    mappable = ScalarMappable(norm=norm, cmap=listed)
    bar = figure_of(ax).colorbar(mappable, ax=ax, label=math_name(name), pad=0.02, aspect=28)
    tidy(bar.ax)


def _legend(ax: Axes, points: Sequence[Point]) -> None:
    stable = {p.stable for p in points}
    words = {True: "stable", False: "unstable"}
    looks: dict[bool, Any] = {True: "-", False: _DASHED}
    handles = [
        Line2D([], [], color="black", lw=1.2, ls=looks[s], label=f"{words[s]} {points[0].kind}")
        for s in sorted(stable, reverse=True)
    ]
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, frameon=False)
