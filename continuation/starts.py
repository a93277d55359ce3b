"""Starts: from a labelled point to the curve or branch that begins there.

Each takes the point and nothing else without a default.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.normal_forms import critical_vectors, normal_form
from gan_bifurcation.continuation.spectra import together
from gan_bifurcation.derived import iterate
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.profiles import Profile
from gan_bifurcation.system import System

# What special points of cycles start.
_CYCLES: Final = "gan_bifurcation.continuation.collocation_starts"
_CIRCLES: Final = "gan_bifurcation.continuation.circle_doubling"


@dataclass(frozen=True, eq=False)
class Start:
    """Where a trace begins, and in which direction.

    Attributes
    ----------
    system : System
    x : array (n,)
    parameter : str
        The parameter that `direction` refers to.
    direction : array (n + 1,)
        Tangent in states and that parameter.
    one_sided : bool
        Whether the opposite direction gives the same solutions.
    """

    system: System
    x: NDArray[np.float64]
    parameter: str
    direction: NDArray[np.float64]
    one_sided: bool = False

    @property
    def kind(self) -> str:
        """Whether it is an "equilibrium" or a "fixed point"."""
        return "equilibrium" if self.system.kind == "flow" else "fixed point"


@dataclass(frozen=True, eq=False)
class ProfileStart:
    """Where a trace of cycles (of a flow) or of invariant circles (of a map) begins.

    Attributes
    ----------
    system : System
        With the parameter values there.
    profile : Profile
        The cycle or circle to start from, or a guess that is to be corrected.
    parameter : str
        The parameter that the direction refers to; "" where none is given.
    direction : array (K, n) or None
        How the states of the profile change along the branch, None if that is for the trace to find out.
    slopes : pair of float
        How the period (or rotation number) and the parameter, in its own units, change with it.
    one_sided : bool
        Whether the opposite direction gives the same solutions: at the point where a cycle or circle is born.
    point : Point or None
        Where it came from.
    held : str
        "period" if the period of a cycle is held fixed along the branch; otherwise "".
    """

    system: System
    profile: Profile
    parameter: str = ""
    direction: NDArray[np.float64] | None = None
    slopes: tuple[float, float] = (0.0, 0.0)
    one_sided: bool = False
    point: Point | None = None
    held: str = ""

    @property
    def kind(self) -> str:
        """Whether it is a "cycle" or a "circle"."""
        return "cycle" if self.system.kind == "flow" else "circle"


def _require(point: Point, label: str, verb: str) -> None:
    if not isinstance(point, Point):
        raise MisuseError(f"{verb} takes a special point such as branch['{label}1'], got {type(point).__name__}.")
    if point.label != label:
        raise MisuseError(
            f"{verb} takes a point labelled {label}, got {point.name or point.label or 'an ordinary point'}."
        )
    if point.kind == "circle" and label != "PD":
        raise MisuseError(
            f"{point.name or point.label} is a point of circles, and of what begins there only the circles of a PD are "
            "followed; simulate the system beyond it, and start with gb.orbit_to_circle."
        )
    if point.multiplicity > 1:
        raise MisuseError(
            f"{together(point)}, so several branches start there; restrict the system to a fixed-point subspace with "
            "gb.restrict first."
        )


def branch_point_to_branch(point: Point) -> Start | ProfileStart:
    """The other branch through a branch point of equilibria, fixed points or cycles.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> s = gb.System.from_equations("flow", {"x": "a*x - x**3"}, parameters={"a": -1.0})
    >>> trivial = gb.trace(gb.point(s, {"x": 0.0}), {"a": (-1, 1)})
    >>> other = gb.trace(gb.branch_point_to_branch(trivial["BP1"]), {"a": (-1, 1)})
    >>> bool(abs(other.states[0, 0] ** 2 - other.parameters[0, 0]) < 1e-9)
    True
    """
    if isinstance(point, Point) and point.kind == "cycle":
        _require(point, "BPC", "branch_point_to_branch")
        found: ProfileStart = import_module(_CYCLES).crossing_cycles(point)
        return found
    _require(point, "BP", "branch_point_to_branch")
    if "other" not in point.vectors:
        raise MisuseError(
            "This branch point carries no tangent of the other branch; locate it by tracing a branch through it."
        )
    return Start(point.system, point.x, point.free[0], np.ascontiguousarray(point.vectors["other"].real))


def _cubic(point: Point) -> float:
    """The coefficient b of a flip; not a number where there is none."""
    try:
        return float((point.normal_form or normal_form(point))["b"])
    except (KeyError, MisuseError):
        return float("nan")


def flip_to_period_two(point: Point) -> Start | ProfileStart:
    """The branch of period-two points (fixed points of the second iterate) that starts at a flip.

    At a flip of cycles, it is the branch of cycles of twice the period. At a flip of invariant circles, the critical
    direction along the circle decides: either two circles begin that are mapped to each other (circles of the second
    iterate), or one that closes after two turns, with half the rotation number.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> s = gb.System.from_equations("map", {"x": "r*x*(1 - x)"}, parameters={"r": 2.0})
    >>> fixed = gb.trace(gb.point(s, {"x": 0.5}), {"r": (1.5, 3.5)})
    >>> two = gb.trace(gb.flip_to_period_two(fixed["PD1"]), {"r": (1.5, 3.5)})
    >>> round(two["PD1"].parameters["r"], 9)  # 1 + sqrt(6)
    3.449489743
    """
    _require(point, "PD", "flip_to_period_two")
    if point.kind == "cycle":
        found: ProfileStart = import_module(_CYCLES).double_cycles(point)
        return found
    if point.kind == "circle":
        circles: ProfileStart = import_module(_CIRCLES).doubled_circles(point)
        return circles
    if _cubic(point) == 0.0:
        raise MisuseError(
            f"At {point.name or 'this flip'} the coefficient b vanishes (a linear map, or a generalised flip), so that "
            "terms of third order do not say where points of period two begin; start from a flip beside it."
        )
    q, _ = critical_vectors(np.ascontiguousarray(point.system.jacobian(point.x)[:, : point.system.n]), -1.0)
    return Start(iterate(point.system, 2), point.x, point.free[0], np.append(q.real, 0.0), one_sided=True)
