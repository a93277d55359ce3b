"""Systems over interval balls: derivatives, Krawczyk's test of a zero, and where eigenvalues are for certain."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation.balls import FUNCTIONS, Gradient, Series
from gan_bifurcation.system import System

Equations = Callable[[list[Any]], list[Any]]


class Ball:
    """A system over scalars of any kind; free parameters, if there are any, are inputs like the states."""

    def __init__(self, system: System, *free: str) -> None:
        from flint import arb

        self.system = system
        self.free = [system.parameter_index(name) for name in free]
        self.parameters = [arb(float(v)) for v in system.parameter_vector()]

    def rhs(self, x: Sequence[Any], values: Sequence[Any] = ()) -> list[Any]:
        """The right-hand side (of a map's iterate) at states and the values of the free parameters."""
        p: list[Any] = list(self.parameters)
        for index, free in zip(self.free, values, strict=True):
            p[index] = free
        out = list(x)
        for _ in range(self.system.iterations):
            out = self.system.tape.evaluate([*out, *p], FUNCTIONS)
        return out

    def residual(self, x: Sequence[Any], values: Sequence[Any] = ()) -> list[Any]:
        """What is zero at an equilibrium or fixed point."""
        f = self.rhs(x, values)
        return [a - b for a, b in zip(f, x, strict=True)] if self.system.kind == "map" else f

    def times(self, x: Sequence[Any], q: Sequence[Any], values: Sequence[Any] = ()) -> list[Any]:
        """The Jacobian in the states times a vector."""
        return self.power(x, q, 1, values)

    def power(self, x: Sequence[Any], q: Sequence[Any], order: int, values: Sequence[Any] = ()) -> list[Any]:
        """The Taylor coefficient of an order along a vector of states."""
        lines = [Series([a, b, *([0.0 * b] * (order - 1))]) for a, b in zip(x, q, strict=True)]
        out = self.rhs(lines, values)
        return [f.terms[order] if isinstance(f, Series) else 0.0 * q[0] for f in out]

    def matrix(self, x: Sequence[Any], values: Sequence[Any] = ()) -> Any:
        """An enclosure of the Jacobian in the states."""
        from flint import arb, arb_mat

        n = len(x)
        units = [Gradient(a, [arb(int(i == k)) for k in range(n)]) for i, a in enumerate(x)]
        out = self.rhs(units, values)
        return arb_mat([f.slopes if isinstance(f, Gradient) else [arb(0)] * n for f in out])


@dataclass(frozen=True)
class Zero:
    """What Krawczyk's test says.

    Attributes
    ----------
    balls : list of arb or None
        The box that holds exactly one zero; None if that was not proved.
    tight : list of arb or None
        A smaller box that holds it.
    reason : str
        Why it was not proved.
    """

    balls: list[Any] | None
    tight: list[Any] | None = None
    reason: str = ""


def _value_and_jacobian(equations: Equations, box: list[Any]) -> tuple[list[Any], Any]:
    from flint import arb, arb_mat

    size = len(box)
    units = [Gradient(a, [arb(int(i == k)) for k in range(size)]) for i, a in enumerate(box)]
    out = equations(units)
    rows = [f.slopes if isinstance(f, Gradient) else [arb(0)] * size for f in out]
    return [f.value if isinstance(f, Gradient) else f for f in out], arb_mat(rows)


def prove_zero(equations: Equations, guess: NDArray[np.float64], scale: NDArray[np.float64]) -> Zero:
    """Prove that there is exactly one zero beside a guess, by Krawczyk's test in boxes of growing smallness."""
    from flint import arb, arb_mat

    size = len(guess)
    middle = [arb(float(v)) for v in guess]
    step = [arb(0)] * size
    for _ in range(3):
        f, jacobian = _value_and_jacobian(equations, middle)
        if not all(v.is_finite() for v in f):
            return Zero(None, reason="the equations have no finite value at the point")
        try:
            change = jacobian.solve(arb_mat([[v] for v in f]))
        except ZeroDivisionError:
            return Zero(None, reason="the derivative of the equations cannot be told from a singular one")
        step = [change[i, 0] for i in range(size)]
        moved = max(float(abs(s).upper()) / w for s, w in zip(step, scale, strict=True))
        if not moved < 1e-4:
            return Zero(None, reason=f"Newton's step from the point is {moved:.1e} of its size, so it is no solution")
        middle = [(m - s).mid() for m, s in zip(middle, step, strict=True)]
    inverse = _inverse(_value_and_jacobian(equations, middle)[1])
    if inverse is None:
        return Zero(None, reason="the derivative of the equations cannot be told from a singular one")
    value = equations(list(middle))
    for radius in (1e-4, 1e-6, 1e-8, 1e-10, 1e-13, 1e-16):
        box = [arb(m, radius * float(w)) for m, w in zip(middle, scale, strict=True)]
        image = _krawczyk(equations, box, middle, value, inverse)
        if image is not None and all(b.contains_interior(k) for b, k in zip(box, image, strict=True)):
            tight = image
            for _ in range(4):
                centre = [b.mid() for b in tight]
                smaller = _krawczyk(equations, tight, centre, equations(list(centre)), inverse)
                if smaller is None:
                    break
                tight = [a.intersection(b) for a, b in zip(tight, smaller, strict=True)]
            return Zero(box, tight)
    return Zero(None, reason="no box was mapped into itself, down to a relative size of 1e-16")


def _inverse(jacobian: Any) -> Any:
    """An approximate inverse; any matrix will do for the proof."""
    from flint import arb_mat

    size = jacobian.nrows()
    numbers = np.array([[float(jacobian[i, j].mid()) for j in range(size)] for i in range(size)])
    try:
        found = np.linalg.inv(numbers)
    except np.linalg.LinAlgError:
        return None
    return arb_mat(found.tolist()) if np.isfinite(found).all() else None


def _krawczyk(equations: Equations, box: list[Any], middle: list[Any], value: list[Any], inverse: Any) -> Any:
    """m - Y f(m) + (1 - Y f'(box)) (box - m) (Krawczyk 1969); None where something is not finite."""
    from flint import arb_mat

    size = len(box)
    _, slopes = _value_and_jacobian(equations, box)
    rest = -(inverse * slopes)
    for i in range(size):
        rest[i, i] = rest[i, i] + 1
    moved = rest * arb_mat([[b - m] for b, m in zip(box, middle, strict=True)])
    step = inverse * arb_mat([[v] for v in value])
    image = [m - step[i, 0] + moved[i, 0] for i, m in enumerate(middle)]
    return image if all(k.is_finite() for k in image) else None


def eigenvalue_discs(matrix: Any) -> list[tuple[Any, Any]]:
    """Centres and radii of discs that hold all eigenvalues of every matrix in an enclosure.

    Gershgorin's discs after a change of basis by approximate eigenvectors: any number of discs apart from the others
    holds as many eigenvalues.
    """
    from flint import acb, acb_mat, arb

    n = matrix.nrows()
    numbers = np.array([[float(matrix[i, j].mid()) for j in range(n)] for i in range(n)])
    _, vectors = np.linalg.eig(numbers)
    basis = acb_mat([[acb(complex(v).real, complex(v).imag) for v in row] for row in vectors.tolist()])
    similar = basis.solve(acb_mat(matrix) * basis)
    discs = []
    for i in range(n):
        radius = arb(0)
        for j in range(n):
            if j != i:
                radius += abs(similar[i, j])
        discs.append((similar[i, i], radius))
    return discs


def count_beyond(kind: str, matrix: Any) -> tuple[int, int]:
    """How many eigenvalues lie beyond the stability boundary for certain, and how many may lie on it.

    Discs that meet the boundary and touch others make all of these uncertain.
    """
    try:
        discs = eigenvalue_discs(matrix)
    except ZeroDivisionError:
        return 0, int(matrix.nrows())
    margins = [centre.real if kind == "flow" else abs(centre) - 1 for centre, _ in discs]
    near = [not (abs(m) > r) for m, (_, r) in zip(margins, discs, strict=True)]
    grown = True
    while grown:
        touched = [
            not near[i]
            and any(
                near[j] and not (abs(discs[i][0] - discs[j][0]) > discs[i][1] + discs[j][1]) for j in range(len(discs))
            )
            for i in range(len(discs))
        ]
        grown = any(touched)
        near = [a or b for a, b in zip(near, touched, strict=True)]
    beyond = sum(not flag and bool(m > 0) for flag, m in zip(near, margins, strict=True))
    return beyond, sum(near)
