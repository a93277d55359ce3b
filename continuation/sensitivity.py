"""Which knob moves a border most: derivatives of a bifurcation value in all other parameters, exactly."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.curves import curve_problem, start_on_curve
from gan_bifurcation.continuation.scales import natural_scale
from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.ranges import Range

if TYPE_CHECKING:
    import pandas as pd

# Below this, relative to the largest entry of the tangent, a component is rounding.
_ROUNDING: Final = 1e-11
_SINGULAR: Final = 1e-9


@dataclass(frozen=True)
class Knob:
    """How one parameter moves a bifurcation point.

    Attributes
    ----------
    parameter : str
    derivative : float
        Of the bifurcation value of the free parameter. Infinite where that value turns back.
    relative : float
        The same in relative changes (elasticity): 1 % of this parameter moves the value by this many per cent. Zero for
        a parameter that is zero, NaN where the bifurcation value is.
    frequency : float
        Derivative of the frequency (H) or of the angle (NS) that the bifurcation has; NaN for others.
    """

    parameter: str
    derivative: float
    relative: float
    frequency: float


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """How all other parameters move a bifurcation point, the strongest first.

    Attributes
    ----------
    point : Point
    free : str
        The parameter whose bifurcation value it is about.
    value : float
    knobs : tuple of Knob
        Sorted by the size of the relative change.
    """

    point: Point
    free: str
    value: float
    knobs: tuple[Knob, ...]

    def __iter__(self) -> Iterator[Knob]:
        return iter(self.knobs)

    def __len__(self) -> int:
        return len(self.knobs)

    def __getitem__(self, parameter: str) -> Knob:
        for knob in self.knobs:
            if knob.parameter == parameter:
                return knob
        raise unknown_name("parameter", parameter, [k.parameter for k in self.knobs])

    @property
    def words(self) -> str:
        """Which knob moves this border most, in a sentence."""
        name = self.point.name or self.point.label
        moving = [k for k in self.knobs if k.derivative != 0.0]
        if not moving:
            return f"No other parameter moves {name} at {self.free} = {self.value:.6g}."
        first, *others = moving
        text = f"{name} at {self.free} = {self.value:.6g} is moved most by {_effect(first, self.free)}"
        if others:
            text += "; then " + ", ".join(f"{k.parameter} ({_number(k)})" for k in others[:4])
        idle = [k.parameter for k in self.knobs if k.derivative == 0.0]
        if idle:
            text += f"; not by {', '.join(idle)}"
        return text + "."

    def __repr__(self) -> str:
        return f"<Sensitivity: {self.words}>"

    def to_dataframe(self) -> "pd.DataFrame":
        """One row per parameter (needs pandas)."""
        import pandas as pd

        return pd.DataFrame([vars(k) for k in self.knobs])


def _number(knob: Knob) -> str:
    return f"{knob.relative:+.3g} %" if knob.relative else f"slope {knob.derivative:+.3g}"


def _effect(knob: Knob, free: str) -> str:
    if knob.relative and np.isfinite(knob.relative):
        return f"{knob.parameter}: 1 % more of it moves {free} by {knob.relative:+.3g} %"
    return f"{knob.parameter}: its slope is {knob.derivative:+.3g}"


def sensitivity(point: Point, free: str | None = None) -> Sensitivity:
    """How the value at which a bifurcation happens depends on every other parameter.

    Parameters
    ----------
    point : Point
        With a label that has a curve (LP, BP, H, PD, NS) or of an event.
    free : str, optional
        The parameter whose bifurcation value is meant; the first that was free where the point was found by default.

    Returns
    -------
    Sensitivity

    Raises
    ------
    MisuseError
        If the point has no curve, or the equations are singular there (a point of codimension two, or a parameter that
        does not move the critical eigenvalue).

    Notes
    -----
    Implicit function theorem on the extended system of the bifurcation (equilibrium, and the bordered scalar that
    vanishes with the critical eigenvalue), with exact derivatives: the tangent of the bifurcation curve in the plane of
    the free and each other parameter.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> henon = gb.System.from_equations("map", {"x": "a - x**2 + b*y", "y": "x"}, parameters={"a": 0.1, "b": 0.3})
    >>> branch = gb.trace(gb.point(henon, {"x": 0.1, "y": 0.1}), {"a": (-1, 2)})
    >>> found = gb.sensitivity(branch["PD1"])
    >>> round(found["b"].derivative, 10)  # a = 3 (1 - b)**2 / 4
    -1.05
    >>> found.words
    'PD1 at a = 0.3675 is moved most by b: 1 % more of it moves a by -0.857 %.'
    """
    if not isinstance(point, Point):
        raise MisuseError(f"Sensitivity is that of a special point such as branch['H1'], got {type(point).__name__}.")
    if point.profile is not None:
        raise MisuseError("Sensitivity is that of points of equilibria and fixed points, got one of a cycle or circle.")
    system = point.system
    if free is None:
        if not point.free:
            raise MisuseError(
                "Nothing was free where this point was found; name the parameter whose bifurcation value is meant."
            )
        free = point.free[0]
    system.parameter_index(free)
    others = [name for name in system.parameters if name != free]
    value = system.parameters[free]
    knobs = [_knob(point, free, name, value) for name in others]
    knobs.sort(key=lambda k: (-_size(k.relative), -_size(k.derivative), k.parameter))
    return Sensitivity(point, free, value, tuple(knobs))


def _size(value: float) -> float:
    return 0.0 if np.isnan(value) else abs(value)


def _around(value: float) -> Range:
    """A window whose unit is the parameter's own size, so that no entry of the equations dwarfs the others."""
    size = abs(value) if value else 1.0
    return Range(value - size, value + size)


def _knob(point: Point, free: str, name: str, value: float) -> Knob:
    """The tangent of the curve in the plane of two parameters."""
    system = point.system
    windows = {free: _around(value), name: _around(system.parameters[name])}
    problem = curve_problem(point, windows, natural_scale(system, point.x, {}))
    u = start_on_curve(problem, point)
    _, d = problem.residual(u)
    rows = np.max(np.abs(d), axis=1)
    scaled = d / np.where(rows > 0.0, rows, 1.0)[:, None]
    _, s, right = np.linalg.svd(scaled)
    if s[-1] <= _SINGULAR * s[0]:
        raise MisuseError(
            f"{point.name or point.label} cannot be located in {free} alone: its equations are singular (a point of "
            "codimension two, or the parameter does not move the critical eigenvalue); name another parameter."
        )
    t = np.where(np.abs(right[-1]) < _ROUNDING * np.max(np.abs(right[-1])), 0.0, right[-1])
    along, across = t[problem.q_slice]
    width = {k: r.high - r.low for k, r in windows.items()}
    if across == 0.0:
        return Knob(name, float("inf"), float("inf"), float("nan"))
    derivative = float(along / across * width[free] / width[name])
    relative = derivative * system.parameters[name] / value if value else float("nan")
    frequency = float("nan")
    if problem.condition == "pair":
        kappa, slope = float(u[-1]), float(t[-1] / across / width[name])
        if system.kind == "map":
            frequency = -slope / float(np.sqrt(max(1.0 - kappa**2, 0.0))) if abs(kappa) < 1.0 else float("nan")
        elif kappa > 0.0:
            frequency = slope * problem.kappa_unit / (2.0 * float(np.sqrt(kappa * problem.kappa_unit)))
    return Knob(name, derivative, relative, frequency)
