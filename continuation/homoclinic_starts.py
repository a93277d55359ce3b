"""From a Bogdanov-Takens point to the homoclinic orbits beside it.

On the centre manifold w0' = w1, w1' = beta1 + beta2 w1 + a w0^2 + b w0 w1, and to leading order the homoclinic orbit is
a saddle plus (3/2) sech^2(epsilon t) times the way to the focus, at beta1 = -(49/25) a beta2^2 / b^2, which is 49/25
of what it is on the Hopf curve, measured from the fold (beta1 = 0) at equal beta2. Fold, Hopf curve and equilibria are
computed, so that no parameter-dependent normal form of higher order is needed.

References
----------
Al-Hdaibat, Govaerts, Kuznetsov, Meijer: Initialization of homoclinic solutions near Bogdanov-Takens points, SIAM J.
Appl. Dyn. Syst. 15 (2016), 952-980.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.codimension_two_forms import coefficients
from gan_bifurcation.continuation.collocation import DEGREE, nodes_of
from gan_bifurcation.continuation.conditions import aim
from gan_bifurcation.continuation.equilibria import damped_newton
from gan_bifurcation.continuation.homoclinic import point_of
from gan_bifurcation.continuation.homoclinic_equations import CLOSE, Equations
from gan_bifurcation.continuation.problem import CurveProblem
from gan_bifurcation.continuation.scales import windows_about
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.profiles import Profile
from gan_bifurcation.ranges import Range

FloatArray = NDArray[np.float64]

_INTERVALS: Final = 40
# Squared frequencies on the Hopf curve that are tried, in units of the normal form's.
_SQUARES: Final = (3e-2, 1e-2, 3e-3, 1e-3, 1e-1, 1e-4)


def homoclinic_orbits(point: Point) -> Iterator[Point]:
    """A homoclinic orbit beside a Bogdanov-Takens point, solved, if there is one within reach."""
    if point.label != "BT" or len(point.free) != 2 or point.system.kind != "flow":
        return
    form = coefficients(point)
    if not form["s"]:
        return
    for square in _SQUARES:
        found = _beside(point, form, square)
        if found is not None:
            yield found
            return


def cycle_to_homoclinic(point: Point) -> Point:
    """The homoclinic orbit that a cycle of long period is close to, to be traced in two parameters.

    Parameters
    ----------
    point : Point
        A cycle that spends most of its period next to a saddle, such as the last one of a branch whose period grows
        without bound.

    Returns
    -------
    Point
        Labelled Hom; its orbit is that of the cycle, cut where it is slowest, and is corrected by the trace.

    Raises
    ------
    MisuseError
        If the point is no cycle, or passes by no saddle.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> s = gb.System.from_equations(
    ...     "flow", {"x": "y", "y": "a + b*y + x**2 - x*y"}, parameters={"a": -1.0, "b": -0.5}
    ... )
    >>> focus = gb.trace(gb.point(s, {"x": -1.0, "y": 0.0}), {"b": (-2, 0)})
    >>> cycles = gb.trace(gb.hopf_to_cycles(focus["H1"], intervals=16), {"b": (-2, 0)})
    >>> window = {"a": (-2, 0), "b": (-2, 0)}
    >>> curve = gb.trace(gb.cycle_to_homoclinic(cycles.point(-1)), window, max_points=5)
    >>> curve.curve, bool(abs(curve.column("a") / curve.column("b") ** 2 + 1.84).max() < 0.1)  # -49/25 at a = b = 0
    ('Hom', True)
    """
    if not isinstance(point, Point) or point.kind != "cycle" or point.profile is None:
        raise MisuseError("cycle_to_homoclinic takes a cycle, such as the last point of a branch of cycles.")
    profile, system = point.profile, point.system
    slowest = int(np.argmin([np.linalg.norm(system.rhs(x)) for x in profile.states[:-1]]))
    x, _, converged = damped_newton(system, profile.states[slowest])
    real = np.linalg.eigvals(system.jacobian(x)[:, : system.n]).real
    far = float(np.max(np.abs(x - profile.states[slowest]) / np.ptp(profile.states, axis=0)))
    if not converged or not (real < 0.0).any() or not (real > 0.0).any() or far > 0.2:
        raise MisuseError(
            f"The cycle passes by no saddle (its period is {profile.period:.4g}); follow the branch on, until its "
            "period is long."
        )
    # The mesh of the cycle from the slowest interval on.
    first = slowest // profile.degree
    mesh = np.concatenate(
        [profile.mesh[first:] - profile.mesh[first], profile.mesh[1 : first + 1] + 1.0 - profile.mesh[first]]
    )
    mesh[0], mesh[-1] = 0.0, 1.0
    phases = nodes_of(mesh, profile.degree)
    states = profile.at(np.mod(phases + profile.mesh[first], 1.0))
    orbit = Profile(phases, states, profile.period, mesh=mesh)
    spectrum = np.linalg.eigvals(system.jacobian(x)[:, : system.n]).astype(complex)
    return Point(system, x, spectrum, label="Hom", name="Hom", condition="homoclinic", profile=orbit)


def _beside(point: Point, form: Any, square: float) -> Point | None:
    windows = windows_about(point)
    # Where rotation and damping of the normal form are of one size, unless the Jacobian is slower.
    norm = float(np.linalg.norm(point.system.jacobian(point.x)[:, : point.system.n], 2))
    unit = min(norm, 2.0 * abs(form["a"] / form["b"])) ** 2 if form["b"] else norm**2
    hopf = _on_hopf_curve(point, windows, unit, square)
    if hopf is None:
        return None
    x_hopf, q_hopf = hopf
    fold = _on_fold_curve(point, windows, q_hopf)
    if fold is None:
        return None
    x_fold, q_fold, along = fold
    q = q_fold + 49.0 / 25.0 * (q_hopf - q_fold)
    values = {name: r.from_unit(float(v)) for (name, r), v in zip(windows.items(), q, strict=True)}
    system = point.system.with_parameters(**values)
    # The distance of the equilibria from the fold grows with the root: 7/5.
    middle = x_fold
    focus, _, one = damped_newton(system, middle + 1.4 * (x_hopf - middle))
    saddle, _, two = damped_newton(system, middle - 1.4 * (x_hopf - middle))
    way = float(np.linalg.norm(focus - saddle))
    if not (one and two) or not 0.3 < way / (2.8 * float(np.linalg.norm(x_hopf - middle))) < 3.0:
        return None
    z = np.linalg.eigvals(system.jacobian(saddle)[:, : system.n])
    real = z[np.abs(z.imag) <= 1e-9 * np.abs(z)].real
    if not (real < 0.0).any() or not (real > 0.0).any():
        return None
    epsilon = 0.5 * float(np.sqrt(-np.max(real[real < 0.0]) * np.min(real[real > 0.0])))
    # 6 exp(-2 epsilon t) of the way is left at the ends.
    half = float(np.log(6.0 / CLOSE)) / (2.0 * epsilon)
    mesh = 0.5 + 0.5 * np.sinh(np.linspace(-2.0, 2.0, _INTERVALS + 1)) / np.sinh(2.0)
    phases = nodes_of(mesh, DEGREE)
    t = epsilon * (2.0 * phases - 1.0) * half
    bump = 1.5 / np.cosh(t) ** 2
    speed = -3.0 * epsilon * np.tanh(t) / np.cosh(t) ** 2
    q1, p0 = form["vectors"]["q"][1].real, form["vectors"]["p"][0].real
    states = saddle + bump[:, None] * (focus - saddle) + speed[:, None] * float(p0 @ (focus - saddle)) * q1
    profile = Profile(phases, states, 2.0 * half, mesh=mesh)
    try:
        equations = Equations(system, windows, profile, saddle, values)
        if sum(equations.counts) != system.n:
            return None
    except np.linalg.LinAlgError:
        return None
    row = np.zeros(equations.size)
    row[-2:] = along
    u = equations.newton(equations.u, row, float(row @ equations.u))
    if u is None:
        return None
    size = np.ptp(equations.states(u), axis=0) / np.maximum(np.ptp(states, axis=0), 1e-300)
    biggest = int(np.argmax(np.ptp(states, axis=0)))
    if not 0.5 < size[biggest] < 2.0:
        return None
    equations.u = u
    return point_of(equations, u, name="Hom", note=f"From {point.name or point.label}.")


def _on_hopf_curve(
    point: Point, windows: dict[str, Range], unit: float, square: float
) -> tuple[FloatArray, FloatArray] | None:
    """State and parameters (in their windows) where the squared frequency has a value."""
    problem = CurveProblem(point.system, windows, "pair", kappa_unit=unit)
    u = problem.pack(point.x, 0.0)
    aim(problem, u, 0.0j)
    row = np.zeros(problem.size)
    row[-1] = 1.0
    # In a few steps: the curve may be bent.
    for part in (0.04, 0.16, 0.4, 1.0):
        u, ok = problem.newton(u, row, part * square)
        if not ok:
            return None
    return problem.states(u), u[problem.q_slice].copy()


def _on_fold_curve(
    point: Point, windows: dict[str, Range], q: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """State and parameters of the fold curve at the same distance from the point along it, and its direction."""
    problem = CurveProblem(point.system, windows, "real")
    u = problem.pack(point.x)
    aim(problem, u, 0.0j)
    tangent = np.linalg.svd(problem.residual(u)[1])[2][-1]
    along = tangent[problem.q_slice]
    length = float(np.linalg.norm(along))
    if not length > 1e-8:
        return None
    along = along / length
    row = np.zeros(problem.size)
    row[problem.q_slice] = along
    start = u[problem.q_slice].copy()
    distance = float(along @ (q - start))
    guess = u + distance / length * tangent
    u, ok = problem.newton(guess, row, float(along @ q))
    return (problem.states(u), u[problem.q_slice].copy(), along) if ok else None
