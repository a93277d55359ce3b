"""The curve of folds of invariant circles that begins at a CH (Chenciner) point.

log |w| changes by a + Re d1 r^2 + c r^4 in a step: there is a double root at Re d1 = -2 c r^2, a = c r^4. To the fourth
order in r that is the point of the Neimark-Sacker curve where Re d1 has that value; Newton's method for the circle with
its condition then holds the amplitude, since both curves are tangent at such a point.

References
----------
Chenciner: Bifurcations de points fixes elliptiques II, Invent. math. 80 (1985).
Kuznetsov: Elements of Applied Bifurcation Theory, section 9.4.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.circle_conditions import FOLD, Borders, Move
from gan_bifurcation.continuation.circle_newton import CircleProblem
from gan_bifurcation.continuation.circle_on_curve import CurveSolver, On, Plane
from gan_bifurcation.continuation.circle_starts import around, natural_sizes
from gan_bifurcation.continuation.circle_waves import SIZES
from gan_bifurcation.continuation.codimension_two_extended import Deciding
from gan_bifurcation.continuation.codimension_two_forms import coefficients
from gan_bifurcation.continuation.codimension_two_series import series
from gan_bifurcation.continuation.codimension_two_spectra import PATTERNS, critical_eigenvalues
from gan_bifurcation.continuation.conditions import aim, kappa_of
from gan_bifurcation.continuation.problem import CurveProblem
from gan_bifurcation.continuation.scales import windows_about
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.profiles import Profile
from gan_bifurcation.ranges import Range

FloatArray = NDArray[np.float64]

# Radii that are tried, in units of the length that the coefficients give.
_RADII: Final = (0.1, 0.2, 0.05, 0.4, 0.02)


def folds_of_circles(point: Point) -> Iterator[Point]:
    """A circle beside a CH point, solved, on the curve of folds that begins there."""
    if point.label != "CH" or len(point.free) != 2:
        return
    for radius in _RADII:
        found = _solved(point, radius)
        if found is not None:
            yield found
            return


def _solved(point: Point, radius: float) -> Point | None:
    form = coefficients(point)
    system, c = point.system, float(form["c"])
    if c == 0.0:
        return None
    pattern = PATTERNS["map"]["CH"]
    mu = critical_eigenvalues(point)
    joint = np.concatenate([point.x, system.parameter_vector()])
    s = series(system, joint, pattern.kinds, mu, pattern.order)
    r = radius * abs(c) ** -0.25
    windows = windows_about(point)
    problem = CurveProblem(system, windows, "pair")
    u = problem.pack(point.x, kappa_of(problem, mu[0]))
    aim(problem, u, mu[0])
    try:
        tangent = np.linalg.svd(problem.residual(u)[1])[2][-1]
        _, slopes, _ = Deciding(problem, "NS", u).at(u, tangent[None])
    except (np.linalg.LinAlgError, MisuseError):
        return None
    # The deciding coefficient is 2 Re d1.
    along = -4.0 * c * r * r / float(slopes[0])
    moved, ok = problem.newton(u + along * tangent, tangent, float(tangent @ u) + along)
    if not ok or not abs(moved[-1]) < 1.0:
        return None
    theta = float(np.arccos(moved[-1]))
    rho = (theta + float(np.imag(form["d1"])) * r * r) / (2.0 * np.pi)
    turn = np.exp(2j * np.pi * np.arange(SIZES[0]) / SIZES[0])
    w = np.column_stack([r * turn, r * turn.conj()])
    values = np.prod(w[:, None, :] ** s.table.exponents[None], axis=2)
    states = problem.states(moved) + (values @ s.h).real
    wave = np.asarray((turn[:, None] * s.q[0] + turn.conj()[:, None] * s.q[1]).real)
    parameters = dict(zip(point.free, problem.parameters(moved).tolist(), strict=True))
    at = replace(point, system=system.with_parameters(**parameters), critical=complex(np.exp(1j * theta)))
    start = _corrected(at, states, wave, rho, windows)
    return None if start is None else replace(start, origin=point)


def _corrected(at: Point, states: FloatArray, wave: FloatArray, rho: float, windows: dict[str, Range]) -> Point | None:
    """Newton's method for the fold of circles at the amplitude of the guess."""
    problem = CircleProblem(at.system, windows, natural_sizes(states))
    q = np.array([w.to_unit(at.parameters[name]) for name, w in windows.items()])
    size = len(states)
    circle = around(at, Profile(np.arange(size) / size, states, rotation_number=rho), wave, q)
    solver = CurveSolver(problem, FOLD)
    row = Move(wave, 0.0, np.zeros(2))
    row = row.times(1.0 / solver.length(row))
    amplitude = float(np.ptp(states, axis=0).max())
    plane = Plane(Move(row.u / problem.scale**2, 0.0, np.zeros(2)), circle)
    best: On | None = None
    for over in (0, 1):
        along = np.zeros(2)
        along[over] = 1.0
        best = solver.on_curve(circle, 0.0, Borders(row, along), plane, None)
        if best is not None:
            break
    if best is None:
        return None
    found = best.circle
    if abs(float(np.ptp(found.u, axis=0).max()) / amplitude - 1.0) > 0.3 or abs(found.rho - rho) > 0.02:
        return None
    made = solver.point(found)
    return replace(
        made, label="LP", name="LP of circles", critical=1.0 + 0.0j, condition="circle", free=tuple(windows),
        note="From a CH point: two circles meet here.",
    )  # fmt: skip
