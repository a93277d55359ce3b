"""The centre manifold of a codimension-two point as a power series, from jets, in original coordinates.

The homological equation F(H(w)) = H(G(w)) of a map (F(H(w)) = DH(w) G(w) of a flow) is solved degree by degree, for
the parametrisation H of the centre manifold and the normal form G on it at once (Kuznetsov, SIAM J. Numer. Anal. 36,
1999; Kuznetsov and Meijer, SIAM J. Sci. Comput. 26, 2005). What degree k needs of F is the Taylor coefficient of order
k of F along curves t -> H(t omega), for as many directions omega as there are monomials: one jet each, no multilinear
form.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import inner, jit
from gan_bifurcation.continuation._coefficients import _factor, _null_vectors, _solve
from gan_bifurcation.evaluation import jacobian, make_evaluator
from gan_bifurcation.jets import run_jet
from gan_bifurcation.kernels import FloatArray, n_slots
from gan_bifurcation.system import System

ComplexArray = NDArray[np.complex128]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Table:
    """The monomials of a normal form and how they are separated.

    Attributes
    ----------
    exponents : array (N, m)
        All monomials of degrees 1 to the order, degree by degree.
    first : array (order + 2,)
        `first[k]` is the number of the first monomial of degree k.
    parent, variable : arrays (N,)
        A monomial is its parent times that variable.
    component : array (N,)
        The component in which a monomial is resonant, -1 if in none.
    directions : array (D, m)
        Degree by degree.
    begin : array (order + 2,)
    separate : array
        For each degree the pseudo-inverse (monomials, directions), flattened.
    offset : array (order + 2,)
    """

    exponents: IntArray
    first: IntArray
    parent: IntArray
    variable: IntArray
    component: IntArray
    directions: ComplexArray
    begin: IntArray
    separate: ComplexArray
    offset: IntArray
    number: dict[tuple[int, ...], int]


def _monomials(m: int, degree: int) -> list[tuple[int, ...]]:
    return sorted((e for e in product(range(degree + 1), repeat=m) if sum(e) == degree), reverse=True)


def _weight(exponents: tuple[int, ...], kinds: str, resonance: int) -> tuple[int, ...]:
    """What a monomial is multiplied with under the symmetries of the linear part: parity, then turns of each pair."""
    parity, turns = 0, []
    for e, kind in zip(exponents, kinds, strict=True):
        if kind == "-":
            parity += e
        elif kind == "z":
            turns.append(e)
        elif kind == "Z":  # the conjugate, right behind its partner
            turns[-1] -= e
    return (parity % 2, *(t % resonance if resonance else t for t in turns))


@lru_cache(maxsize=64)
def table(kinds: str, order: int, resonance: int = 0) -> Table:
    """The table of critical eigenvalues of these kinds, up to an order.

    Parameters
    ----------
    kinds : str
        A letter for each critical coordinate: "0" (eigenvalue 0 of a flow, 1 of a map), "-" (multiplier -1), "z" and
        "Z" (a pair).
    order : int
    resonance : int
        The order of a strong resonance, 0 without.
    """
    m = len(kinds)
    units = [tuple(int(i == k) for i in range(m)) for k in range(m)]
    weights = [_weight(u, kinds, resonance) for u in units]
    exponents: list[tuple[int, ...]] = list(units)
    first, begin, offset = [0, 0], [0, 0, 0], [0, 0, 0]
    directions: list[Any] = []
    separate: list[Any] = []
    for degree in range(2, order + 1):
        first.append(len(exponents))
        here = _monomials(m, degree)
        exponents += here
        points, matrix = _directions(kinds, degree, here)
        directions.append(points)
        separate.append(np.linalg.pinv(matrix))
        begin.append(begin[-1] + len(points))
        offset.append(offset[-1] + separate[-1].size)
    first.append(len(exponents))
    number = {e: i for i, e in enumerate(exponents)}
    parent, variable, component = [-1] * m, list(range(m)), list(range(m))
    for e in exponents[m:]:
        k = next(i for i, c in enumerate(e) if c)
        parent.append(number[tuple(c - (i == k) for i, c in enumerate(e))])
        variable.append(k)
        weight = _weight(e, kinds, resonance)
        component.append(weights.index(weight) if weight in weights else -1)
    return Table(
        np.array(exponents, dtype=np.int64), np.array(first), np.array(parent), np.array(variable),
        np.array(component), np.concatenate(directions), np.array(begin), np.concatenate([s.ravel() for s in separate]),
        np.array(offset), number,
    )  # fmt: skip


_TRIALS: Final = 60


def _directions(kinds: str, degree: int, monomials: list[tuple[int, ...]]) -> tuple[ComplexArray, ComplexArray]:
    """Directions whose monomials of a degree are well separated, and the matrix of their values.

    The two coordinates of a pair are conjugate, so that H along a direction is a real curve.
    """
    rng = np.random.default_rng(1999)
    best: tuple[float, ComplexArray, ComplexArray] | None = None
    count = len(monomials) if len(kinds) < 3 else int(np.ceil(1.1 * len(monomials)))
    for _ in range(_TRIALS if len(kinds) > 1 else 1):
        points = np.ones((count, len(kinds)), dtype=complex)
        for i, kind in enumerate(kinds):
            if kind == "Z":
                points[:, i] = points[:, i - 1].conj()
            elif kind == "z":
                turn = np.exp(2j * np.pi * rng.random(count)) if len(kinds) > 2 else np.exp(2j * np.pi * _even(count))
                points[:, i] = (rng.uniform(0.5, 1.5, count) if len(kinds) > 2 else 1.0) * turn
            elif len(kinds) > 1:
                points[:, i] = rng.uniform(0.5, 1.5, count) * rng.choice([-1.0, 1.0], count)
        matrix = np.prod(points[:, None, :] ** np.array(monomials), axis=2)
        condition = float(np.linalg.cond(matrix))
        if best is None or condition < best[0]:
            best = (condition, points, matrix)
    assert best is not None
    return best[1], best[2]


def _even(count: int) -> FloatArray:
    return np.asarray((np.arange(count) + 0.25) / (2 * count))


@inner
def _known(
    is_map: bool, degree: int, lam: ComplexArray, omega: ComplexArray, h: ComplexArray, g: ComplexArray,
    exponents: IntArray, first: IntArray, parent: IntArray, variable: IntArray, component: IntArray,
    mono: ComplexArray, out: FloatArray,
) -> None:  # fmt: skip
    """Subtract from `out` what H of lower degrees and G give at this degree along omega: [H(G)]_k or [DH G]_k."""
    m, n = omega.shape[0], out.shape[0]
    gk = np.zeros((m, degree + 1), dtype=np.complex128)
    for j in range(2, degree):
        for a in range(first[j], first[j + 1]):
            if component[a] >= 0:
                gk[component[a], j] += g[a] * mono[a]
    if not is_map:
        for j in range(2, degree):
            for a in range(first[j], first[j + 1]):
                factor = 0.0j
                for i in range(m):
                    if exponents[a, i] > 0:
                        factor += exponents[a, i] * gk[i, degree - j + 1] / omega[i]
                factor *= mono[a]
                for c in range(n):
                    out[c] -= (h[a, c] * factor).real
        return
    total = first[degree]
    series = np.zeros((total, degree + 1), dtype=np.complex128)
    for i in range(m):
        series[i, 1] = lam[i] * omega[i]
        for j in range(2, degree):
            series[i, j] = gk[i, j]
    for a in range(m, total):
        x, y = parent[a], variable[a]
        low = 0
        for i in range(m):
            low += exponents[x, i]
        for k in range(low, degree):
            for j in range(1, degree - k + 1):
                series[a, k + j] += series[x, k] * series[y, j]
        for c in range(n):
            out[c] -= (h[a, c] * series[a, degree]).real


@jit
def expand(
    e: Any, z: FloatArray, is_map: bool, lam: ComplexArray, partner: IntArray, exponents: IntArray, first: IntArray,
    parent: IntArray, variable: IntArray, component: IntArray, directions: ComplexArray, begin: IntArray,
    separate: ComplexArray, offset: IntArray, h: ComplexArray, p: ComplexArray, g: ComplexArray, size: FloatArray,
) -> bool:  # fmt: skip
    """Solve the homological equation.

    Parameters
    ----------
    e : Evaluator
        Of derivatives up to the first.
    z : array (n + m,)
    lam : array (m,)
        The critical eigenvalues, exactly on the boundary.
    partner : array (m,)
        For the second of a pair the number of the first, else -1.
    h : array (N, n)
        Coefficients of H; its first m rows become the critical vectors.
    p : array (m, n)
        The adjoint vectors, <p_i, q_j> = 1 for i = j, 0 otherwise.
    g, size : arrays (N,)
        Coefficients of G in the monomials' components, and the sizes their rounding is to be seen against.

    Returns
    -------
    bool
        False where a linear system is singular or a critical eigenvalue is not simple.
    """
    n, m, order = e.n, lam.shape[0], first.shape[0] - 2
    tape = e.tape
    f = np.empty(n)
    j = np.empty((n, z.shape[0]))
    units = np.empty(n)
    jacobian(e, z, f, j)
    for i in range(m):
        if partner[i] >= 0:
            for c in range(n):
                h[i, c] = h[partner[i], c].conjugate()
                p[i, c] = p[partner[i], c].conjugate()
            continue
        _null_vectors(j, lam[i], h[i], p[i], units)
        overlap = 0.0j
        parts = 0.0
        for c in range(n):
            overlap += p[i, c].conjugate() * h[i, c]
            parts += abs(p[i, c]) * abs(h[i, c])
        if abs(overlap) < 1e-12 * parts:
            return False
        for c in range(n):
            p[i, c] /= overlap.conjugate()
    constants = tape.constants.shape[0]
    mono = np.zeros(exponents.shape[0], dtype=np.complex128)
    small = np.empty((n, n), dtype=np.complex128)
    large = np.empty((n + 1, n + 1), dtype=np.complex128)
    pivots = np.empty(n + 1, dtype=np.int64)
    right = np.empty(n + 1, dtype=np.complex128)
    kept = np.zeros((n, order + 1))
    for degree in range(2, order + 1):
        count = begin[degree + 1] - begin[degree]
        values = np.zeros((count, n))
        largest = np.zeros(n)
        slots = np.zeros((n_slots(tape), degree + 1))
        for d in range(count):
            omega = directions[begin[degree] + d]
            for a in range(first[degree]):
                mono[a] = omega[variable[a]] * (1.0 if parent[a] < 0 else mono[parent[a]])
            for i in range(slots.shape[0]):
                for c in range(degree + 1):
                    slots[i, c] = 0.0
            for i in range(tape.n_inputs):
                slots[i, 0] = z[i]
            for k in range(1, degree):
                for a in range(first[k], first[k + 1]):
                    for c in range(n):
                        slots[c, k] += h[a, c].real * mono[a].real - h[a, c].imag * mono[a].imag
            for i in range(constants):
                slots[tape.n_inputs + i, 0] = tape.constants[i]
            for _ in range(e.iterations):
                run_jet(tape, slots)
                for c in range(n):
                    for k in range(degree + 1):
                        kept[c, k] = slots[tape.outputs[c], k]
                for c in range(n):
                    for k in range(degree + 1):
                        slots[c, k] = kept[c, k]
            for c in range(n):
                values[d, c] = kept[c, degree]
                largest[c] = max(largest[c], abs(kept[c, degree]))
            _known(is_map, degree, lam, omega, h, g, exponents, first, parent, variable, component, mono, values[d])
            for c in range(n):
                largest[c] = max(largest[c], abs(values[d, c]))
        base = offset[degree]
        for a in range(first[degree], first[degree + 1]):
            row = base + (a - first[degree]) * count
            for c in range(n):
                total = 0.0j
                for d in range(count):
                    total += separate[row + d] * values[d, c]
                right[c] = total
            target = component[a]
            if target >= 0:
                for c in range(n):
                    g[a] += p[target, c].conjugate() * right[c]
                    size[a] += abs(p[target, c]) * largest[c]
            if degree == order:
                continue
            if target >= 0:
                shift = lam[target]
            elif is_map:
                shift = 1.0 + 0.0j
                for i in range(m):
                    shift *= lam[i] ** exponents[a, i]
            else:
                shift = 0.0j
                for i in range(m):
                    shift += lam[i] * exponents[a, i]
            matrix = small if target < 0 else large
            for r in range(n):
                for c in range(n):
                    matrix[r, c] = j[r, c]
                matrix[r, r] -= shift
                right[r] = -right[r]
            width = n
            if target >= 0:
                width = n + 1
                for c in range(n):
                    right[c] += g[a] * h[target, c]
                    matrix[c, n] = h[target, c]
                    matrix[n, c] = p[target, c].conjugate()
                matrix[n, n] = 0.0
                right[n] = 0.0
            if _factor(matrix, pivots[:width]) == 0.0:
                return False
            _solve(matrix, pivots[:width], right[:width])
            for c in range(n):
                h[a, c] = right[c]
    return True


@dataclass(frozen=True, eq=False)
class Series:
    """H and G of a point.

    Attributes
    ----------
    table : Table
    q, p : arrays (m, n)
        Critical vectors and adjoint ones.
    h : array (N, n)
    g, size : arrays (N,)
    regular : bool
        Whether all linear systems could be solved.
    """

    table: Table
    q: ComplexArray
    p: ComplexArray
    h: ComplexArray
    g: ComplexArray
    size: FloatArray
    regular: bool

    def coefficient(self, *exponents: int) -> complex:
        """The coefficient of a resonant monomial (without factorials)."""
        return complex(self.g[self.table.number[exponents]])

    def rounding(self, *exponents: int) -> float:
        """The size that rounding of that coefficient is to be seen against."""
        return float(self.size[self.table.number[exponents]])

    def component(self, *exponents: int) -> int:
        return int(self.table.component[self.table.number[exponents]])


def series(
    system: System, joint: FloatArray, kinds: str, eigenvalues: tuple[complex, ...], order: int, resonance: int = 0
) -> Series:
    """Expand the centre manifold of a point with states and parameters `joint` (n + m,)."""
    t = table(kinds, order, resonance)
    n, m = system.n, len(kinds)
    total = len(t.exponents)
    lam = np.array(eigenvalues, dtype=complex)
    partner = np.array([i - 1 if kind == "Z" else -1 for i, kind in enumerate(kinds)], dtype=np.int64)
    h, p = np.zeros((total, n), complex), np.zeros((m, n), complex)
    g, size = np.zeros(total, complex), np.zeros(total)
    e = make_evaluator(system.tape.data, system.iterations, n, 1)
    regular = expand(
        e, np.ascontiguousarray(joint, dtype=float), system.kind == "map", lam, partner, t.exponents, t.first,
        t.parent, t.variable, t.component, t.directions, t.begin, t.separate, t.offset, h, p, g, size,
    )  # fmt: skip
    regular = bool(regular) and bool(np.isfinite(g).all())
    return Series(t, h[:m].copy(), p, h, g, size, regular)
