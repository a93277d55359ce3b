"""Vector fields in a plane of two states, with orbits and equilibria."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from gan_bifurcation.branch import Point
from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.figures.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, axes_or_new, styled
from gan_bifurcation.figures.text import math_name
from gan_bifurcation.ranges import as_range
from gan_bifurcation.system import System

_ORBITS = (BLUE, ORANGE, PURPLE, GREEN)


@styled
def vector_field(
    system: System,
    orbits: Any = (),
    states: tuple[str, str] | None = None,
    *,
    window: Mapping[str, Any] | None = None,
    equilibria: Iterable[Point] | None = None,
    rest: Mapping[str, float] | None = None,
    labels: Sequence[str] | None = None,
    arrows: int = 14,
    ax: Axes | None = None,
) -> Axes:
    """Where training goes from each point of a plane: the flow's direction, or the step of a map.

    Parameters
    ----------
    system : System
    orbits : orbit or sequence of orbits
        Objects with ``.states`` (N, n), or arrays (N, n). Each begins at a red dot.
    states : pair of str, optional
        Along x and y; the generator's and the discriminator's first state by default (as in Mescheder et al. 2018).
    window : mapping of state to (low, high), optional
        By default what the orbits cover, or [-2, 2].
    equilibria : iterable of Point, optional
        Filled where stable, open where not, half filled where the spectrum does not decide (a centre, or a point of a
        manifold of equilibria). By default those found in the window of a system of two states, or
        the known one.
    rest : mapping of state to float, optional
        The other states; by default as at the known equilibrium, or zero.
    labels : sequence of str, optional
        What each orbit is called in the legend; by default the parameters in which their systems differ.
    arrows : int
        Along each axis.
    ax : Axes, optional

    Returns
    -------
    Axes
        With equal units where the window is a square.
    """
    first, second = states or plane(system)
    for name in (first, second):
        if name not in system.states:
            raise unknown_name("state", name, system.states)
    i, j = system.states.index(first), system.states.index(second)
    shown = _several(orbits)
    paths = [_states_of(orbit, system) for orbit in shown]
    names = told_apart([orbit.system.parameters if hasattr(orbit, "system") else {} for orbit in shown])
    known = system.equilibrium_guess()
    base = np.zeros(system.n) if known is None else known.copy()
    for name, value in (rest or {}).items():
        if name not in system.states:
            raise unknown_name("state", name, system.states)
        base[system.states.index(name)] = float(value)
    limits = [_limits(window, name, [p[:, k] for p in paths]) for name, k in ((first, i), (second, j))]
    ax = axes_or_new(ax, aspect=0.9)
    _arrows(ax, system, base, (i, j), limits, arrows)
    for number, path in enumerate(paths):
        colour = _ORBITS[number % len(_ORBITS)]
        if system.kind == "flow":
            ax.plot(path[:, i], path[:, j], color=colour, lw=1.1, zorder=3)
        else:
            ax.plot(path[:, i], path[:, j], color=colour, lw=0.35, alpha=0.6, zorder=3)
            ax.plot(path[:, i], path[:, j], color=colour, ls="", marker="o", ms=1.5, mew=0, zorder=3)
        ax.plot(path[:1, i], path[:1, j], color=RED, marker="o", ls="", ms=4.5, zorder=5)
    found = list(equilibria) if equilibria is not None else _equilibria(system, (first, second), limits)
    for point in found:
        x, y = point.state[first], point.state[second]
        ax.plot([x], [y], ls="", ms=6, zorder=6, **_MARKERS[stability(point)])
    ax.set_xlim(*limits[0])
    ax.set_ylim(*limits[1])
    ax.set_xlabel(math_name(first))
    ax.set_ylabel(math_name(second))
    if np.isclose(limits[0][1] - limits[0][0], limits[1][1] - limits[1][0]):
        ax.set_aspect("equal")
    _legend(ax, system.kind, names if labels is None else list(labels), found)
    return ax


def told_apart(parameters: Sequence[Mapping[str, float]]) -> list[str]:
    """A name for each of several runs: the values of the parameters in which they differ, if these are few.

    >>> told_apart([{"a": 0.5, "b": 1.0}, {"a": 0.58, "b": 1.0}])
    ['$a$ = 0.5', '$a$ = 0.58']
    """
    differ = [name for name in parameters[0] if len({p.get(name) for p in parameters}) > 1] if parameters else []
    if not 1 <= len(differ) <= 2:
        return ["orbit, from its start"] + [""] * (len(parameters) - 1) if parameters else []
    return [", ".join(f"{math_name(name)} = {p.get(name, np.nan):.4g}" for name in differ) for p in parameters]


def stability(point: Point) -> str:
    """ "stable", "not stable", or "neutral" where an eigenvalue lies on the boundary within rounding and none beyond.

    >>> from gan_bifurcation import System, point
    >>> centre = System.from_equations("flow", {"x": "-y", "y": "x"})
    >>> stability(point(centre, {"x": 0.0, "y": 0.0}))
    'neutral'
    """
    from gan_bifurcation.continuation.counting import margins, width_of

    kind = point.system.kind
    margin, width = margins(kind, point.spectrum), width_of(kind, point.spectrum)
    if np.any(margin > width):
        return "not stable"
    return "neutral" if np.any(margin >= -width) else "stable"


_MARKERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "stable": {"marker": "o", "color": BLACK, "mew": 1.2},
    "not stable": {"marker": "o", "color": BLACK, "mfc": "white", "mew": 1.2},
    "neutral": {"marker": "o", "color": BLACK, "mew": 1.2, "fillstyle": "bottom", "markerfacecoloralt": "white"},
}
_WORDS: Final = {
    "stable": "stable {}",
    "not stable": "{}, not stable",
    "neutral": "{}, neutral",
}


def plane(system: System) -> tuple[str, str]:
    """The states that a field is drawn in: the generator's and the discriminator's first."""
    if system.n < 2:
        raise MisuseError(
            f"A vector field is drawn in a plane, but '{system.name}' has the one state '{system.states[0]}'."
        )
    if system.game is not None:
        return system.game.generator.states[0], system.game.discriminator.states[0]
    return system.states[0], system.states[1]


def _several(orbits: Any) -> Sequence[Any]:
    if isinstance(orbits, np.ndarray):
        return [orbits] if orbits.ndim == 2 else list(orbits)
    return list(orbits) if isinstance(orbits, list | tuple) else [orbits]


def _states_of(orbit: Any, system: System) -> Any:
    path = np.asarray(getattr(orbit, "states", orbit), dtype=float)
    if path.ndim != 2 or path.shape[1] != system.n:
        raise MisuseError(
            f"An orbit of '{system.name}' has the states in rows of {system.n} numbers, got the shape {path.shape}."
        )
    return path


def _limits(window: Mapping[str, Any] | None, name: str, columns: Sequence[Any]) -> tuple[float, float]:
    if window and name in window:
        bounds = as_range(window[name])
        return bounds.low, bounds.high
    values = np.concatenate(columns) if columns else np.array([])
    values = values[np.isfinite(values)]
    if not len(values):
        return -2.0, 2.0
    low, high = float(values.min()), float(values.max())
    pad = 0.12 * (high - low) or 1.0
    return low - pad, high + pad


def _arrows(ax: Axes, system: System, base: Any, axes: tuple[int, int], limits: Any, count: int) -> None:
    u, v = (np.linspace(low, high, count + 2)[1:-1] for low, high in limits)
    x, y = np.meshgrid(u, v)
    dx, dy = np.empty_like(x), np.empty_like(x)
    parameters = system.parameter_vector()
    for k in np.ndindex(x.shape):
        state = base.copy()
        state[axes[0]], state[axes[1]] = x[k], y[k]
        moved = system.rhs(state, parameters)
        if system.kind == "map":
            moved = moved - state
        dx[k], dy[k] = moved[axes[0]], moved[axes[1]]
    size = np.hypot(dx, dy)
    # Lengths grow as the square root of the speed: slow places stay visible, fast ones stay on the page.
    with np.errstate(invalid="ignore", divide="ignore"):
        strength = np.sqrt(size / np.nanmax(size)) if np.nanmax(size) > 0 else size
        sx, sy = dx / (limits[0][1] - limits[0][0]), dy / (limits[1][1] - limits[1][0])
        norm = np.hypot(sx, sy)
        ux, uy = np.where(norm > 0, sx / norm, 0.0) * strength, np.where(norm > 0, sy / norm, 0.0) * strength
    ax.quiver(
        x, y, ux, uy, color="0.62", angles="uv", scale=count * 1.05, width=0.0035, headwidth=4.5, pivot="mid", zorder=1
    )


def _equilibria(system: System, names: tuple[str, str], limits: Any) -> list[Point]:
    from gan_bifurcation.continuation.equilibria import find_equilibria, point

    if system.n == 2:
        box = dict(zip(names, limits, strict=True))
        return list(find_equilibria(system, box, starts=16).points)[:24]
    if system.equilibrium_guess() is None:
        return []
    return [point(system)]


def _legend(ax: Axes, kind: str, orbits: Sequence[str], found: Sequence[Point]) -> None:
    what = "equilibrium" if kind == "flow" else "fixed point"
    kinds = {stability(p) for p in found}
    handles = [Line2D([], [], ls="", label=_WORDS[k].format(what), **_MARKERS[k]) for k in _MARKERS if k in kinds]
    for number, label in enumerate(orbits):
        if label:
            colour = _ORBITS[number % len(_ORBITS)]
            handles.append(Line2D([], [], marker="o", lw=0.8, color=colour, ms=3, mfc=RED, mec=RED, label=label))
    if handles:
        ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=2, frameon=False)
