"""Location of the special points of a branch of cycles between two of its points."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation import _cycle_steps as steps
from gan_bifurcation.continuation._cycle_conditions import Condition
from gan_bifurcation.continuation._cycle_crossings import Crossing
from gan_bifurcation.continuation.collocation import Collocation
from gan_bifurcation.continuation.cycle_points import REAL, Between, Record
from gan_bifurcation.profiles import Profile

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

# How often a step is halved to tell two special points in it apart.
_HALVINGS: Final = 10
# Test functions bring a point so near, relative to their values at the ends; Newton's method on its equations does the
# rest.
_ROUGH: Final = 0.02
# How far from 1 the multiplier of a fold may be that its own equations do not confirm.
_FOLD: Final = 0.1


def _crossing(between: Between, r: Record) -> Record | None:
    """A branch point near a record, by Newton's method, with the tangent of the branch that is followed."""
    twin = between.c
    if twin.period is not None:
        return None
    crossing = crossing_at(twin, r.profile, r.b)
    if crossing is None:
        return None
    c = crossing.c
    place = between.place(c.trial, c.trial_b[:2])
    if not -1e-6 <= place <= 1.0 + 1e-6 or np.linalg.norm(c.trial_b[1:2] - r.b[1:]) > 0.5 * between.length + 1e-9:
        return None
    place = min(max(place, 0.0), 1.0)
    b = c.trial_b[:2].copy()
    # The last point's tangent and the secant lie along the branch; at a turning point neither is far from it.
    along = (between.u1 - between.u0)[0] * c.scale
    change = c.values(between.b1)[0] - c.values(between.b0)[0]
    ahead = np.concatenate([along, [between.b1[0] - between.b0[0], change]])
    return Record(
        place * between.length, b, r.tb, c.spectrum.copy(), r.sign, c.profile(c.trial, c.trial_b), ahead
    )  # fmt: skip


def crossing_at(c: Collocation, profile: Profile, b: FloatArray) -> Crossing | None:
    """The branch point near a profile with these border unknowns; None where Newton's method finds none."""
    own = c.scratch(1)
    own.u[:], own.b[:2] = profile.states / own.scale, b
    own.set_weights()
    steps.set_row(own.state, own.t, own.tb, own.u)
    own.trial[:], own.trial_b[:] = own.u, own.b
    crossing = Crossing(own)
    try:
        crossing.start()
        good = crossing.solve()
    except np.linalg.LinAlgError:
        return None
    return crossing if good and bool(np.isfinite(own.trial).all()) else None


def solved(between: Between, states: FloatArray, b: FloatArray, near: Record, kind: str) -> Record | None:
    """A fold, flip or Neimark-Sacker point near scaled states and border unknowns, and not far from a record.

    By Newton's method on cycle and condition together.
    """
    twin = between.c
    pair = kind == "NS"
    c = twin.scratch(1) if pair else twin
    own = twin.nb
    c.trial[:], c.trial_b[:own] = states, b[:own]
    c.u[:], c.b[:own] = c.trial, c.trial_b[:own]
    if pair:
        c.set_weights()
        c.b[own] = c.trial_b[own] = abs(np.angle(critical_multiplier(near, kind)))
    steps.set_row(c.state, c.t, c.tb, c.u)
    condition = Condition(c, kind)
    condition.start()
    if c.period is not None:
        c.hold(0)
    if not condition.solve(c.period or 0.0, 1e-12) or not np.isfinite(c.trial).all():
        return None
    found = c.trial_b[:own].copy()
    if np.linalg.norm(found[1:] - b[1:own]) > 0.5 * between.length + 1e-9:
        return None
    place = between.place(c.trial, found)
    if not -1e-6 <= place <= 1.0 + 1e-6:
        return None
    spectrum = condition.multipliers().copy()
    profile = c.profile(c.trial, c.trial_b)
    return Record(min(max(place, 0.0), 1.0) * between.length, found, near.tb, spectrum, near.sign, profile)


def _straight(between: Between, a: Record, b: Record, kind: str, va: float, vb: float) -> Record | None:
    """The point from what its two neighbours tell, if Newton's method finds it from there."""
    part = va / (va - vb)
    if kind == "LPC" and between.c.period is None:
        # Where the cubic through both values of the parameter turns.
        length = b.arclength - a.arclength
        rise = (b.b[1] - a.b[1]) / length
        square, linear, constant = 3.0 * (va + vb - 2.0 * rise), 2.0 * (3.0 * rise - 2.0 * va - vb), va
        inside = linear * linear - 4.0 * square * constant
        if inside > 0.0:
            big = -0.5 * (linear + np.copysign(np.sqrt(inside), linear))
            roots = [x for x in (constant / big, big / square if square else np.inf) if 0.0 <= x <= 1.0]
            part = roots[0] if roots else part
    place = (a.arclength + part * (b.arclength - a.arclength)) / between.length
    near = a if abs(va) < abs(vb) else b
    found = solved(between, *between.guess(place), near, kind)
    if found is None or not a.arclength <= found.arclength <= b.arclength:
        return None
    return found


def _closest(mu: ComplexArray, kind: str) -> complex:
    real = np.abs(mu.imag) <= REAL * np.abs(mu)
    if kind == "NS":
        some = mu[~real & (mu.imag > 0.0)]
        goal = np.abs(np.abs(some) - 1.0)
    else:
        some = mu[real]
        goal = np.abs(some.real - (1.0 if kind in ("LPC", "BPC") else -1.0))
    return complex(some[np.argmin(goal)]) if len(some) else complex(np.nan)


def critical_multiplier(r: Record, kind: str) -> complex:
    """The multiplier nearest to where a special point of this kind has it."""
    return _closest(r.spectrum[1:], kind)


def test_value(r: Record, kind: str, held: bool) -> float:
    """What vanishes at a special point of this kind: smooth along the branch.

    At a fold the parameter turns; where the period is held, it is the multiplier that tells.
    """
    if kind == "LPC" and not held:
        return float(r.tb[1])
    mu = critical_multiplier(r, kind)
    return {"PD": mu.real + 1.0, "BPC": mu.real - 1.0, "LPC": mu.real - 1.0, "NS": abs(mu) - 1.0}[kind]


def kinds_between(a: Record, b: Record, held: bool) -> list[str]:
    """The special points that must lie between two records, as far as the records tell."""
    found = []
    plus, minus, pairs = (after - before for before, after in zip(a.counts, b.counts, strict=True))
    if a.tb[1] * b.tb[1] < 0.0 and not held:
        found.append("LPC")
    if a.sign * b.sign < 0.0:
        found.append("BPC")
    elif held and plus % 2:
        found.append("LPC")
    total = plus + minus + 2 * pairs
    explained = len(found) % 2
    rest = total
    if explained:
        rest -= 1 if plus > 0 or (plus == 0 and total > 0) else -1
    flips = abs(minus) % 2
    found += ["PD"] * flips
    if flips:
        rest -= int(np.sign(minus))
    if abs(rest) >= 2:
        found += ["NS"] * (abs(rest) // 2)
    return found


def _root(
    f: Callable[[float], float | None], a: float, b: float, fa: float, fb: float, rough: float = 0.0
) -> float | None:
    """A zero between a and b by the method of Anderson and Bjorck, with bisection as its guard.

    `rough` is the value, relative to those at the ends, that is small enough.
    """
    enough = rough * (abs(fa) + abs(fb))
    for k in range(60):
        if min(abs(fa), abs(fb)) < enough or abs(fa) < 1e-13 or abs(fb) < 1e-13 or b - a < 1e-14:
            break
        x = b - fb * (b - a) / (fb - fa)
        if k % 5 == 4 or not a < x < b:
            x = 0.5 * (a + b)
        fx = f(x)
        if fx is None:
            return None
        if fx == 0.0:
            return x
        if fx * fb < 0.0:
            a, fa = b, fb
        else:
            ratio = 1.0 - fx / fb
            fa *= ratio if ratio > 0.0 else 0.5
        b, fb = x, fx
        if a > b:
            # Keep the order; the newest point may be on either side.
            a, b, fa, fb = b, a, fb, fa
    return a if abs(fa) < abs(fb) else b


def _mixed(between: Between, a: Record, b: Record, weight: float) -> Record:
    """The point at a part of the way between two records that are very close to each other."""
    w = weight
    states = (1.0 - w) * a.profile.states + w * b.profile.states
    period = float((1.0 - w) * a.b[0] + w * b.b[0])
    return Record(
        (1.0 - w) * a.arclength + w * b.arclength, (1.0 - w) * a.b + w * b.b, (1.0 - w) * a.tb + w * b.tb,
        (1.0 - w) * a.spectrum + w * b.spectrum, a.sign,
        Profile(a.profile.phases, states, period, mesh=a.profile.mesh),
    )  # fmt: skip


def _branch_point(between: Between, a: Record, b: Record, test: str) -> Record | None:
    """Where two branches cross: Newton's method is singular there, so it is closed in on from both sides."""
    whole = between.length
    va, vb = test_value(a, test, False), test_value(b, test, False)
    best: tuple[Record, float, Record, float] | None = None
    for k in range(40):
        share = va / (va - vb)
        best = (a, va, b, vb)
        if k != 1 and (exact := _crossing(between, _mixed(between, a, b, share))) is not None:
            return exact
        if b.arclength - a.arclength < 1e-4 * whole or min(abs(va), abs(vb)) < 1e-9:
            break
        # Beside the zero, on alternate sides of it, to shrink the bracket from both ends.
        inset = 0.05 if k % 2 else -0.05
        x = min(max(share + inset, 0.05), 0.95)
        r = between.at((a.arclength + x * (b.arclength - a.arclength)) / whole)
        if r is None:
            break
        v = test_value(r, test, False)
        if v * va > 0.0:
            a, va = r, v
        else:
            b, vb = r, v
    if best is None:
        return None
    a, va, b, vb = best
    near = _mixed(between, a, b, va / (va - vb))
    return _crossing(between, near) or near


def _double(a: Record, b: Record) -> str:
    """What two real multipliers make that cross together, as symmetric cycles have them."""
    plus, minus, pairs = (after - before for before, after in zip(a.counts, b.counts, strict=True))
    if pairs or abs(plus) + abs(minus) != 2 or plus * minus:
        return ""
    return "BPC" if plus else "PD"


def locate(between: Between, a: Record, b: Record, depth: int = 0) -> Iterator[tuple[str, Record]]:
    """All special points between two records of one step, in order."""
    held = between.c.period is not None
    kinds = kinds_between(a, b, held)
    if not kinds:
        return
    whole = between.length
    if kinds == ["LPC", "BPC"] and test_value(a, "BPC", held) * test_value(b, "BPC", held) > 0.0:
        # The branch that is born at a pitchfork turns there, and its multiplier only touches 1.
        touched = _branch_point(between, a, b, "LPC")
        if touched is not None:
            yield "BPC", touched
        return
    if len(kinds) > 1 and depth < _HALVINGS:
        middle = between.at(0.5 * (a.arclength + b.arclength) / whole)
        if middle is not None:
            yield from locate(between, a, middle, depth + 1)
            yield from locate(between, middle, b, depth + 1)
        return
    for kind in kinds:
        if kind == "BPC" and test_value(a, kind, held) * test_value(b, kind, held) < 0.0:
            r = _branch_point(between, a, b, kind)
            if r is not None:
                yield kind, r
            continue
        values: dict[float, Record] = {}
        double = _double(a, b) if kind == "NS" and depth == _HALVINGS else ""
        kind = double or kind

        def f(x: float, kind: str = kind, values: dict[float, Record] = values) -> float | None:
            r = between.at(x)
            if r is None:
                return None
            values[x] = r
            v = test_value(r, kind, held)
            return v if np.isfinite(v) else None

        va, vb = test_value(a, kind, held), test_value(b, kind, held)
        if not va * vb < 0.0:
            # A pair that met between the two: look from halfway.
            if depth < _HALVINGS:
                middle = between.at(0.5 * (a.arclength + b.arclength) / whole)
                if middle is not None:
                    yield from locate(between, a, middle, depth + 1)
                    yield from locate(between, middle, b, depth + 1)
            return
        ends = a.arclength / whole, b.arclength / whole
        found = None if double else _straight(between, a, b, kind, va, vb)
        if found is None and not double:
            x = _root(f, *ends, va, vb, _ROUGH)
            near = None if x is None else values.get(x) or between.at(x)
            if near is not None:
                found = solved(between, near.profile.states / between.c.scale, near.b, near, kind)
        if found is None:
            x = _root(f, *ends, va, vb)
            found = None if x is None else values.get(x) or between.at(x)
            # A parameter that turns without a multiplier at 1 is the mesh's noise, as where periods grow without bound.
            if kind == "LPC" and found is not None and not abs(critical_multiplier(found, kind) - 1.0) < _FOLD:
                found = None
        if found is not None:
            yield kind, found
