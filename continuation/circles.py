"""Invariant circles of maps: where they start, and how they are traced.

In one parameter the smooth circles are a Cantor set: near rational rotation numbers the map on the circle locks. The
trace therefore steps to noble rotation numbers and records the tongues that it passes over with both their edges.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.circle_newton import (
    SIZES,
    Circle,
    CircleProblem,
    Direction,
    Plane,
    derivative,
    highest_mode,
    resampled,
    shifted,
    tail,
)
from gan_bifurcation.continuation.circle_points import lost_stability, tongue_between
from gan_bifurcation.continuation.events import Event
from gan_bifurcation.continuation.farey import between, noble
from gan_bifurcation.continuation.forms import Forms
from gan_bifurcation.continuation.march import StepControl
from gan_bifurcation.continuation.normal_forms import Coefficients, critical_vectors, eigenvalue_slope, normal_form
from gan_bifurcation.continuation.run import Ends
from gan_bifurcation.continuation.starts import ProfileStart
from gan_bifurcation.errors import MisuseError, Outcome
from gan_bifurcation.profiles import Profile
from gan_bifurcation.ranges import Range

FloatArray = NDArray[np.float64]

# Modes are added where the last tenth of them is larger than this, relative to the largest.
_TAIL: Final = 1e-9
# Resonances up to this order are recorded as gaps.
_ORDER: Final = 10
# In units of the window; the amplitude of the first circle of a branch in units of the states' sizes.
_CONTROL: Final = StepControl(first=2e-3, smallest=1e-7, largest=5e-2)
_FIRST_AMPLITUDE: Final = 0.01
_REGULAR: Final = 1e-6
# Nodes beyond which a circle is taken to feel a tongue, and how far away in rotation number that may be.
_MOST_NODES: Final = 315
_REACH: Final = 0.02


def neimark_sacker_to_circles(point: Point, *, amplitude: float = _FIRST_AMPLITUDE) -> ProfileStart:
    """The branch of invariant circles that is born at a Neimark-Sacker point.

    Parameters
    ----------
    point : Point
        Labelled NS, with its normal form.
    amplitude : float
        Of the first circle, relative to the size of the states (at least one).

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
    if not isinstance(point, Point) or point.label != "NS" or point.profile is not None:
        what = (point.name or point.label or "an ordinary point") if isinstance(point, Point) else type(point).__name__
        raise MisuseError(f"neimark_sacker_to_circles takes an NS point of a branch of fixed points, got {what}.")
    if point.multiplicity > 1:
        raise MisuseError(
            f"{point.name or point.label} has {point.multiplicity} equal critical pairs, so several circles start "
            "there; restrict the system to a fixed-point subspace with gb.restrict first."
        )
    form = dict(point.normal_form) or normal_form(point)
    d = complex(form["d"])
    if not np.isfinite(d):
        raise MisuseError(f"No single circle starts at {point.name or point.label}: {form['criticality']}.")
    if d.real == 0.0:
        raise MisuseError(
            f"The coefficient of {point.name or point.label} vanishes within rounding, so its circles do not start to "
            "first order in a parameter (a Chenciner point, or a conserved quantity)."
        )
    forms = Forms(point.system, point.x)
    raw = Coefficients(point.system, "NS").at(forms.base, point.critical)
    q = raw.q
    sizes = _sizes(point.x)
    radius = amplitude / float(np.max(2.0 * np.abs(q) / sizes))
    theta = abs(float(np.angle(point.critical)))
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
    # To second order, x* + 2 Re(z q) + |z|^2 h11 + Re(z^2 h20), or Newton's method would begin nearer to the fixed
    # point's parameter and angle than to the circle's: the angle may be rational there.
    eye = np.eye(len(q))
    moved = np.linalg.solve(eye - forms.A, forms.jacobian[:, point.system.n + point.system.parameter_index(name)])
    h11 = np.linalg.solve(eye - forms.A, forms.B(q, q.conj())).real
    h20 = np.linalg.solve(np.exp(2j * theta) * eye - forms.A, forms.B(q, q))
    turn = np.exp(2j * np.pi * np.arange(SIZES[0]) / SIZES[0])[:, None]
    first = 2.0 * (turn * q).real
    second = h11 + (turn**2 * h20).real - moved * d.real / slope.real
    profile = Profile(
        np.arange(SIZES[0]) / SIZES[0], point.x + radius * first + radius**2 * second, rotation_number=rotation
    )
    system = point.system.with_parameters(**{name: point.system.parameters[name] + change})
    return ProfileStart(system, profile, name, first + 2.0 * radius * second, one_sided=True, point=point)


def _sizes(x: FloatArray) -> FloatArray:
    return np.maximum(np.abs(x), 1.0)


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


# -- tracing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Found:
    """A circle of the branch, with the modulus of its normal multipliers counted."""

    circle: Circle
    unstable: int


def trace(
    start: Point | ProfileStart,
    windows: dict[str, Range],
    at: Sequence[float],
    ends: Ends,
    events: Sequence[Event],
    control: StepControl | None,
    coefficients: bool,
) -> Branch:
    """Trace invariant circles over one parameter, or over two at fixed rotation number (called by `gb.trace`)."""
    if start.profile is None:
        raise MisuseError("This point has no circle; take a point of a branch of circles.")
    if events:
        raise MisuseError("Events are located on branches of fixed points; leave events= out for circles.")
    if isinstance(start, ProfileStart) and start.parameter and start.parameter not in windows:
        raise MisuseError(
            f"This start was computed for the parameter '{start.parameter}', got {', '.join(windows)}; free it."
        )
    tracer = _Tracer(start.system, windows, _sizes(start.profile.states[0]), ends, control or _CONTROL)
    born = isinstance(start, ProfileStart) and start.direction is not None
    first = tracer.first(start, born)
    if born:
        assert isinstance(start, ProfileStart)
        assert start.direction is not None
        ahead = Direction(resampled(start.direction, len(first.circle.u)), np.zeros(2))
    else:
        ahead = Direction(
            np.zeros_like(first.circle.u), np.array([0.0, 1.0]) if len(windows) == 1 else np.array([1.0, 0.0])
        )
    tangent = tracer.problem.tangent(first.circle, ahead)
    forward = tracer.follow(first, tangent)
    begun = Outcome("start", f"Started at {tracer.where(first.circle)}.", True)
    if born:
        found, points, outcome = forward.found, forward.points, (begun, forward.outcome)
    else:
        backward = tracer.follow(first, -tangent)
        count = len(backward.found)
        found = backward.found[::-1] + forward.found[1:]
        points = [replace(p, index=count - 1 - p.index) for p in reversed(backward.points)]
        points += [replace(p, index=p.index + count - 1) for p in forward.points]
        outcome = (backward.outcome, forward.outcome)
    points += tracer.wanted(found, at)
    return tracer.branch(found, sorted(points, key=lambda p: p.index), outcome)


@dataclass(frozen=True, eq=False)
class _Run:
    found: list[_Found]
    points: list[Point]
    outcome: Outcome


class _Tracer:
    """One branch of circles."""

    def __init__(
        self, system: Any, windows: dict[str, Range], scale: FloatArray, ends: Ends, control: StepControl
    ) -> None:
        self.problem = CircleProblem(system, windows, scale)
        self.windows = windows
        self.ends = ends
        self.control = control

    # -- the first circle ---------------------------------------------------------------------------------------------

    def first(self, start: Point | ProfileStart, born: bool) -> _Found:
        """The circle to start from."""
        profile = start.profile
        assert profile is not None
        problem = self.problem
        q = np.array([w.to_unit(start.system.parameters[name]) for name, w in self.windows.items()])
        if born:
            assert isinstance(start, ProfileStart)
            assert start.point is not None
            assert start.direction is not None
            circle = _around(start.point, profile, start.direction, q)
            # Hold the amplitude: the rotation number and the parameter come out.
            weighted = start.direction / problem.scale**2
            target = float(np.mean(np.sum(weighted * circle.u, axis=1)))
            plane = Plane(weighted, np.zeros(2), target)
        else:
            from gan_bifurcation.continuation.circle_orbits import reduced

            circle = reduced(problem, profile, q)
            plane = Plane(None, np.array([0.0, 1.0]) if problem.moves_rho else np.array([1.0, 0.0]), float(q[0]))
        solved = self.solved(circle, plane)
        if solved is None:
            raise MisuseError(
                "No invariant circle was found at the start: it may lie inside a tongue, or the first circle is too "
                "small or too large; give another amplitude=, or start from another point."
            )
        return solved

    # -- stepping -----------------------------------------------------------------------------------------------------

    def solved(self, guess: Circle, plane: Plane, most: int = SIZES[-1]) -> _Found | None:
        """A circle in a plane with as many modes as it needs; None without one."""
        for size in (s for s in SIZES if len(guess.u) <= s <= max(most, len(guess.u))):
            here = guess if size == len(guess.u) else guess.resized(size)
            direction = None if plane.u is None else resampled(plane.u, size)
            found = self.problem.newton(here, replace(plane, u=direction))
            if found is None:
                return None
            decay = tail(found.u, self.problem.scale)
            if decay < _TAIL and self.problem.residual(found) < _TAIL:
                smaller = [s for s in SIZES if s < size and 2.2 * s > size]
                if decay < 1e-14 and smaller and size > SIZES[0]:
                    found = found.resized(smaller[-1])
                unstable = int(np.sum(np.abs(self.problem.multipliers(found)) > 1.0 + 1e-9))
                return _Found(found, unstable)
            guess = found
        return None

    def follow(self, first: _Found, tangent: Direction) -> _Run:
        """Step from a circle in the direction of its tangent until something ends the branch."""
        problem, control = self.problem, self.control
        found: list[_Found] = [first]
        points: list[Point] = []
        step = control.first
        while True:
            here = found[-1].circle
            if len(found) >= self.ends.max_points:
                text = f"Stopped after {len(found)} circles at {self.where(here)}; raise max_points to go on."
                return _Run(found, points, Outcome("points", text, True))
            # Distances in units of the largest step: no scalar moves further than the step.
            room = max(float(np.max(np.abs(tangent.s[-len(self.windows) :]))), float(np.sqrt(1.0 - 0.999)))
            step = min(step, control.largest / room)
            advance = self._advance(here, tangent, step)
            if advance is None or len(advance.circle.u) > _MOST_NODES:
                # Many modes are the sign of a tongue; it is tried to get past it before they become more.
                over = self._over(found) if advance is not None or step < 0.1 * control.first else None
                if over is not None:
                    advance, step = over, control.first
            if advance is None:
                step *= 0.5
                if step < 1e-3 * control.first or step < control.smallest:
                    return _Run(found, points, self._broken(here))
                continue
            new = advance
            if self._beyond(new.circle):
                edge = self._edge(here, new.circle, tangent)
                if edge is not None:
                    points += self._between(found[-1], edge, len(found) - 1)
                    found.append(edge)
                text = f"Reached the edge of the window at {self.where(found[-1].circle)}."
                return _Run(found, points, Outcome("window", text, True))
            outside = self._outside(new.circle)
            if outside:
                text = f"The trace ended near {self.where(here)}: {outside}."
                return _Run(found, points, Outcome("bounds", text, True))
            points += self._between(found[-1], new, len(found) - 1)
            found.append(new)
            halt = self.ends.reached(points)
            if halt is not None:
                return _Run(
                    found, points, Outcome("stop", f"Stopped at {halt.label} at {self.where(new.circle)}.", True)
                )
            tangent = problem.tangent(new.circle, tangent)
            step *= 1.4

    def _advance(self, here: Circle, tangent: Direction, step: float) -> _Found | None:
        """The next circle along a tangent; at a noble rotation number where that changes along the branch."""
        problem = self.problem
        guess, plane = problem.across(here, tangent, step)
        if problem.moves_rho:
            change = step * float(tangent.s[0])
            if abs(change) > _REGULAR:
                # Anywhere in the second half of the step will do.
                target = noble(*sorted((here.rho + 0.6 * change, here.rho + 1.1 * change)))
                guess = problem.moved(here, tangent, step * (target - here.rho) / change)
                plane = Plane(None, np.array([1.0, 0.0]), target)
        new = self.solved(guess, plane)
        if new is None:
            return None
        size = min(len(here.u), len(new.circle.u))
        moved = np.max(np.abs(resampled(new.circle.u, size) - resampled(here.u, size)) / problem.scale)
        # A circle far from what was predicted is another one; a step that turns the curve too much is too long.
        return new if moved < 0.3 + 4.0 * step else None

    def _over(self, found: list[_Found]) -> _Found | None:
        """The nearest circle on the other side of the tongue ahead, from circles further and further before it.

        Close to a tongue circles are deformed, and so are their tangents; the circle as far beyond as one is before is
        guessed from that one.
        """
        if not self.problem.moves_rho or len(found) < 2:
            return None
        last = found[-1].circle
        side = np.sign(last.rho - found[-2].circle.rho)
        ahead = between(last.rho, last.rho + side * _REACH, _ORDER)
        # The tongue that is felt is the strongest one near: low order counts more than distance.
        for fraction in sorted(ahead, key=lambda f: abs(float(f) - last.rho) * f.denominator)[:2]:
            beyond = 1.2 * abs(float(fraction) - last.rho)
            for base in reversed(found):
                distance = abs(float(fraction) - base.circle.rho)
                if distance < beyond:
                    continue
                ahead_of = Direction(np.zeros_like(base.circle.u), np.array([side, 0.0]))
                tangent = self.problem.tangent(base.circle, ahead_of)
                if abs(tangent.s[0]) < _REGULAR:
                    break
                centre = float(fraction) + side * distance
                target = noble(centre - 0.1 * distance, centre + 0.1 * distance)
                guess = self.problem.moved(base.circle, tangent, (target - base.circle.rho) / tangent.s[0])
                new = self.solved(guess, Plane(None, np.array([1.0, 0.0]), target), _MOST_NODES)
                if new is not None:
                    return new
                beyond = 1.5 * distance
                if beyond > _REACH:
                    break
        return None

    def _broken(self, here: Circle) -> Outcome:
        near = between(here.rho - _REACH, here.rho + _REACH, _ORDER)
        near = sorted(near, key=lambda f: abs(float(f) - here.rho) * f.denominator)
        decay = tail(here.u, self.problem.scale)
        where = self.where(here)
        if decay > 1e-12 or len(here.u) > 400:
            text = (
                f"The circle loses its smoothness near {where}, rotation number {here.rho:.6g} (more than "
                f"{highest_mode(len(here.u))} modes): it breaks up, or a tongue begins"
            )
            text += f" (near {near[0]})." if near else "."
            return Outcome("breaks up", text, False)
        text = f"Newton's method failed near {where}, rotation number {here.rho:.6g}, down to the smallest step"
        text += (
            f"; the tongue of {near[0]} is near." if near else "; try smaller steps, as control=gb.StepControl(...)."
        )
        return Outcome("step too small", text, False)

    # -- what lies on the way -----------------------------------------------------------------------------------------

    def _between(self, a: _Found, b: _Found, index: int) -> list[Point]:
        """Special points between two circles: tongues passed over, and loss or gain of stability."""
        here: list[Point] = []
        if self.problem.moves_rho:
            for fraction in between(a.circle.rho, b.circle.rho, _ORDER):
                gap = tongue_between(self.problem, a.circle, b.circle, fraction)
                if gap is not None:
                    share = (float(fraction) - a.circle.rho) / (b.circle.rho - a.circle.rho)
                    here.append(replace(gap, index=index + share))
        if a.unstable != b.unstable:
            lost = lost_stability(self, a.circle, b.circle)
            here += [replace(p, index=index + p.index) for p in lost]
        return sorted(here, key=lambda p: p.index)

    def _beyond(self, circle: Circle) -> bool:
        return bool(np.any(circle.q < 0.0) or np.any(circle.q > 1.0))

    def _edge(self, inside: Circle, outside: Circle, tangent: Direction) -> _Found | None:
        """The circle exactly on the frame of the window."""
        for k, (a, b) in enumerate(zip(inside.q, outside.q, strict=True)):
            for target in (0.0, 1.0):
                if (b < 0.0 and target == 0.0) or (b > 1.0 and target == 1.0):
                    row = np.zeros(2)
                    row[k + (1 if self.problem.moves_rho else 0)] = 1.0
                    share = (target - a) / (b - a)
                    guess = replace(
                        inside,
                        rho=inside.rho + share * (outside.rho - inside.rho),
                        q=inside.q + share * (outside.q - inside.q),
                    )
                    size = max(len(inside.u), len(outside.u))
                    u = resampled(inside.u, size)
                    guess = replace(guess.resized(size), u=u + share * (resampled(outside.u, size) - u))
                    return self.solved(guess, Plane(None, row, target))
        return None

    def _outside(self, circle: Circle) -> str:
        for k, window in self.ends.bounds.items():
            if circle.u[:, k].min() < window.low or circle.u[:, k].max() > window.high:
                return f"{self.problem.system.states[k]} left its bounds ({window.low:g}, {window.high:g})"
        if self.ends.domain:
            p = self.problem.at(circle).parameter_vector().tolist()
            for tape, reason in self.ends.domain:
                if any(not tape.evaluate([*x, *p])[0] >= 0.0 for x in circle.u.tolist()):
                    return f"left the domain: {reason}"
        return ""

    def wanted(self, found: list[_Found], at: Sequence[float]) -> list[Point]:
        """Circles at given values of the parameter."""
        made = []
        for value in at:
            (window,) = self.windows.values()
            if not window.low <= value <= window.high:
                raise MisuseError(
                    f"at= asks for a circle at {value}, outside the window ({window.low:g}, {window.high:g}); widen it."
                )
            target = window.to_unit(value)
            for i, (a, b) in enumerate(itertools.pairwise(found)):
                q0, q1 = float(a.circle.q[0]), float(b.circle.q[0])
                if (q0 - target) * (q1 - target) <= 0.0 and q0 != q1:
                    share = (target - q0) / (q1 - q0)
                    guess = self.interpolated(a.circle, b.circle, share)
                    new = self.solved(guess, Plane(None, np.array([0.0, 1.0]), target))
                    if new is not None:
                        made.append(replace(self.point(new.circle), label="UZ", index=i + share))
        return made

    def interpolated(self, a: Circle, b: Circle, share: float) -> Circle:
        """A guess between two circles, phases aligned."""
        size = max(len(a.u), len(b.u))
        one, two = a.resized(size), b.resized(size)

        def mixed(x: Any, y: Any) -> Any:
            return x + share * (y - x)

        return Circle(
            mixed(one.u, two.u), mixed(a.rho, b.rho), mixed(a.q, b.q), mixed(one.frames, two.frames),
            mixed(a.constant, b.constant),
        )  # fmt: skip

    # -- results ------------------------------------------------------------------------------------------------------

    def where(self, circle: Circle) -> str:
        return ", ".join(f"{k} = {v:.6g}" for k, v in zip(self.windows, self.problem.values(circle.q), strict=True))

    def profile(self, circle: Circle) -> Profile:
        return Profile(np.arange(len(circle.u)) / len(circle.u), circle.u, rotation_number=circle.rho)

    def spectrum(self, circle: Circle) -> NDArray[np.complex128]:
        return np.concatenate([[1.0 + 0.0j], self.problem.multipliers(circle)])

    def point(self, circle: Circle) -> Point:
        """The circle as a point."""
        return Point(
            self.problem.at(circle), circle.u[0].copy(), self.spectrum(circle), free=tuple(self.windows),
            residual=self.problem.residual(circle), profile=self.profile(circle),
        )  # fmt: skip

    def branch(self, found: list[_Found], points: list[Point], outcome: tuple[Outcome, Outcome]) -> Branch:
        """All as a branch."""
        from gan_bifurcation.continuation.trace import _numbered

        problem = self.problem
        circles = [f.circle for f in found]
        if self.problem.moves_rho and circles[0].q[0] > circles[-1].q[0]:
            circles, outcome = circles[::-1], outcome[::-1]
            points = [replace(p, index=len(circles) - 1 - p.index) for p in reversed(points)]
            found = found[::-1]
        extremes = [_extremes(c.u) for c in circles]
        measures = {
            "rotation_number": np.array([c.rho for c in circles]),
            **{f"min_{s}": np.array([e[0][i] for e in extremes]) for i, s in enumerate(problem.system.states)},
            **{f"max_{s}": np.array([e[1][i] for e in extremes]) for i, s in enumerate(problem.system.states)},
            "modes": np.array([float(highest_mode(len(c.u))) for c in circles]),
            "defect": np.array([problem.defect_between(c) for c in circles]),
        }
        measures["trivial_error"] = np.array([c.defect for c in circles])
        return Branch(
            problem.system, tuple(self.windows), "circles", np.array([problem.values(c.q) for c in circles]),
            np.array([c.u[0] for c in circles]), np.array([self.spectrum(c) for c in circles]),
            np.array([f.unstable for f in found], dtype=np.int64), tuple(_numbered(points)), outcome, False, measures,
            profiles=tuple(self.profile(c) for c in circles),
        )  # fmt: skip


def _around(point: Point, profile: Profile, wave: FloatArray, q: FloatArray) -> Circle:
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
    return Circle(np.array(profile.states), profile.rotation_number, q, frames, constant)


def _extremes(u: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Least and greatest value of each state along the circle, between the nodes as well."""
    fine = resampled(u, 8 * len(u) + 1)
    low, high = fine.min(axis=0), fine.max(axis=0)
    before, after = np.roll(fine, 1, axis=0), np.roll(fine, -1, axis=0)
    for i in range(u.shape[1]):
        for best, k in ((low, int(np.argmin(fine[:, i]))), (high, int(np.argmax(fine[:, i])))):
            bend = before[k, i] - 2.0 * fine[k, i] + after[k, i]
            if bend != 0.0:
                best[i] = fine[k, i] - (after[k, i] - before[k, i]) ** 2 / (8.0 * bend)
    return low, high


__all__ = ["neimark_sacker_to_circles", "orbit_to_circle", "shifted", "trace"]
