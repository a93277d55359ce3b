"""Branches and orbits as PyDSTool's ContClass, Pointset and Trajectory, in PyCont's own format of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.interop._bridge import install
from gan_bifurcation.interop._cycles import branch_pointset, cycle_pointset, limit_cycle_curve
from gan_bifurcation.interop._names import name_map, names_for

__all__ = ["to_contclass", "to_pointset", "to_trajectory"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

# (kind of system, what the branch consists of) -> PyCont's type of curve.
_TYPES: Final[Mapping[tuple[str, str], str]] = {
    ("flow", "equilibria"): "EP-C",
    ("flow", "LP"): "LP-C",
    ("flow", "H"): "H-C2",
    ("map", "fixed points"): "FP-C",
    ("map", "LP"): "FD-C",
    ("map", "PD"): "FL-C",
    ("map", "NS"): "NS-C",
}
_CURVE_NAMES: Final[Mapping[str, str]] = {"EP-C": "EQ", "H-C2": "HC"}
# Labels that PyCont writes otherwise: folds of maps, and double Hopf points.
_LABELS: Final[Mapping[tuple[str, str], str]] = {("map", "LP"): "LPC", ("flow", "HH"): "DH"}
# PyCont's own tolerance between stable and neutral.
_NEUTRAL: Final = 1e-6
_LARGEST_STEP: Final = 0.1


@dataclass(frozen=True)
class _Row:
    """One point of a curve; `special` where it carries a label of its own."""

    x: FloatArray
    parameters: FloatArray
    spectrum: ComplexArray
    special: Point | None


def to_contclass(branch: Branch, name: str | None = None) -> Any:
    """A branch as a PyDSTool ContClass with the curve set up, as if PyCont had computed it.

    Parameters
    ----------
    branch : Branch
        Equilibria, fixed points, cycles of a flow, or a curve of LP, H (flows), LP, PD or NS points (maps) in two
        parameters. For cycles PyCont compiles AUTO, and needs SWIG and a C compiler.
    name : str, optional
        Of the curve: by default "EQ" for equilibria, "HC" for Hopf points, "LC" for cycles, and otherwise the first
        letters of PyCont's type ("FP", "LP", "FD", "FL", "NS").

    Returns
    -------
    ContClass
        Its generator (``.gensys``) is the registered system; `name_map` tells the names. Special points are labelled
        (folds of maps are PyCont's "LPC", double Hopf points its "DH"), so that ``getSpecialPoint``, ``display``,
        ``newCurve(args(initpoint="EQ:LP1", ...))`` and ``forward`` go on from here. PyCont draws from `numpy.random`:
        seed it for repeatable curves.

    Raises
    ------
    MisuseError
        If PyCont has no such curve.
    """
    _check(branch, Branch)
    install()
    from gan_bifurcation.interop.pydstool import register

    if branch.profiles:
        return limit_cycle_curve(branch, _turning(branch), name or "LC")
    kind = _curve_type(branch)
    rows = _rows(branch)
    # PyCont prepares its defining system at the initial point; it will go on from the last one.
    last = rows[-1]
    at = branch.system.with_parameters(**dict(zip(branch.free, last.parameters.tolist(), strict=True)))
    generator = register(at, initial=dict(zip(at.states, last.x.tolist(), strict=True)))
    names = name_map(generator)
    from PyDSTool import ContClass, args

    curves = ContClass(generator)
    title = name or _CURVE_NAMES.get(kind, kind.partition("-")[0])
    steps = np.linalg.norm(np.diff([np.r_[row.x, row.parameters] for row in rows], axis=0), axis=1)
    typical = float(np.median(steps)) if len(steps) else _LARGEST_STEP
    curves.newCurve(
        args(
            name=title,
            type=kind,
            freepars=[names[parameter] for parameter in branch.free],
            initpoint={names[key]: value for key, value in zip(at.states, last.x.tolist(), strict=True)},
            StepSize=max(min(typical, _LARGEST_STEP), 1e-4),
            MaxStepSize=max(typical, _LARGEST_STEP),
            LocBifPoints="all",
            SaveEigen=True,
            verbosity=0,
        )
    )
    curves[title].sol = _pointset(branch, rows, names, kind, title)
    return curves


def _check(branch: Any, kinds: Any) -> None:
    if not isinstance(branch, kinds):
        raise MisuseError(f"Expected a Branch, as gb.trace gives, got {type(branch).__name__}.")


def to_pointset(branch: Branch | Point) -> Any:
    """A branch as a PyDSTool Pointset, labelled as PyCont labels its solutions; or one cycle or circle, closed.

    Parameters
    ----------
    branch : Branch or Point
        A point must be a cycle or an invariant circle.

    Returns
    -------
    Pointset
        Coordinates are the states and the free parameters under PyDSTool's names; special points are rows of their own.
        For cycles and circles they are the largest and least values of the states, the parameters and the period "_T"
        (rotation number "_rho"), and special points carry their cycle. One cycle is over time, one circle over its
        phase in turns.

    Raises
    ------
    MisuseError
        If PyCont has no such curve.
    """
    _check(branch, Branch | Point)
    install()
    if isinstance(branch, Point):
        return cycle_pointset(branch)
    if branch.profiles:
        every = names_for((*branch.system.states, *branch.system.parameters))
        return branch_pointset(branch, _turning(branch), every, branch.system.name)
    kind = _curve_type(branch)
    names = names_for((*branch.system.states, *branch.system.parameters))
    return _pointset(branch, _rows(branch), names, kind, branch.system.name)


def to_trajectory(orbit: Any, name: str = "orbit", *, discrete: bool | None = None) -> Any:
    """An orbit as a PyDSTool Trajectory.

    Parameters
    ----------
    orbit
        With ``times`` (N,), ``states`` (N, n) and ``names`` (n).
    name : str
    discrete : bool, optional
        Whether the trajectory is defined at its times only, as of a map. By default it is if the times are integers;
        otherwise it can be called between them.

    Returns
    -------
    Trajectory
    """
    if not hasattr(orbit, "times"):
        raise MisuseError(f"A Trajectory is made of an orbit, as gb.simulate gives, got {type(orbit).__name__}.")
    install()
    from PyDSTool.Trajectory import numeric_to_traj

    times, states = np.asarray(orbit.times), np.asarray(orbit.states, dtype=np.float64)
    if states.shape != (len(times), len(orbit.names)):
        raise MisuseError(
            f"Got states of shape {states.shape}, expected ({len(times)}, {len(orbit.names)}): a row per time."
        )
    if discrete is None:
        discrete = bool(np.issubdtype(times.dtype, np.integer))
    columns = list(names_for(orbit.names).values())
    return numeric_to_traj(
        np.ascontiguousarray(states.T),
        name,
        columns,
        indepvar=times.astype(np.float64),
        indepvarname="t",
        discrete=discrete,
    )


def _curve_type(branch: Branch) -> str:
    kind = _TYPES.get((branch.system.kind, branch.curve))
    if kind is None:
        known = sorted(curve for system, curve in _TYPES if system == branch.system.kind)
        raise MisuseError(
            f"PyCont has no curve of '{branch.curve}' for a {branch.system.kind}; it has {', '.join(known)}."
        )
    return kind


def _turning(branch: Branch) -> list[Point]:
    """The cycles or circles of a branch with its special points put in; tongues are no circles."""
    found = [(float(k), branch.point(k)) for k in range(len(branch))]
    found += [(float(p.index), p) for p in branch.special_points if p.profile is not None and np.isfinite(p.index)]
    return [point for _, point in sorted(found, key=lambda entry: entry[0])]


def _rows(branch: Branch) -> list[_Row]:
    """Points and special points in the order of the branch."""
    found = [
        (float(index), _Row(branch.states[index], branch.parameters[index], branch.spectrum[index], None))
        for index in range(len(branch))
    ]
    for point in branch.special_points:
        if np.isfinite(point.index):
            values = np.array([point.system.parameters[name] for name in branch.free])
            found.append((float(point.index), _Row(point.x, values, point.spectrum, point)))
    # Sorting is stable: a special point that coincides with a point of the branch comes after it.
    return [row for _, row in sorted(found, key=lambda entry: entry[0])]


def _pointset(branch: Branch, rows: Sequence[_Row], names: Mapping[str, str], kind: str, title: str) -> Any:
    from PyDSTool import Pointset, args

    order = sorted(range(branch.system.n), key=lambda index: names[branch.system.states[index]])
    columns = [names[branch.system.states[index]] for index in order] + [names[key] for key in branch.free]
    values = np.array([np.r_[row.x[order], row.parameters] for row in rows])
    if kind == "H-C2":
        # PyCont's Hopf curve carries the square of the frequency as a coordinate.
        columns.append("_k")
        values = np.column_stack([values, [_squared_frequency(row.spectrum) for row in rows]])
    tangents, steps = _tangents(values)
    table = Pointset({"coordarray": np.ascontiguousarray(values.T), "coordnames": columns, "name": title})
    label = kind.partition("-")[0]
    count: dict[str, int] = {}
    for index, row in enumerate(rows):
        tangent = dict(zip(columns, tangents[index].tolist(), strict=True))
        data = args(V=tangent, ds=float(steps[index]), evals=row.spectrum)
        stability = _stability(branch.system.kind, row.spectrum)
        table.addlabel(index, label, {"data": data, "stab": stability, "domain": "inside"})
        if row.special is not None:
            kind_of_point = _LABELS.get((branch.system.kind, row.special.label), row.special.label)
            count[kind_of_point] = count.get(kind_of_point, 0) + 1
            details = _details(
                branch, row.special, dict(zip(columns, values[index].tolist(), strict=True)), tangent, names
            )
            entry = {"name": f"{kind_of_point}{count[kind_of_point]}", "data": details, "plot": args()}
            if kind_of_point == label:
                # On a curve of folds, "LP" labels every point already.
                entry = {**table[index].labels[label], **entry}
                table.removelabel(index, label)
            table.addlabel(index, kind_of_point, entry)
    for number, index in enumerate((0, len(rows) - 1), start=1):
        tangent = dict(zip(columns, tangents[index].tolist(), strict=True))
        table.addlabel(index, "P", {"name": f"P{number}", "data": args(V=tangent), "plot": args()})
    return table


def _tangents(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Unit tangents by chords between the neighbours, and the distance to the next point."""
    if len(values) == 1:
        return np.eye(1, values.shape[1], values.shape[1] - 1), np.array([_LARGEST_STEP])
    chords = np.empty_like(values)
    chords[1:-1] = values[2:] - values[:-2]
    chords[0], chords[-1] = values[1] - values[0], values[-1] - values[-2]
    length = np.linalg.norm(chords, axis=1, keepdims=True)
    steps = np.linalg.norm(np.diff(values, axis=0), axis=1)
    steps = np.r_[steps, steps[-1]]
    return chords / np.where(length > 0.0, length, 1.0), np.where(steps > 0.0, steps, _LARGEST_STEP)


def _stability(kind: str, spectrum: ComplexArray) -> str:
    """PyCont's letters: S stable, U unstable in all directions, N neither."""
    growth = spectrum.real if kind == "flow" else np.abs(spectrum) - 1.0
    return "S" if np.all(growth < -_NEUTRAL) else "U" if np.all(growth > _NEUTRAL) else "N"


def _squared_frequency(spectrum: ComplexArray) -> float:
    """k = omega**2 of the pair whose sum is nearest to zero (negative at a neutral saddle)."""
    if len(spectrum) < 2:
        return 0.0
    first, second = np.triu_indices(len(spectrum), 1)
    pair = int(np.argmin(np.abs(spectrum[first] + spectrum[second])))
    return float((spectrum[first[pair]] * spectrum[second[pair]]).real)


def _details(
    branch: Branch, point: Point, at: Mapping[str, float], tangent: Mapping[str, float], names: Mapping[str, str]
) -> Any:
    """What PyCont stores with a special point."""
    from PyDSTool import args

    data = args(X=dict(at), V=dict(tangent), eigs=point.spectrum)
    coefficients = {"LP": ("a",), "H": ("l1",), "PD": ("b",), "NS": ("d", "theta"), "CP": ("c",), "GH": ("l2",)}
    for key in coefficients.get(point.label, ()):
        if key in point.normal_form:
            setattr(data, key, point.normal_form[key])
    if point.label == "H":
        data.w = float(np.sqrt(max(_squared_frequency(point.spectrum), 0.0)))
    if len(branch.free) == 1 and point.label in ("BP", "PD"):
        data.branch = _other_branch(branch, point, tangent, names)
    if point.label == "PD":
        data.branch_period = 2
    return data


def _other_branch(
    branch: Branch, point: Point, tangent: Mapping[str, float], names: Mapping[str, str]
) -> dict[str, float]:
    """The direction in which another branch leaves, as PyCont's switching wants it."""
    system = branch.system
    columns = [*range(system.n), system.n + system.parameter_index(branch.free[0])]
    matrix = system.jacobian(point.x, point.system.parameter_vector())[:, columns]
    keys = [names[state] for state in system.states] + [names[branch.free[0]]]
    if point.label == "PD":
        # The critical eigenvector; the parameter stands still to first order.
        _, _, right = np.linalg.svd(matrix[:, :-1] + np.eye(system.n))
        direction = np.r_[right[-1], 0.0]
    else:
        if system.kind == "map":
            matrix = matrix - np.eye(*matrix.shape)
        along = np.array([tangent[key] for key in keys])
        _, _, right = np.linalg.svd(matrix)
        # The null space is a plane at a branch point; of it, what is perpendicular to this branch.
        plane = right[-2:]
        inside = plane @ along
        direction = np.array([-inside[1], inside[0]]) @ plane
    return dict(zip(keys, (direction / np.linalg.norm(direction)).tolist(), strict=True))
