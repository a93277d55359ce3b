"""Points of a branch of cycles: what is recorded of each, and the branch between two of them."""

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation import _cycle_steps as steps
from gan_bifurcation.continuation._cycle_kernels import inner_product
from gan_bifurcation.continuation.collocation import Collocation, Strides, shown
from gan_bifurcation.profiles import Profile

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

# Multipliers with a smaller imaginary part, relative to their size, are real.
REAL: Final = 1e-9
# Multipliers that are no further apart are one, several times.
_EQUAL: Final = 1e-6


@dataclass(frozen=True, eq=False)
class Record:
    """A cycle on a branch, in the units of its collocation system.

    Attributes
    ----------
    arclength : float
        Since the last record.
    b, tb : arrays
        Period and free parameters in their windows, and their part of the tangent.
    spectrum : complex array (n,)
        The trivial multiplier first.
    sign : float
        Of the determinant of [Jacobian; tangent].
    profile : Profile
    along : array (n + 2,)
        Of a branch point, how the first state, the period and the parameter change along the branch; otherwise empty.
    extremes : pair of arrays (n,), optional
        Least and greatest values of the states, where they are known.
    """

    arclength: float
    b: FloatArray
    tb: FloatArray
    spectrum: ComplexArray
    sign: float
    profile: Profile
    along: FloatArray = field(default_factory=lambda: np.zeros(0))
    extremes: tuple[FloatArray, FloatArray] | None = None

    @property
    def counts(self) -> tuple[int, int, int]:
        """Multipliers outside the unit circle: real ones above 1, below -1, and complex pairs."""
        plus, minus, pairs = outside(self.spectrum)
        return int(plus), int(minus), int(pairs)


def outside(spectra: ComplexArray) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Of spectra (..., n), how many are outside the unit circle, the trivial one left out: see `Record.counts`."""
    mu = spectra[..., 1:]
    size = np.abs(mu)
    real, out = np.abs(mu.imag) <= REAL * size, size > 1.0
    sides = out & real & (mu.real > 0.0), out & real & (mu.real < 0.0), out & ~real & (mu.imag > 0.0)
    return sides[0].sum(axis=-1), sides[1].sum(axis=-1), sides[2].sum(axis=-1)


def record_of(c: Collocation, arclength: float) -> Record:
    """The present point as a record."""
    nb = c.nb
    return Record(
        arclength, c.b[:nb].copy(), c.tb[:nb].copy(), c.spectrum.copy(), float(c.step[steps.SIGN]),
        c.profile(c.u, c.b),
    )  # fmt: skip


def measured(c: Collocation, r: Record) -> Record:
    """A record on the present mesh with the extrema of its states."""
    b = np.zeros_like(c.b)
    b[: len(r.b)] = r.b
    return replace(r, extremes=c.extremes(r.profile.states / c.scale, b))


def records_of(c: Collocation, strides: Strides) -> list[Record]:
    """The points of a march as records."""
    nb, n = c.nb, len(c.scale)
    numbers = strides.records
    b, tb, rest = numbers[:, 3 : 3 + nb], numbers[:, 3 + nb : 3 + 2 * nb], numbers[:, 3 + 2 * nb :]
    low, high = rest[:, :n], rest[:, n : 2 * n]
    states = rest[:, 2 * n :].reshape(len(numbers), c.intervals * c.degree + 1, n)
    states.setflags(write=False)
    # All profiles share these.
    over = [shown(mesh, c.degree) for mesh in strides.meshes]
    made = []
    for k, (arclength, sign, mesh) in enumerate(numbers[:, :3].tolist()):
        profile = Profile.over(*over[int(mesh)], states[k], float(b[k, 0]))
        made.append(Record(arclength, b[k], tb[k], strides.spectra[k], sign, profile, extremes=(low[k], high[k])))
    return made


def point_of(c: Collocation, r: Record, label: str, index: float, critical: complex = complex(np.nan)) -> Point:
    """A record as a point of the branch."""
    at = c.at(r.b)
    equal = int(np.sum(np.abs(r.spectrum[1:] - critical) < _EQUAL)) if label in ("BPC", "PD") else 1
    return Point(
        at, r.profile.states[0].copy(), r.spectrum, label=label, free=tuple(c.free), index=index, critical=critical,
        residual=0.0, profile=r.profile, vectors={"branch": r.along.astype(complex)} if len(r.along) else {},
        multiplicity=max(equal, 1),
    )  # fmt: skip


class Between:
    """The branch between the last point and the present one, whose points are found by Newton's method.

    `at(sigma)` solves at a fraction of the step's arclength; all points are on the mesh of the present point.
    """

    def __init__(self, c: Collocation) -> None:
        twin = self.c = c.scratch()
        self.length = float(c.step[steps.LAST])
        # The last point's plane: its tangent is the last row.
        self.u0, self.t0, self.b0, self.tb0 = c.before, c.before_t, c.before_b, c.before_tb
        self.u1, self.t1, self.b1, self.tb1 = c.u, c.t, c.b, c.tb
        self.by_border = twin.weights[: c.nb] * self.tb0[: c.nb]
        self.level = self._level(self.u0, self.b0)
        self.whole = self._level(self.u1, self.b1) - self.level

    def _level(self, u: FloatArray, b: FloatArray) -> float:
        """The product with the last point's tangent."""
        return inner_product(self.c.state, self.t0, u) + float(self.by_border @ b[: len(self.by_border)])

    def place(self, u: FloatArray, b: FloatArray) -> float:
        """The part of the step at which a point of it lies."""
        return (self._level(u, b) - self.level) / self.whole

    def guess(self, x: float) -> tuple[FloatArray, FloatArray]:
        """Scaled states and border unknowns at a part of the step, on a cubic."""
        d = self.length
        h00, h10, h01, h11 = (1 + 2 * x) * (1 - x) ** 2, x * (1 - x) ** 2, x * x * (3 - 2 * x), x * x * (x - 1)
        return (
            h00 * self.u0 + h10 * d * self.t0 + h01 * self.u1 + h11 * d * self.t1,
            h00 * self.b0 + h10 * d * self.tb0 + h01 * self.b1 + h11 * d * self.tb1,
        )

    def at(self, fraction: float, row: int | None = None, target: float = 0.0) -> Record | None:
        """The point at a fraction of the step, or with a border unknown (`row`) of a given value near there."""
        c = self.c
        c.trial[:], c.trial_b[:] = self.guess(fraction)
        steps.set_row(c.state, self.t0, self.tb0, self.u0)
        if row is None:
            target = self.level + fraction * self.whole
        else:
            c.hold(row)
        guess_b = c.trial_b[: c.nb].copy()
        if not c.solve(target, 1e-12):
            return None
        if np.linalg.norm(c.trial_b[1 : c.nb] - guess_b[1:]) > 0.5 * self.length + 1e-9:
            return None
        if row is not None:
            steps.set_row(c.state, self.t0, self.tb0, c.trial)
        spectrum = np.zeros_like(c.spectrum)
        _, sign = steps.settle(c.state, c.which, c.trial, c.trial_b, spectrum)
        b, tb = c.trial_b[: c.nb].copy(), c.solution_b[: c.nb].copy()
        return Record(fraction * self.length, b, tb, spectrum, sign, c.profile(c.trial, c.trial_b))
