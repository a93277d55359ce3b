"""Cycles and invariant circles as PyDSTool's Pointsets, and PyCont's curve of limit cycles set up from one of ours."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.interop import _builder
from gan_bifurcation.interop._names import name_map, names_for

if TYPE_CHECKING:
    from gan_bifurcation.branch import Branch, Point

FloatArray = NDArray[np.float64]

_LARGEST_STEP: Final = 0.1
# A circle as a Pointset: so many points, since it has no mesh of its own.
_FINE: Final = 200


def cycle_pointset(point: Point) -> Any:
    """One cycle over time, or one circle over its phase in turns, closed; PyCont's `initcycle`.

    Raises
    ------
    MisuseError
        If the point has no profile.
    """
    from PyDSTool import Pointset

    if point.profile is None:
        raise MisuseError(f"{point!r} is no cycle or circle; take a point of a branch of them.")
    names = names_for(point.system.states)
    order = sorted(range(point.system.n), key=lambda k: names[point.system.states[k]])
    cycle = point.kind == "cycle"
    phases = np.asarray(point.profile.phases) if cycle else np.linspace(0.0, 1.0, _FINE + 1)
    states = np.asarray(point.profile.states) if cycle else point.profile.at(phases)
    return Pointset({
        "coordarray": np.ascontiguousarray(states[:, order].T),
        "coordnames": [names[point.system.states[k]] for k in order],
        "indepvararray": phases * point.period if cycle else phases,
        "indepvarname": "t",
        "name": point.name or point.kind,
    })  # fmt: skip


def branch_pointset(branch: Branch, points: Sequence[Point], names: Mapping[str, str], title: str) -> Any:
    """A branch of cycles or circles as PyCont writes its curves of limit cycles.

    Coordinates are the largest and least value of each state, the free parameters and the period (circles: the rotation
    number); each special point carries its cycle.
    """
    from PyDSTool import Pointset, args

    cycles = branch.system.kind == "flow"
    order = sorted(range(branch.system.n), key=lambda k: names[branch.system.states[k]])
    states = [branch.system.states[k] for k in order]
    columns = [f"{names[s]}_{word}" for word in ("max", "min") for s in states]
    columns += [*(names[k] for k in branch.free), "_T" if cycles else "_rho"]
    rows = [_row(branch, p, order) for p in points]
    table = Pointset({"coordarray": np.ascontiguousarray(np.array(rows).T), "coordnames": columns, "name": title})
    label = "LC" if cycles else "IC"
    count: dict[str, int] = {}
    for index, point in enumerate(points):
        data = args(evals=point.spectrum)
        table.addlabel(index, label, {"data": data, "stab": _stability(point), "domain": "inside"})
        if point.label:
            kind = "P" if point.label == "UZ" else point.label
            count[kind] = count.get(kind, 0) + 1
            table.addlabel(index, kind, _labelled(point, f"{kind}{count[kind]}"))
    for index in (0, len(points) - 1):
        if not points[index].label:
            count["P"] = count.get("P", 0) + 1
            table.addlabel(index, "P", _labelled(points[index], f"P{count['P']}"))
    return table


def _row(branch: Branch, point: Point, order: Sequence[int]) -> FloatArray:
    assert point.profile is not None
    high, low = point.profile.highest[order], point.profile.lowest[order]
    turns = point.profile.period if branch.system.kind == "flow" else point.profile.rotation_number
    return np.array([*high, *low, *(point.parameters[k] for k in branch.free), turns])


def _labelled(point: Point, name: str) -> dict[str, Any]:
    from PyDSTool import args

    nothing = {"udotps": None, "rldot": None}
    return {"name": name, "cycle": cycle_pointset(point), "data": args(V=nothing), "plot": args()}


def _stability(point: Point) -> str:
    """PyCont's letters: S stable, U unstable in all directions, N neither; the trivial multiplier left out."""
    sizes = np.abs(point.spectrum[1:])
    return "S" if np.all(sizes < 1.0) else "U" if np.all(sizes > 1.0) else "N"


def limit_cycle_curve(branch: Branch, points: Sequence[Point], name: str) -> Any:
    """A ContClass with PyCont's curve of limit cycles (LC-C), set up at the last cycle of the branch.

    Raises
    ------
    MisuseError
        If the branch is of circles, or over two parameters.
    MissingToolError
        If AUTO, which PyCont compiles for each system, cannot be built here.
    """
    if branch.system.kind != "flow" or len(branch.free) != 1:
        raise MisuseError("PyCont continues limit cycles of flows over one parameter; it has no curve of circles.")
    lacking = _builder.missing_tools()
    if lacking:
        raise _builder.MissingToolError(
            f"PyCont compiles AUTO for each curve of limit cycles and needs {' and '.join(lacking)}, not found on this "
            "machine; install what is missing, or take gb.to_pointset(branch), which needs no compiler."
        )
    from gan_bifurcation.interop.pydstool import in_build_folder, register

    last = branch.point(len(branch) - 1)
    assert last.profile is not None
    generator = register(last.system, initial=last.state)
    names = name_map(generator)
    from PyDSTool import ContClass, args

    curves = ContClass(generator)
    with in_build_folder(), warnings.catch_warnings():
        # SWIG's old interface to NumPy warns when it is imported.
        warnings.simplefilter("ignore", DeprecationWarning)
        curves.newCurve(
            args(
                name=name,
                type="LC-C",
                freepars=[names[branch.free[0]]],
                initpoint={names[key]: value for key, value in last.state.items()},
                initcycle=cycle_pointset(last),
                StepSize=1e-2,
                MaxStepSize=_LARGEST_STEP,
                NumCollocation=last.profile.degree,
                NumIntervals=len(last.profile.mesh) - 1,
                LocBifPoints="all",
                SaveEigen=True,
                verbosity=0,
            )
        )
    curves[name].sol = branch_pointset(branch, points, names, name)
    return curves
