"""What begins at a special point, by its label: for the sections of studies and for the command line."""

from importlib import import_module
from typing import Any, Final

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation import starts
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.simulate import Orbit

_STARTS: Final = "gan_bifurcation.continuation"
# What makes the start of a branch, by label.
_MAKERS: Final = {
    "BP": "branch_point_to_branch",
    "BPC": "branch_point_to_branch",
    "PD": "flip_to_period_two",
    "H": "hopf_to_cycles",
    "NS": "neimark_sacker_to_circles",
}
_OPTIONS: Final = {"amplitude": "NS", "intervals": "H"}
Start = starts.Start | starts.ProfileStart


def begin_at(point: Point, amplitude: float | None = None, intervals: int | None = None) -> Start:
    """The start of the branch that begins at a special point of another one.

    Parameters
    ----------
    point : Point
        BP (the other branch), PD (twice the period), H (cycles) or NS (invariant circles).
    amplitude : float, optional
        Of the first circle at an NS.
    intervals : int, optional
        Of the mesh of cycles at an H.

    Raises
    ------
    MisuseError
        If no branch begins there.
    """
    if point.label not in _MAKERS or len(point.free) != 1:
        raise MisuseError(
            "A branch begins at a BP (the other branch), a PD (twice the period), an H (cycles) or an NS (invariant "
            f"circles) of a branch over one parameter, but got {point.name or 'an ordinary point'}."
        )
    given = {"amplitude": amplitude, "intervals": intervals}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    for name in options:
        home = _OPTIONS[name]
        if point.label != home:
            raise MisuseError(
                f"'{name}' belongs to what begins at an {home}, but {point.name} is a {point.label}; leave it out."
            )
    made: Start = getattr(import_module(_STARTS), _MAKERS[point.label])(point, **options)
    return made


def begin_on(orbit: Orbit, intervals: int | None = None) -> starts.ProfileStart:
    """The start of the branch of cycles (of a flow) or circles (of a map) that a run has settled on.

    Parameters
    ----------
    orbit : Orbit
    intervals : int, optional
        Of the mesh of cycles.

    Raises
    ------
    MisuseError
        If the run has settled on something else.
    """
    home = import_module(_STARTS)
    if not orbit.outcome.converged:
        raise MisuseError(f"The run has settled on no cycle or circle: {orbit.outcome.message}")
    if orbit.system.kind == "map":
        if intervals is not None:
            raise MisuseError("'intervals' belongs to cycles of a flow, but this run is of a map; leave it out.")
        circle: starts.ProfileStart = home.orbit_to_circle(orbit)
        return circle
    cycle: starts.ProfileStart = home.orbit_to_cycle(orbit, **({} if intervals is None else {"intervals": intervals}))
    return cycle


def hold_period(point: Point) -> Start:
    """The start of a curve of cycles of fixed period over two parameters.

    Raises
    ------
    MisuseError
        If the point is no cycle.
    """
    if point.kind != "cycle":
        raise MisuseError(f"A curve of fixed period begins at a cycle, but got {point.name or 'an ordinary point'}.")
    made: Start = import_module(_STARTS).fixed_period(point)
    return made
