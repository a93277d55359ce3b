"""Starts of branches of invariant circles: from a Neimark-Sacker point, and from a simulated orbit."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.circle_frames import Frames
from gan_bifurcation.continuation.circle_newton import Circle
from gan_bifurcation.continuation.circle_waves import SIZES, derivative
from gan_bifurcation.continuation.forms import Forms
from gan_bifurcation.continuation.normal_forms import Coefficients, codimension_one, critical_vectors, eigenvalue_slope
from gan_bifurcation.continuation.spectra import together
from gan_bifurcation.continuation.starts import ProfileStart
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.profiles import Profile

FloatArray = NDArray[np.float64]

# The amplitude of the first circle of a branch in units of the states' sizes.
_FIRST_AMPLITUDE: Final = 0.01
# Circles so many times larger or smaller than one are measured in sizes of their own; states that hardly move on them
# in this part of the largest.
_OTHER_SCALE: Final = 1e3
_LEAST: Final = 1e-6


def neimark_sacker_to_circles(point: Point, *, amplitude: float = _FIRST_AMPLITUDE, section: str = "") -> ProfileStart:
    """The branch of invariant circles that is born at a Neimark-Sacker point.

    Parameters
    ----------
    point : Point
        Labelled NS, with its normal form: of fixed points of a map, or of cycles of a flow. From a cycle a torus
        begins; it is followed as the invariant circle of the return map to a section through the cycle.
    amplitude : float
        Of the first circle, relative to the size of the states (at least one).
    section : str
        Of a flow: the section, as for :func:`gan_bifurcation.poincare`. By default a state takes a value that the cycle
        passes once upwards in a turn.

    Returns
    -------
    ProfileStart

    Raises
    ------
    MisuseError
        If the point is no NS point, a strong resonance, or its coefficient vanishes.

    Notes
    -----
    To first order the circle is x + 2 Re(z q), |z|^2 = -(speed of the modulus)(p - p*) / Re d, with the rotation number
    of the critical multiplier; Newton's method does the rest.

    References
    ----------
    Kuznetsov: Elements of Applied Bifurcation Theory (3rd ed., 2004), theorem 4.6.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> field = {"x": "r*x*(1 - y)", "y": "x"}
    >>> logistic = gb.System.from_equations("map", field, parameters={"r": 1.9})
    >>> fixed = gb.trace(gb.point(logistic, {"x": 0.5, "y": 0.5}), {"r": (1.5, 2.2)})
    >>> circles = gb.trace(gb.neimark_sacker_to_circles(fixed["NS1"]), {"r": (1.5, 2.05)})
    >>> bool(circles.parameters[-1, 0] > 2.04)
    True
    """
    if isinstance(point, Point) and point.label == "NS" and point.kind == "circle":
        raise MisuseError(
            f"{point.name or point.label} is a point of circles: a torus begins there, and tori are not followed; "
            "simulate the system beyond it, its verdict says 'torus'."
        )
    if not isinstance(point, Point) or point.label != "NS":
        what = (point.name or point.label or "an ordinary point") if isinstance(point, Point) else type(point).__name__
        raise MisuseError(
            f"neimark_sacker_to_circles takes an NS point of a branch of fixed points or cycles, got {what}."
        )
    if isinstance(amplitude, bool) or not (isinstance(amplitude, int | float) and 0.0 < amplitude < np.inf):
        raise MisuseError(f"The amplitude of the first circle is a positive number, such as 0.01, got {amplitude!r}.")
    if point.multiplicity > 1:
        raise MisuseError(
            f"{together(point)}, so several circles start there; restrict the system to a fixed-point subspace with "
            "gb.restrict first."
        )
    if point.kind == "cycle":
        from gan_bifurcation.continuation.cycle_sections import on_a_section

        point = on_a_section(point, section)
    elif section:
        raise MisuseError(f"A section= is one through a cycle of a flow, but {point.name or point.label} is of a map.")
    forms = Forms(point.system, point.x)
    raw = Coefficients(point.system, "NS").at(forms.base, point.critical)
    form = dict(point.normal_form) or codimension_one(point, forms.base, raw=raw)
    d = complex(form["d"])
    if not np.isfinite(d):
        raise MisuseError(f"No single circle starts at {point.name or point.label}: {form['criticality']}.")
    if d.real == 0.0:
        raise MisuseError(
            f"The coefficient of {point.name or point.label} vanishes within rounding, so its circles do not start to "
            "first order in a parameter (a Chenciner point, or a conserved quantity)."
        )
    q = raw.q
    theta = abs(float(np.angle(point.critical)))
    # To second order, x* + 2 Re(z q) + |z|^2 h11 + Re(z^2 h20), or Newton's method would begin nearer to the fixed
    # point's parameter and angle than to the circle's: the angle may be rational there.
    eye = np.eye(len(q))
    h11 = np.linalg.solve(eye - forms.A, forms.B(q, q.conj())).real
    h20 = np.linalg.solve(np.exp(2j * theta) * eye - forms.A, forms.B(q, q))
    radius = amplitude * _unit(point.x, q, d.real, np.abs(h11) + np.abs(h20))
    name = point.free[0] if point.free else next(iter(point.system.parameters))
    # In the logarithm of z: growth (slope.real) dp + Re d r^2 = 0, and the turn theta + (slope.imag) dp + Im d r^2.
    slope = eigenvalue_slope(forms, name, q, raw.p) * np.exp(-1j * theta)
    if slope.real == 0.0:
        raise MisuseError(
            f"The multiplier at {point.name or point.label} does not leave the unit circle as {name} varies; trace a "
            "branch over another parameter."
        )
    change = -d.real * radius**2 / slope.real
    rotation = (theta + slope.imag * change + d.imag * radius**2) / (2.0 * np.pi)
    moved = np.linalg.solve(eye - forms.A, forms.jacobian[:, point.system.n + point.system.parameter_index(name)])
    turn = np.exp(2j * np.pi * np.arange(SIZES[0]) / SIZES[0])[:, None]
    first = 2.0 * (turn * q).real
    second = h11 + (turn**2 * h20).real - moved * d.real / slope.real
    profile = Profile(
        np.arange(SIZES[0]) / SIZES[0], point.x + radius * first + radius**2 * second, rotation_number=rotation
    )
    system = point.system.with_parameters(**{name: point.system.parameters[name] + change})
    return ProfileStart(system, profile, name, first + 2.0 * radius * second, one_sided=True, point=point)


def _unit(x: FloatArray, q: NDArray[np.complex128], d: float, bend: FloatArray) -> float:
    """The radius |z| that amplitudes are measured in.

    That at which a circle x + 2 Re(z q) is as large as the states (at least one), unless the map has another scale: it
    is far from linear at much smaller radii, or still linear at much larger ones.
    """
    usual = 1.0 / float(np.max(2.0 * np.abs(q) / np.maximum(np.abs(x), 1.0)))
    own = min(1.0 / np.sqrt(abs(d)), float(np.max(np.abs(q))) / max(float(np.max(bend)), 1e-300))
    return float(usual if 0.1 * usual < own < _OTHER_SCALE * usual else own)


def natural_sizes(states: FloatArray) -> FloatArray:
    """Sizes that lengths are measured in, for states (K, n) of a circle: at least one, if that is its scale at all."""
    middle, spread = np.max(np.abs(states), axis=0), np.ptp(states, axis=0)
    largest = float(np.max(spread))
    if 1.0 / _OTHER_SCALE < largest < _OTHER_SCALE:
        return np.asarray(np.maximum(np.abs(states[0]), 1.0))
    return np.asarray(np.maximum(np.maximum(middle, spread), _LEAST * largest))


def orbit_to_circle(orbit: Any, *, discard: float = 0.5) -> ProfileStart:
    """The invariant circle that a simulated orbit of a map has settled on.

    Parameters
    ----------
    orbit : Orbit
        Of a map, a few thousand steps on the circle at least.
    discard : float
        The part at the beginning that is left out.

    Returns
    -------
    ProfileStart

    Raises
    ------
    MisuseError
        If the orbit is too short, has not settled on a circle, or is periodic.
    """
    from gan_bifurcation.continuation.circle_orbits import circle_of_orbit

    return circle_of_orbit(orbit, discard)


def around(point: Point, profile: Profile, wave: FloatArray, q: FloatArray) -> Circle:
    """The first guess of a circle at its birth, with frames: along it, outwards, and the invariant complement."""
    n = point.system.n
    a = np.ascontiguousarray(point.system.jacobian(point.x)[:, :n])
    theta = abs(float(np.angle(point.critical)))
    _, p = critical_vectors(a, complex(np.exp(1j * theta)))
    size = len(profile.phases)
    frames = np.empty((size, n, n))
    frames[:, :, 0] = derivative(profile.states)
    constant = np.eye(n)
    if n > 1:
        frames[:, :, 1] = wave
    if n > 2:
        # What the critical adjoint vectors do not see is invariant under A.
        basis = np.linalg.svd(np.vstack([p.real, p.imag]))[2][2:].T
        frames[:, :, 2:] = basis
        constant[2:, 2:] = basis.T @ a @ basis
    return Circle(np.array(profile.states), profile.rotation_number, q, Frames(frames, constant))
