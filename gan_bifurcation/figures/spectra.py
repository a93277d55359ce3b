"""Spectra along a branch: paths in the complex plane, and the size that decides stability."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm, Normalize
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from gan_bifurcation.branch import Branch
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.figures.polylines import nodes, size_of, spectrum_at
from gan_bifurcation.figures.scales import looks_logarithmic, tidy
from gan_bifurcation.figures.style import GREY, LINE_COLOURS, as_list, axes_or_new, figure_of, mark_of, styled
from gan_bifurcation.figures.text import math_name, place_labels

# Spectra are computed at about so many places, so that colliding eigenvalues meet at a right angle on paper.
_PLACES = 320
# Eigenvalues closer than this, relative to their size, are drawn as one with their number beside it.
_SAME = 1e-6
_ON = 1e-6
# What is left of equal eigenvalues after rounding.
_EQUAL = 1e-12
# So many along a path look like one that changes all the way.
_COLOURS = 96
# So often is a step halved in which eigenvalues leave the real axis: what is left of a square root is a hundredth.
_HALVINGS = 14


@styled
def spectrum_path(branch: Branch, *, colour_bar: bool = True, ax: Axes | None = None) -> Axes:
    """Eigenvalues or multipliers in the complex plane as the parameter grows, with the axis or circle that decides.

    Parameters
    ----------
    branch : Branch
        Over one parameter.
    colour_bar : bool
        Whether to show which colour is which value.
    ax : Axes, optional

    Returns
    -------
    Axes
        Paths coloured by the parameter, with arrows in its direction; rings and names where an eigenvalue is critical.
    """
    name = _parameter(branch)
    ax = axes_or_new(ax, aspect=0.85)
    kind = _kind(branch)
    values, spectra = _dense_spectra(branch, name)
    logarithmic = looks_logarithmic(branch, name)
    norm = LogNorm(values.min(), values.max()) if logarithmic else Normalize(values.min(), values.max())
    places = np.log(values) if logarithmic else values
    paths = _matched(places, spectra)
    _threshold(ax, kind, paths)
    colours = colormaps["viridis"].resampled(_COLOURS)
    middles = 0.5 * (values[:-1] + values[1:])
    # A piece for each colour, not for each step.
    cuts = [0, *(np.flatnonzero(np.diff(np.floor(_COLOURS * np.asarray(norm(middles))))) + 1), len(middles)]
    for path in _distinct(paths):
        points = np.column_stack([path.real, path.imag])
        pieces = [points[a : b + 1] for a, b in pairwise(cuts)]
        collection = LineCollection(pieces, cmap=colours, norm=norm, linewidths=1.6, zorder=3, capstyle="round")
        collection.set_array(middles[cuts[:-1]])
        ax.add_collection(collection)
        _arrows(ax, points, places, values, colours, norm)
    _still(ax, spectra)
    labels = []
    for point in branch.special_points:
        if np.isnan(point.critical):
            continue
        colour, marker = mark_of(point.label)
        pair = {complex(point.critical), complex(np.conj(point.critical))}
        for z in pair:
            ax.plot([z.real], [z.imag], marker=marker, ls="", color=colour, mfc="white", mew=1.2, zorder=6)
        top = max(pair, key=lambda z: z.imag)
        labels.append((top.real, top.imag, point.name, colour))
    ax.set_xlabel(r"$\mathrm{Re}\,\rho$" if kind == "map" else r"$\mathrm{Re}\,s$")
    ax.set_ylabel(r"$\mathrm{Im}\,\rho$" if kind == "map" else r"$\mathrm{Im}\,s$")
    if colour_bar:
        bar = figure_of(ax).colorbar(_mappable(colours, norm), ax=ax, label=math_name(name), pad=0.02, aspect=28)
        tidy(bar.ax)
    place_labels(ax, labels, [np.column_stack([p.real, p.imag]) for p in paths.T])
    return ax


@styled
def spectral_radius(
    branches: Branch | Sequence[Branch], *, labels: Sequence[str] | None = None, ax: Axes | None = None
) -> Axes:
    """The largest modulus of the multipliers, or real part of the eigenvalues, against the parameter.

    Parameters
    ----------
    branches : Branch or sequence of Branch
        All over the same parameter, all maps or all flows.
    labels : sequence of str, optional
        What each branch is called in the legend; by default the update rule, where these differ.
    ax : Axes, optional

    Returns
    -------
    Axes
        With the threshold, and the crossings named.
    """
    shown = as_list(branches, Branch)
    name = _parameter(shown[0])
    kind = _kind(shown[0])
    if any(b.free != (name,) or _kind(b) != kind for b in shown):
        raise MisuseError(
            "The branches of one figure have the same free parameter, and all have multipliers or all have eigenvalues."
        )
    ax = axes_or_new(ax)
    threshold = 1.0 if kind == "map" else 0.0
    ax.axhline(threshold, color=GREY, lw=0.9, ls=(0, (1, 1)), zorder=1)
    marks, curves = [], []
    for number, branch in enumerate(shown):
        values, spectra = _dense_spectra(branch, name)
        sizes = np.max(spectra.real if kind == "flow" else np.abs(spectra), axis=1)
        if branch.profiles:
            # Located points lie on the threshold, to one side of it by rounding.
            sizes = np.where(np.abs(sizes - threshold) < _ON, threshold, sizes)
        colour = LINE_COLOURS[number % len(LINE_COLOURS)]
        below = np.where(sizes <= threshold, sizes, np.nan)
        # The piece that crosses belongs to the unstable side, so that no gap shows.
        crossing = np.flatnonzero(np.diff(sizes > threshold))
        above = np.where(sizes > threshold, sizes, np.nan)
        for k in crossing:
            above[k], above[k + 1] = sizes[k], sizes[k + 1]
        ax.plot(values, below, color=colour, lw=1.5, zorder=3)
        ax.plot(values, above, color=colour, lw=1.1, ls=(0, (4, 2)), zorder=3)
        curves.append(np.column_stack([values, sizes]))
        for point in branch.special_points:
            if not len(point.spectrum):
                continue
            mark, marker = mark_of(point.label)
            x, y = point.system.parameters[name], size_of(point)
            ax.plot([x], [y], marker=marker, ls="", color=mark, zorder=6)
            marks.append((x, y, point.name or point.label, mark))
    if looks_logarithmic(shown[0], name):
        ax.set_xscale("log")
    ax.set_xlim(min(c[:, 0].min() for c in curves), max(c[:, 0].max() for c in curves))
    sizes = np.concatenate([c[:, 1] for c in curves])
    _limit(ax, sizes, threshold)
    tidy(ax)
    ax.set_xlabel(math_name(name))
    ax.set_ylabel(r"spectral radius $\max|\rho|$" if kind == "map" else r"$\max\,\mathrm{Re}\,s$")
    named = _rules(shown) if labels is None else list(labels)
    lines = [Line2D([], [], color=LINE_COLOURS[k % len(LINE_COLOURS)], lw=1.5, label=w) for k, w in enumerate(named)]
    stable = GREY if lines else "black"
    handles = [
        *lines,
        Line2D([], [], color=stable, lw=1.5, label="stable"),
        Line2D([], [], color=stable, lw=1.1, ls=(0, (4, 2)), label="unstable"),
        Line2D([], [], color=GREY, lw=0.9, ls=(0, (1, 1)), label="threshold"),
    ]
    ax.legend(handles=handles, loc="best")
    place_labels(ax, marks, curves)
    return ax


def _rules(branches: Sequence[Branch]) -> list[str]:
    """The update rules of branches in words, if no two are the same; otherwise nothing."""
    from gan_bifurcation.rules.tables import RULES

    words = [next((w for w, kind in RULES.items() if type(b.system.rule) is kind), "") for b in branches]
    return [w.replace("_", " ") for w in words] if all(words) and len(set(words)) == len(words) > 1 else []


def _kind(branch: Branch) -> str:
    """Whether a "map"'s multipliers or a "flow"'s eigenvalues decide; cycles of flows have multipliers."""
    return "map" if branch.profiles else branch.system.kind


def _parameter(branch: Any) -> str:
    if not isinstance(branch, Branch) or len(branch.free) != 1 or not len(branch):
        raise MisuseError(
            "A spectrum is drawn along a branch over one parameter, such as gb.trace(point, {'eta_d': (0.1, 1)})."
        )
    return branch.free[0]


def _dense_spectra(branch: Branch, name: str) -> tuple[Any, Any]:
    """Values of the parameter and spectra (N, n), at the points of the branch and between them."""
    if branch.profiles:
        return _of_profiles(branch, name)
    found = nodes(branch)
    fine = max(1, _PLACES // max(len(found.index) - 1, 1)) if branch.system.n <= 80 else 1
    logarithmic = looks_logarithmic(branch, name)

    def at(place: float) -> tuple[float, Any]:
        """The parameter and the spectrum some way between two points."""
        k = min(int(place), len(found.index) - 2)
        f = place - k
        a, b = found.parameters[k], found.parameters[k + 1]
        p = a * (b / a) ** f if logarithmic else a + f * (b - a)
        return float(p[0]), spectrum_at(branch, p, found.states[k] + f * (found.states[k + 1] - found.states[k]))

    if len(found.index) < 2:
        return found.parameters[:, 0], np.array([spectrum_at(branch, found.parameters[0], found.states[0])])
    places = (np.arange((len(found.index) - 1) * fine + 1) / fine).tolist()
    known = {place: at(place) for place in places}
    for low, high in pairwise(places):
        # Where two real eigenvalues meet and leave the axis, they move like a square root: steps are halved there.
        for _ in range(_HALVINGS if branch.system.n <= 80 else 0):
            if _turning(known[low][1]) == _turning(known[high][1]):
                break
            middle = 0.5 * (low + high)
            known[middle] = at(middle)
            if _turning(known[middle][1]) == _turning(known[low][1]):
                low = middle
            else:
                high = middle
    ordered = [known[place] for place in sorted(known)]
    return np.array([value for value, _ in ordered]), np.array([spectrum for _, spectrum in ordered])


def _turning(spectrum: Any) -> int:
    """How many eigenvalues are not real, apart from rounding of those that many share."""
    return int(np.sum(np.abs(spectrum.imag) > _SAME * (1.0 + np.max(np.abs(spectrum)))))


def _of_profiles(branch: Branch, name: str) -> tuple[Any, Any]:
    """Values of the parameter and multipliers (N, n - 1) of cycles or circles, without the trivial one."""
    extra = [p for p in branch.special_points if p.profile is not None and np.isfinite(p.index)]
    index = np.concatenate([np.arange(len(branch)), [p.index for p in extra]])
    order = np.argsort(index, kind="stable")
    values = np.concatenate([branch.column(name), [p.parameters[name] for p in extra]])[order]
    spectra = np.concatenate([branch.spectrum, *(p.spectrum[None] for p in extra)])[order]
    return values, spectra[:, 1:]


def _matched(places: Any, spectra: Any) -> Any:
    """Columns that follow one eigenvalue each: nearest to where the last step points."""
    out = np.empty(spectra.shape, dtype=complex)
    out[0] = spectra[0][np.argsort(-spectra[0].imag, kind="stable")]
    for k in range(1, len(spectra)):
        before = places[k - 1] - places[k - 2] if k > 1 else 0.0
        stride = (places[k] - places[k - 1]) / before if before != 0.0 else 0.0
        ahead = out[k - 1] + stride * (out[k - 1] - out[k - 2]) if k > 1 else out[k - 1]
        cost = np.abs(ahead[:, None] - spectra[k][None, :]) + np.abs(out[k - 1][:, None] - spectra[k][None, :])
        out[k] = spectra[k][_assigned(cost)]
    return out


def _assigned(cost: Any) -> Any:
    """For each row a column of its own, so that they cost least together."""
    rows = np.arange(len(cost))
    # Mostly each row's cheapest column is free, and equal eigenvalues are equally cheap: nothing can cost less.
    left, chosen = cost.copy(), np.empty(len(cost), dtype=int)
    for row in rows:
        chosen[row] = left[row].argmin()
        left[:, chosen[row]] = np.inf
    least = cost.min(axis=1)
    if np.all(cost[rows, chosen] <= least + _EQUAL * (1.0 + cost.max())):
        return chosen
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(cost)[1]


def _distinct(paths: Any) -> list[Any]:
    """Each path once, where several eigenvalues stay equal all the way."""
    scale = 1.0 + float(np.max(np.abs(paths)))
    kept: list[Any] = []
    for path in paths.T:
        if all(np.max(np.abs(path - other)) > _SAME * scale for other in kept):
            kept.append(path)
    return kept


def _threshold(ax: Axes, kind: str, paths: Any) -> None:
    reach = float(np.max(np.abs(paths))) if paths.size else 1.0
    ax.axhline(0.0, color="0.85", lw=0.6, zorder=0)
    if kind == "map":
        angle = np.linspace(0, 2 * np.pi, 361)
        ax.plot(np.cos(angle), np.sin(angle), color=GREY, lw=0.9, zorder=1)
        ax.fill(np.cos(angle), np.sin(angle), color="0.96", zorder=0)
        ax.axvline(0.0, color="0.85", lw=0.6, zorder=0)
        # Far outside the circle the paths say little; they are cut there.
        lim = float(np.clip(1.08 * reach, 1.15, 2.2))
        ax.set_xlim(-lim, lim)
        ax.set_ylim(-lim, lim)
        ax.set_aspect("equal")
    else:
        # What runs far away along the real axis would flatten everything else.
        most = 3.0 * max(float(np.abs(paths.imag).max()), float(np.median(np.abs(paths.real))), 1e-9)
        low, high = max(float(paths.real.min()), -most), min(float(paths.real.max()), most)
        top = max(1.1 * float(np.abs(paths.imag).max()), 0.05 * reach, 1e-9)
        pad = 0.08 * max(high - low, 0.1 * reach, 1e-9)
        ax.set_xlim(min(low, 0.0) - pad, max(high, 0.0) + pad)
        ax.set_ylim(-top, top)
        ax.xaxis.set_major_locator(MaxNLocator(5))
        ax.axvline(0.0, color=GREY, lw=0.9, zorder=1)
        ax.axvspan(min(low, 0.0) - pad, 0.0, color="0.96", zorder=0)


def _arrows(ax: Axes, points: Any, places: Any, values: Any, colours: Any, norm: Any) -> None:
    """Arrows at thirds of the way that is visible, in the direction of the growing parameter."""
    if places[-1] < places[0]:
        points, values = points[::-1], values[::-1]
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    scale = np.array([x1 - x0, y1 - y0])
    seen = (points[:, 0] > x0) & (points[:, 0] < x1) & (points[:, 1] > y0) & (points[:, 1] < y1)
    steps = np.hypot(*(np.diff(points, axis=0) / scale).T) * (seen[:-1] & seen[1:])
    length = np.concatenate([[0.0], np.cumsum(steps)])
    if length[-1] < 0.12:
        return
    for share in (0.3, 0.75):
        k = int(np.clip(np.searchsorted(length, share * length[-1]), 1, len(points) - 1))
        a, b = points[k - 1], points[k]
        if np.allclose(a, b):
            continue
        style: dict[str, Any] = {"arrowstyle": "-|>", "lw": 0.8, "mutation_scale": 9, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", xy=b, xytext=a, zorder=4, arrowprops={**style, "color": colours(norm(values[k]))})


def _still(ax: Axes, spectra: Any) -> None:
    """Eigenvalues that many share at the last point, with their number."""
    last = spectra[-1]
    scale = 1.0 + float(np.abs(last).max())
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    left = list(last)
    while left:
        z = left[0]
        group = [w for w in left if abs(w - z) < _SAME * scale]
        left = [w for w in left if abs(w - z) >= _SAME * scale]
        if len(group) > 2 and x0 < z.real < x1 and y0 < z.imag < y1:
            ax.annotate(
                f"×{len(group)}",
                (z.real, z.imag),
                xytext=(0, -9),
                textcoords="offset points",
                ha="center",
                va="top",
                fontsize=6.5,
                color=GREY,
            )


def _mappable(colours: Any, norm: Any) -> Any:
    from matplotlib.cm import ScalarMappable

    return ScalarMappable(norm=norm, cmap=colours)


def _limit(ax: Axes, sizes: Any, threshold: float) -> None:
    """Show the threshold with room on both sides, and cut what is far above it."""
    finite = sizes[np.isfinite(sizes)]
    low, high = float(finite.min()), float(finite.max())
    below = max(threshold - low, 0.02)
    high = min(max(high, threshold + 0.25 * below), threshold + 3.0 * below)
    low = min(low, threshold - 0.1 * (high - threshold))
    pad = 0.06 * (high - low)
    ax.set_ylim(low - pad, high + pad)
