"""The bifurcation diagram: a state, a period or a rotation number against the parameter."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.figures.bands import OTHER_AXES, band_handles, draw_band, mark_band
from gan_bifurcation.figures.polylines import nodes
from gan_bifurcation.figures.scales import looks_logarithmic, tidy
from gan_bifurcation.figures.style import LINE_COLOURS, as_list, axes_or_new, mark_of, styled
from gan_bifurcation.figures.text import label_of, math_name, place_labels

_AXES: Final = {"period": "period", "rotation_number": "rotation number"}


@styled
def bifurcation_diagram(
    branches: Branch | Sequence[Branch], state: str | None = None, *, amplitude: bool = False, ax: Axes | None = None
) -> Axes:
    """A state against the free parameter: stable solid, unstable dashed, special points marked and named.

    Cycles and invariant circles are bands from the least to the largest value of the state; the tongues that a branch
    of circles passes over are marks across its band.

    Parameters
    ----------
    branches : Branch or sequence of Branch
        All over the same parameter.
    state : str, optional
        Which state; by default the one that varies most, or else the last one (of the generator). With "period" or
        "rotation_number", that of the cycles or circles among the branches.
    amplitude : bool
        Whether to draw, at each H, NS and PD, the extent of what is born there to first order of its normal form: solid
        where that is stable (supercritical), dashed where it is not. Drawn up to 15 % of the window away.
    ax : Axes, optional

    Returns
    -------
    Axes

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> s = gb.System.from_equations("map", {"x": "r*x*(1 - x)"}, parameters={"r": 2.0})
    >>> branch = gb.trace(gb.point(s, {"x": 0.5}), {"r": (1.5, 3.5)})
    >>> ax = gb.figures.bifurcation_diagram(branch, ax=gb.figures.figure()[1])
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('$r$', '$x$')
    """
    shown = as_list(branches, Branch)
    parameter = _common_parameter(shown)
    state = state or varying_state(shown)
    if state in OTHER_AXES and not any(state in b.system.states for b in shown):
        shown = _with_measure(shown, state)
    ax = axes_or_new(ax)
    curves: list[Any] = []
    labels: list[tuple[float, float, str, str]] = []
    for number, branch in enumerate(shown):
        colour = LINE_COLOURS[number % len(LINE_COLOURS)]
        if branch.profiles:
            curves += draw_band(ax, branch, state, colour)
        else:
            curves.append(_draw(ax, branch, state, colour))
    values = np.concatenate([b.column(parameter) for b in shown])
    if looks_logarithmic(shown[0], parameter):
        ax.set_xscale("log")
    ax.set_xlim(values.min(), values.max())
    for branch in shown:
        labels += mark_band(ax, branch, state) if branch.profiles else _mark(ax, branch, parameter, state)
    if amplitude:
        for branch in shown:
            for point in branch.special_points:
                _draw_amplitude(ax, point, parameter, state, (float(values.min()), float(values.max())))
    _open_up(ax)
    tidy(ax)
    ax.set_xlabel(math_name(parameter))
    ax.set_ylabel(label_of(state, _AXES))
    _legend(ax, shown, amplitude)
    place_labels(ax, labels, curves)
    return ax


def _common_parameter(shown: Sequence[Any]) -> str:
    if not shown or not all(isinstance(b, Branch) for b in shown):
        raise MisuseError(
            "A bifurcation diagram needs at least one branch, such as gb.trace(point, {'eta_d': (0.1, 1)})."
        )
    free = {b.free for b in shown}
    if len(free) != 1 or len(shown[0].free) != 1:
        names = "; ".join(sorted(", ".join(names) for names in free))
        raise MisuseError(f"The branches of one diagram have one free parameter, the same for all, but got: {names}.")
    return str(shown[0].free[0])


def _with_measure(shown: Sequence[Branch], name: str) -> list[Branch]:
    """The branches that have a period or a rotation number."""
    kept = [b for b in shown if b.profiles and name in b.measures]
    if not kept:
        owner = "cycles" if name == "period" else "circles"
        raise MisuseError(f"None of the branches has a {_AXES[name]}; add a branch of {owner}, or draw a state.")
    return kept


def _spread(branch: Branch, state: str) -> float:
    columns = [f"min_{state}", f"max_{state}"] if branch.profiles and f"min_{state}" in branch.measures else [state]
    return float(np.ptp([branch.column(c) for c in columns])) if len(branch) else 0.0


def varying_state(shown: Sequence[Branch]) -> str:
    states = shown[0].system.states
    ranges = {s: max(_spread(b, s) for b in shown if s in b.system.states) for s in states}
    if max(ranges.values()) > 1e-9:
        game = shown[0].system.game
        # What training is about is the generator; its states are taken if they move at all.
        generator = [s for s in (game.generator.states if game else ()) if ranges.get(s, 0.0) > 1e-9]
        return max(generator or states, key=lambda s: ranges[s])
    return states[-1]


def _draw(ax: Axes, branch: Branch, state: str, colour: str) -> Any:
    found = nodes(branch)
    x = found.parameters[:, 0]
    y = found.states[:, branch.system.states.index(state)]
    for part, stable in found.runs():
        ax.plot(x[part], y[part], color=colour, ls="-" if stable else (0, (4, 2)), lw=1.5 if stable else 1.1, zorder=3)
    return np.column_stack([x, y])


def _mark(ax: Axes, branch: Branch, parameter: str, state: str) -> list[tuple[float, float, str, str]]:
    labels = []
    for point in branch.special_points:
        colour, marker = mark_of(point.label)
        x, y = point.system.parameters[parameter], point.state[state]
        filled = point.criticality != "subcritical"
        ax.plot([x], [y], marker=marker, ls="", color=colour, mfc=colour if filled else "white", mew=1.1, zorder=6)
        labels.append((x, y, point.name or point.label, colour))
    return labels


def _draw_amplitude(ax: Axes, point: Point, parameter: str, state: str, window: tuple[float, float]) -> None:
    size = point.normal_form.get("amplitude", {}).get(parameter, {}).get(state)
    speed = point.normal_form.get("speed", {}).get(parameter)
    if not size or not speed or point.criticality not in ("supercritical", "subcritical"):
        return
    # What is born lies on the unstable side if supercritical, on the stable side otherwise.
    side = np.sign(speed) * (1.0 if point.criticality == "supercritical" else -1.0)
    at = point.system.parameters[parameter]
    reach = min(0.15 * (window[1] - window[0]), 0.5 * abs(at) if at else np.inf)
    room = window[1] - at if side > 0 else at - window[0]
    distance = np.linspace(0.0, 1.0, 60) ** 2 * min(reach, room)
    colour, _ = mark_of(point.label)
    style: Any = "-" if point.criticality == "supercritical" else (0, (2, 1.5))
    for sign in (1.0, -1.0):
        ax.plot(
            at + side * distance,
            point.state[state] + sign * size * np.sqrt(distance),
            color=colour,
            ls=style,
            lw=1.0,
            zorder=2,
        )


def _open_up(ax: Axes) -> None:
    """A branch that stays where it is gets room above and below it; others a margin."""
    low, high = ax.get_ylim()
    lines = [y for line in ax.lines for y in np.ravel(np.asarray(line.get_ydata(), float)) if np.isfinite(y)]
    if lines and max(lines) - min(lines) <= 1e-9 * (1.0 + abs(max(lines))):
        ax.set_ylim(lines[0] - 1.0, lines[0] + 1.0)
    else:
        pad = 0.06 * (high - low)
        ax.set_ylim(low - pad, high + pad)


def _legend(ax: Axes, shown: Sequence[Branch], amplitude: bool) -> None:
    stable = any(b.stable.any() for b in shown)
    unstable = any((~b.stable).any() for b in shown)
    handles = []
    if stable:
        handles.append(Line2D([], [], color="black", lw=1.5, label="stable"))
    if unstable:
        handles.append(Line2D([], [], color="black", lw=1.1, ls=(0, (4, 2)), label="unstable"))
    points = [p for b in shown for p in b.special_points]
    if any(p.criticality == "subcritical" for p in points):
        colour, marker = mark_of(next(p.label for p in points if p.criticality == "subcritical"))
        handles.append(Line2D([], [], color=colour, marker=marker, mfc="white", ls="", label="subcritical"))
    if any(p.criticality == "supercritical" for p in points):
        colour, marker = mark_of(next(p.label for p in points if p.criticality == "supercritical"))
        handles.append(Line2D([], [], color=colour, marker=marker, ls="", label="supercritical"))
    if amplitude and any("amplitude" in p.normal_form for p in points):
        handles.append(Line2D([], [], color="0.4", lw=0.9, label="extent, first order"))
    handles += band_handles(shown)
    if any(b.profiles for b in shown):
        # Bands leave no room inside.
        ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, frameon=False)
    else:
        ax.legend(handles=handles, loc="best")
