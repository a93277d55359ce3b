"""Curve problems: what is free, what holds along the curve, and the compiled form of it."""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation import _kernels, _tracer
from gan_bifurcation.continuation._linear_algebra import reduced_spectrum
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.observables import observable_tape
from gan_bifurcation.ranges import Range
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

Condition = Literal["none", "real", "minus", "pair", "focus", "function", "structural", "structural minus"]

_CODES: Final[dict[Condition, tuple[int, float]]] = {
    "none": (_kernels.NONE, 1.0),
    "real": (_kernels.REAL, 1.0),
    "minus": (_kernels.REAL, -1.0),
    "pair": (_kernels.PAIR, 1.0),
    "focus": (_kernels.FOCUS, 1.0),
    "function": (_kernels.FUNCTION, 1.0),
    "structural": (_kernels.STRUCTURAL, 1.0),
    "structural minus": (_kernels.STRUCTURAL, -1.0),
}

# What each label of a codimension-one point says of the spectrum.
CONDITION_OF: Final[dict[str, dict[str, Condition]]] = {
    "flow": {"LP": "real", "BP": "real", "H": "pair"},
    "map": {"LP": "real", "BP": "real", "PD": "minus", "NS": "pair"},
}
# A neutral saddle, no bifurcation: two real eigenvalues of sum 0 or multipliers of product 1.
NEUTRAL: Final = "NSS"
# The condition of a point on a manifold of equilibria, where the normal forms of isolated points do not apply.
ON_MANIFOLD: Final = "manifold"
# Of exponents whose exponential is a number.
_LARGEST: Final = 700.0


@dataclass(frozen=True, eq=False)
class CurveProblem:
    """The equations of a curve: an equilibrium or fixed point, and a condition on its spectrum.

    Attributes
    ----------
    system : System
    free : mapping of str to Range
        Free parameters and the window that they may run in.
    condition : str
        "none" (a branch), "real" (an eigenvalue equal to the level: LP, BP), "minus" (maps: to minus the level: PD),
        "pair" (a complex pair on the level: H, NS), "focus" (a double real eigenvalue: a node turns into a focus),
        "function" (a scalar function of states and parameters vanishes), "structural" (the common eigenvalue of the
        linear states).
    level : str
        Modulus (maps, "1") or real part (flows, "0") of the condition, an expression; for "function" the function.
    pins : array (n, k)
        Orthonormal directions in which the solution is not isolated (a manifold of equilibria, or the critical
        direction of a branch point); it is held there, with a multiplier that must come out as zero.
    unfolding : array (n, k)
        The directions which those multipliers act in (left null vectors).
    scale : array (n,)
        Sizes of the states.
    kappa_unit : float
        Flows: the size of the unknown kappa, omega**2 of a pair or the double eigenvalue of "focus".
    """

    system: System
    free: dict[str, Range]
    condition: Condition = "none"
    level: str = ""
    pins: FloatArray | None = None
    unfolding: FloatArray | None = None
    scale: FloatArray = field(default_factory=lambda: np.zeros(0))
    kappa_unit: float = 1.0

    def __post_init__(self) -> None:
        if self.condition not in _CODES:
            raise MisuseError(f"Unknown condition '{self.condition}'; expected one of {', '.join(_CODES)}.")
        if not len(self.scale):
            object.__setattr__(self, "scale", np.ones(self.system.n))

    @property
    def k(self) -> int:
        return 0 if self.pins is None else self.pins.shape[1]

    @property
    def has_kappa(self) -> bool:
        return self.condition in ("pair", "focus")

    @property
    def size(self) -> int:
        """Number of unknowns."""
        return self.system.n + self.k + len(self.free) + self.has_kappa

    @property
    def equations(self) -> int:
        """Number of equations."""
        extra = 2 if self.has_kappa else (0 if self.condition == "none" else 1)
        return self.system.n + self.k + extra

    @property
    def q_slice(self) -> slice:
        start = self.system.n + self.k
        return slice(start, start + len(self.free))

    @cached_property
    def linear_split(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        linear = np.array(self.system.linear_states, dtype=np.int64)
        rest = np.array([i for i in range(self.system.n) if i not in set(linear.tolist())], dtype=np.int64)
        return linear, rest

    @cached_property
    def reduced_size(self) -> int:
        """Number of eigenvalues without the structural ones."""
        linear, rest = self.linear_split
        return 2 * len(rest) if len(linear) > len(rest) else self.system.n

    @property
    def structural_multiplicity(self) -> int:
        return self.system.n - self.reduced_size

    @cached_property
    def arrays(self) -> _kernels.Arrays:
        """The arrays for the kernels. Borders, pins, reference and Jacobian are worked on in place.

        One set per object.
        """
        system, n = self.system, self.system.n
        code, sign = _CODES[self.condition]
        ranges = list(self.free.values())
        level = self.level or ("1" if system.kind == "map" else "0")
        linear, rest = self.linear_split
        zeros = np.zeros((n, self.k))
        width = 2 if self.has_kappa else 1
        return _kernels.Arrays(
            tape=system.tape.data,
            iterations=system.iterations,
            n=n,
            is_map=system.kind == "map",
            p=system.parameter_vector(),
            free=np.array([system.parameter_index(name) for name in self.free], dtype=np.int64),
            low=np.array([r.low for r in ranges]),
            high=np.array([r.high for r in ranges]),
            log=np.array([r.log for r in ranges], dtype=np.int64),
            scale=np.array(self.scale, dtype=float),
            condition=code,
            sign=sign,
            level=observable_tape(system, [level]).data,
            pin_rows=zeros if self.pins is None else np.array(self.pins, dtype=float),
            pin_columns=zeros.copy() if self.unfolding is None else np.array(self.unfolding, dtype=float),
            reference=np.zeros(n),
            border_b=np.zeros((n, width)),
            border_c=np.zeros((n, width)),
            kappa_unit=self.kappa_unit,
            pick=np.array([0, 0, 0, 1], dtype=np.int64),
            linear=linear,
            rest=rest,
            z=np.zeros(n + system.m),
            f=np.zeros(n),
            j=np.zeros((n, n + system.m)),
            slope=np.zeros(len(ranges)),
            residual=np.zeros(self.size),
            system=np.zeros((self.size, self.size)),
            tangent=np.zeros(self.size),
        )

    @cached_property
    def state(self) -> Any:
        """The compiled form."""
        return _kernels.make_state(self.arrays)

    def under(self, condition: Condition, level: str = "", kappa_unit: float = 1.0) -> "CurveProblem":
        """The same equations with a condition on the spectrum."""
        twin = CurveProblem(self.system, self.free, condition, level, self.pins, self.unfolding, self.scale, kappa_unit)
        object.__setattr__(twin, "plain", self.plain)
        return twin

    # -- coordinates --------------------------------------------------------------------------------------------------

    def pack(self, x: FloatArray, kappa: float = 0.0, values: dict[str, float] | None = None) -> FloatArray:
        """States, parameters (the system's own where not given) and kappa as unknowns."""
        u = np.zeros(self.size)
        u[: self.system.n] = x / self.scale
        values = values or {}
        for i, (name, window) in enumerate(self.free.items()):
            u[self.system.n + self.k + i] = window.to_unit(values.get(name, self.system.parameters[name]))
        if self.has_kappa:
            u[-1] = kappa
        return u

    def states(self, u: FloatArray) -> FloatArray:
        """States of unknowns (..., size) -> (..., n)."""
        return np.asarray(u[..., : self.system.n] * self.scale)

    def parameters(self, u: FloatArray) -> FloatArray:
        """Free parameters of unknowns (..., size) -> (..., f)."""
        q = u[..., self.q_slice]
        columns = []
        for i, window in enumerate(self.free.values()):
            # The kernel computes low * exp(q log(high / low)); the same here, so that values agree to the last digit.
            if window.log:
                columns.append(window.low * np.exp(q[..., i] * np.log(window.high / window.low)))
            else:
                columns.append(window.low + q[..., i] * (window.high - window.low))
        return np.stack(columns, axis=-1) if columns else np.zeros((*u.shape[:-1], 0))

    def at(self, u: FloatArray) -> System:
        """The system with the parameters of these unknowns."""
        return self.system.with_parameters(**dict(zip(self.free, self.values(u), strict=True)))

    def joint(self, u: FloatArray) -> FloatArray:
        """States and all parameters of unknowns, (n + m,)."""
        n = self.system.n
        z = np.concatenate([u[:n] * self.scale, self.arrays.p])
        for position, value in zip(self.arrays.free.tolist(), self.values(u), strict=True):
            z[n + position] = value
        return z

    def values(self, u: FloatArray) -> list[float]:
        """The free parameters of unknowns (size,), as the kernels compute them."""
        values = []
        for q, window in zip(u[self.q_slice].tolist(), self.free.values(), strict=True):
            if window.log:
                exponent = q * math.log(window.high / window.low)
                # Newton steps may lead anywhere: beyond all numbers, too.
                values.append(window.low * math.exp(exponent) if exponent < _LARGEST else math.inf)
            else:
                values.append(window.low + q * (window.high - window.low))
        return values

    # -- equations ----------------------------------------------------------------------------------------------------

    def set_borders(self, matrix: FloatArray) -> None:
        """Take as borders the singular vectors of the smallest singular values of the matrix M of the condition."""
        left, _, right = np.linalg.svd(matrix)
        width = 2 if self.has_kappa else 1
        self.arrays.border_b[:] = left[:, -width:]
        self.arrays.border_c[:] = right[-width:].T

    def set_reference(self, x: FloatArray) -> None:
        self.arrays.reference[:] = x

    @property
    def turns(self) -> bool:
        """Whether what is pinned is the critical direction itself, as along a curve of branch points."""
        return bool(self.k) and self.condition == "real" and not self.level

    def turn(self, u: FloatArray) -> None:
        """Pin along the left null vectors that there are at these unknowns: they turn along the curve."""
        a = self.jacobian_states(u) * (self.scale / self.scale[:, None])
        left = np.linalg.svd(a - (np.eye(self.system.n) if self.arrays.is_map else 0.0))[0][:, -self.k :]
        self.arrays.pin_rows[:], self.arrays.pin_columns[:] = left / self.scale[:, None], left * self.scale[:, None]
        self.set_reference(self.states(u))

    def residual(self, u: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Residual and Jacobian over the unknowns.

        Raises
        ------
        MisuseError
            If the bordered matrix of the condition is singular there.
        """
        if not _kernels.evaluate(self.state, np.asarray(u, dtype=float)):
            raise MisuseError(
                "The bordered matrix of the condition is singular at this point; start from another point of the curve."
            )
        return self.arrays.residual[: self.equations].copy(), self.arrays.system[: self.equations].copy()

    def bordered(self, u: FloatArray, row: FloatArray) -> FloatArray:
        """The square matrix of the Jacobian over the unknowns and one row more, along a branch."""
        _kernels.evaluate(self.state, np.asarray(u, dtype=float))
        d = self.arrays.system.copy()
        d[-1] = row
        return d

    def newton(
        self, u: FloatArray, row: FloatArray | None = None, target: float = 0.0, iterations: int = 12
    ) -> tuple[FloatArray, bool]:
        """Solve from a guess; with one equation more, `row . u = target`, where the problem leaves one freedom."""
        u = np.array(u, dtype=float)
        row = np.zeros(self.size) if row is None else np.asarray(row, dtype=float)
        return u, _tracer.correct(self.state, u, row, target, iterations, 1e-11) > 0

    @cached_property
    def plain(self) -> "CurveProblem":
        """The same equations without a condition on the spectrum; their unknowns are the first ones of this problem."""
        if self.condition == "none":
            return self
        return CurveProblem(self.system, self.free, pins=self.pins, unfolding=self.unfolding, scale=self.scale)

    def linearise(self, u: FloatArray) -> "Linearisation":
        """The right-hand side and its derivative at unknowns."""
        plain = self.plain
        _kernels.evaluate(plain.state, np.ascontiguousarray(u[: plain.size], dtype=float))
        arrays = plain.arrays
        return Linearisation(self, arrays.z.copy(), arrays.f.copy(), arrays.j.copy())

    def jacobian_states(self, u: FloatArray) -> FloatArray:
        """The Jacobian A in the states (of the map itself for maps), (n, n)."""
        return self.linearise(u).a

    def spectrum(self, u: FloatArray) -> ComplexArray:
        """All eigenvalues or multipliers at unknowns, (n,); structural ones last."""
        return self.linearise(u).spectrum()

    def spectrum_of(self, j: FloatArray) -> ComplexArray:
        """All eigenvalues or multipliers of a derivative (n, n or more), (n,); structural ones last."""
        linear, rest = self.linear_split
        c = j[linear[0], linear[0]] if len(linear) else np.nan
        return full_spectrum(self, reduced_spectrum(j, linear, rest), np.asarray(c))

    def relative_residual(self, u: FloatArray) -> float:
        """Largest residual of F relative to the size of the terms of its equation."""
        return self.linearise(u).relative_residual()


@dataclass(frozen=True, eq=False)
class Linearisation:
    """A right-hand side and its derivative at one place: all that its spectrum and its residual are made of.

    Attributes
    ----------
    problem : CurveProblem
    z : array (n + m,)
        States and parameters.
    f : array (n,)
    j : array (n, n + m)
    """

    problem: CurveProblem
    z: FloatArray
    f: FloatArray
    j: FloatArray

    @property
    def a(self) -> FloatArray:
        """The Jacobian in the states (of the map itself for maps), (n, n)."""
        return np.ascontiguousarray(self.j[:, : len(self.f)])

    def spectrum(self) -> ComplexArray:
        """All eigenvalues or multipliers, (n,); structural ones last."""
        return self.problem.spectrum_of(self.j)

    def relative_residual(self) -> float:
        """Largest residual of F relative to the size of the terms of its equation."""
        f = self.f
        size = np.maximum(np.abs(self.j) @ np.abs(self.z), np.abs(f))
        if self.problem.system.kind == "map":
            x = self.z[: len(f)]
            f = f - x
            size = np.maximum(size, np.abs(x))
        return float((np.abs(f) / np.maximum(size, 1e-3)).max())


def full_spectrum(problem: CurveProblem, reduced: ComplexArray, structural: FloatArray) -> ComplexArray:
    """Put the structural eigenvalues back: (N, reduced) and (N,) -> (N, n)."""
    k = problem.structural_multiplicity
    if k == 0:
        return reduced
    return np.concatenate([reduced, np.repeat(structural[..., None], k, axis=-1).astype(complex)], axis=-1)


def compute_spectrum(system: System, x: FloatArray) -> ComplexArray:
    """All eigenvalues (flows) or multipliers (maps) at a state, shape (n,); structural ones last."""
    return CurveProblem(system, {}).spectrum_of(system.jacobian(x))
