"""The centre manifold of a codimension-two point as a power series, from jets, in original coordinates.

The homological equation F(H(w)) = H(G(w)) of a map (F(H(w)) = DH(w) G(w) of a flow) is solved degree by degree, for
the parametrisation H of the centre manifold and the normal form G on it at once (Kuznetsov, SIAM J. Numer. Anal. 36,
1999; Kuznetsov and Meijer, SIAM J. Sci. Comput. 26, 2005). What degree k needs of F are Taylor coefficients of order k
of F along curves t -> H(t omega), for as many directions omega as the wanted monomials need. Where second derivatives
are cheap, one jet serves an even degree and the next one, which then lacks what these make of the former's part of H.
Monomials that no coefficient depends on are left out, and those that are conjugate to another.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from gan_bifurcation.compiling import inner, jit
from gan_bifurcation.continuation._coefficients import _factor, _null_vectors, _solve
from gan_bifurcation.continuation.codimension_two_tables import ComplexArray, IntArray, Layout, Table, table
from gan_bifurcation.continuation.estimates import Estimate
from gan_bifurcation.evaluation import jacobian, make_evaluator, second
from gan_bifurcation.jets import run_jet
from gan_bifurcation.kernels import FloatArray, n_slots
from gan_bifurcation.system import System

# So many second derivatives, by a state each, cost as much as a jet of both degrees.
_PAIRED: Final = 3


@inner
def _jets(
    e: Any, z: FloatArray, known: int, lowest: int, highest: int, t: Layout, h: ComplexArray, values: FloatArray,
    largest: FloatArray,
) -> None:  # fmt: skip
    """[F(H)] of two degrees, or one, along their directions, with H up to a degree that is known; and their sizes."""
    tape, n = e.tape, e.n
    slots = np.zeros((n_slots(tape), highest + 1))
    kept = np.zeros((n, highest + 1))
    terms = np.empty((n, t.since[known + 1]), dtype=np.complex128)
    for s in range(t.since[known + 1]):
        for c in range(n):
            terms[c, s] = h[t.solved[s], c]
    for i in range(tape.constants.shape[0]):
        slots[tape.n_inputs + i, 0] = tape.constants[i]
    for d in range(values.shape[1]):
        for i in range(tape.n_inputs):
            slots[i, 0] = z[i]
            for k in range(1, highest + 1):
                slots[i, k] = 0.0
        row = t.curve[t.begin[lowest] + d]
        for c in range(n):
            for k in range(1, known + 1):
                total = 0.0
                for s in range(t.since[k], t.since[k + 1]):
                    total += terms[c, s].real * row[s].real - terms[c, s].imag * row[s].imag
                slots[c, k] = total
        for _ in range(e.iterations):
            run_jet(tape, slots)
            for c in range(n):
                for k in range(highest + 1):
                    kept[c, k] = slots[tape.outputs[c], k]
            for c in range(n):
                for k in range(highest + 1):
                    slots[c, k] = kept[c, k]
        for c in range(n):
            for k in range(lowest, highest + 1):
                values[k % 2, d, c] = kept[c, k]
                largest[k % 2, c] = max(largest[k % 2, c], abs(kept[c, k]))


@inner
def _collect(
    is_map: bool, paired: bool, degree: int, t: Layout, lam: ComplexArray, b: ComplexArray, values: FloatArray,
    largest: FloatArray, unseen: float, h: ComplexArray, p: ComplexArray, g: ComplexArray, size: FloatArray,
) -> None:  # fmt: skip
    """Coefficients of G of a degree, and the right-hand sides of the linear systems for H in the place of H."""
    m, n = lam.shape[0], values.shape[1]
    count = values.shape[0]
    last = degree == t.first.shape[0] - 2
    right = np.zeros(n, dtype=np.complex128)
    parts = np.zeros(n)
    for k in range(t.since[degree], t.since[degree + 1]):
        a = t.solved[k]
        target = t.component[a]
        if last and target < 0:
            continue
        row = t.offset[degree] + (a - t.first[degree]) * count
        for c in range(n):
            total = 0.0j
            for d in range(count):
                total += t.separate[row + d] * values[d, c]
            right[c] = total
            parts[c] = largest[c]
        for i in range(m if paired and degree % 2 == 1 else 0):
            other = t.below[a, i]
            if other >= 0:
                for c in range(n):
                    total = 0.0j
                    for r in range(n):
                        total += b[i, c, r] * h[other, r]
                    right[c] += total
                    parts[c] += abs(total)
        for s in range(t.start[a], t.start[a + 1]):
            other, i = t.inner[s, 0], t.inner[s, 1]
            factor = t.inner[s, 3] * g[t.inner[s, 2]]
            if is_map:
                for k in range(m):
                    for _ in range(t.exponents[other, k] - (k == i)):
                        factor *= lam[k]
            for c in range(n):
                right[c] -= factor * h[other, c]
                parts[c] += abs(factor * h[other, c])
        if target >= 0:
            g[a] = 0.0
            size[a] = unseen
            for c in range(n):
                g[a] += p[target, c].conjugate() * right[c]
                size[a] += abs(p[target, c]) * parts[c]
            g[t.conjugate[a]] = g[a].conjugate() if t.conjugate[a] != a else g[a]
            size[t.conjugate[a]] = size[a]
        for c in range(0 if last else n):
            h[a, c] = (g[a] * h[target, c] if target >= 0 else 0.0j) - right[c]


@inner
def _invert(
    is_map: bool, degree: int, t: Layout, lam: ComplexArray, j: FloatArray, h: ComplexArray, p: ComplexArray,
    factors: ComplexArray, pivots: IntArray,
) -> bool:  # fmt: skip
    """Right-hand sides in the place of H of a degree -> H. Matrices are factored once; pivots are negative before."""
    m, n = lam.shape[0], j.shape[0]
    right = np.zeros(n + 1, dtype=np.complex128)
    for s in range(t.since[degree], t.since[degree + 1]):
        a = t.solved[s]
        target, matrix, pivot = t.component[a], factors[t.turns[a]], pivots[t.turns[a]]
        if pivot[0] < 0:
            shift = 1.0 + 0.0j if is_map else 0.0j
            for i in range(m):
                for _ in range(t.exponents[a, i]):
                    shift = shift * lam[i] if is_map else shift + lam[i]
            for r in range(n):
                for c in range(n):
                    matrix[r, c] = j[r, c]
                matrix[r, r] -= shift if target < 0 else lam[target]
                # Where nothing is resonant, the border is that of the unit matrix.
                matrix[r, n] = 0.0 if target < 0 else h[target, r]
                matrix[n, r] = 0.0 if target < 0 else p[target, r].conjugate()
            matrix[n, n] = 1.0 if target < 0 else 0.0
            if _factor(matrix, pivot) == 0.0:
                return False
        for c in range(n):
            right[c] = h[a, c]
        right[n] = 0.0
        _solve(matrix, pivot, right)
        for c in range(n):
            h[a, c] = right[c]
            if t.conjugate[a] != a:
                h[t.conjugate[a], c] = right[c].conjugate()
    return True


@jit
def expand(
    e: Any, z: FloatArray, is_map: bool, paired: bool, lam: ComplexArray, partner: IntArray, t: Layout, lowest: int,
    highest: int, h: ComplexArray, p: ComplexArray, g: ComplexArray, size: FloatArray, b: ComplexArray,
    factors: ComplexArray, pivots: IntArray,
) -> bool:  # fmt: skip
    """Solve the homological equation, from an even degree to an odd one; what is below the first is there already.

    Parameters
    ----------
    e : Evaluator
        Of derivatives up to the second.
    z : array (n + m,)
    paired : bool
        Whether one jet serves an even degree and the next one.
    lam : array (m,)
        The critical eigenvalues, exactly on the boundary.
    partner : array (m,)
        For the second of a pair the number of the first, else -1.
    h : array (N, n)
        Coefficients of H; its first m rows become the critical vectors. Those of the highest degree are left as the
        right-hand sides of their linear systems.
    p : array (m, n)
        The adjoint vectors, <p_i, q_j> = 1 for i = j, 0 otherwise.
    g, size : arrays (N,)
        Coefficients of G in the monomials' components, and the sizes their rounding is to be seen against (the first:
        the scale of all lower degrees).
    b : array (m, n, n)
        Becomes D2F(q_i, .), if degrees are paired.
    factors, pivots : arrays (classes, n + 1, n + 1) and (classes, n + 1)
        Factors of the linear systems; pivots are negative where there are none yet.

    Returns
    -------
    bool
        False where a linear system is singular or a critical eigenvalue is not simple.
    """
    n, m = e.n, lam.shape[0]
    f, direction = np.empty(n), np.zeros(z.shape[0])
    j, curvature = np.empty((n, z.shape[0])), np.zeros((n, z.shape[0]))
    units, balanced = np.empty(n), np.empty((n, n))
    jacobian(e, z, f, j)
    for i in range(m if lowest == 2 else 0):
        if partner[i] >= 0:
            for c in range(n):
                h[i, c] = h[partner[i], c].conjugate()
                p[i, c] = p[partner[i], c].conjugate()
                for r in range(n):
                    b[i, c, r] = b[partner[i], c, r].conjugate()
            continue
        _null_vectors(j, lam[i], h[i], p[i], units, balanced)
        overlap = 0.0j
        parts = 0.0
        for c in range(n):
            overlap += p[i, c].conjugate() * h[i, c]
            parts += abs(p[i, c]) * abs(h[i, c])
        if abs(overlap) < 1e-12 * parts:
            return False
        for c in range(n):
            p[i, c] /= overlap.conjugate()
        for part in range((2 if lam[i].imag != 0.0 else 1) if paired else 0):
            for c in range(n):
                direction[c] = h[i, c].real if part == 0 else h[i, c].imag
            second(e, z, direction, f, j, curvature)
            for c in range(n):
                for r in range(n):
                    b[i, c, r] = curvature[c, r] if part == 0 else complex(b[i, c, r].real, curvature[c, r])
    # Terms may cancel within the right-hand side, where nobody sees their size. It is that of lower degrees, in units
    # of the critical coordinates and of time; size[0] keeps it from one call to the next.
    rate = 1e-300
    for i in range(m):
        total = 0.0
        for r in range(n):
            for c in range(n):
                total += abs(p[i, r]) * abs(j[r, c]) * abs(h[i, c])
        rate = max(rate, total)
    values = np.zeros((2, 1, n))
    largest = np.zeros((2, n))
    for degree in range(lowest, highest + 1):
        if degree > 2 and not _invert(is_map, degree - 1, t, lam, j, h, p, factors, pivots):
            return False
        even = degree % 2 == 0
        if even:
            values = np.zeros((2, t.begin[degree + 2] - t.begin[degree], n))
            largest = np.zeros((2, n))
        if even or not paired:
            _jets(e, z, degree - 1, degree, degree + (1 if paired else 0), t, h, values, largest)
        whole = 0.0
        for i in range(m):
            total = 0.0
            for c in range(n):
                total += abs(p[i, c]) * largest[degree % 2, c]
            whole = max(whole, total)
        unseen = 1e-4 * rate * size[0] ** (degree - 1)
        size[0] = max(size[0], (whole / rate) ** (1.0 / (degree - 1)))
        _collect(
            is_map, paired, degree, t, lam, b, values[degree % 2], largest[degree % 2], unseen, h, p, g, size
        )  # fmt: skip
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
    order : int
        Up to which degree.
    part : float
        Which part of the terms that are added up may be rounding.
    """

    table: Table
    q: ComplexArray
    p: ComplexArray
    h: ComplexArray
    g: ComplexArray
    size: FloatArray
    regular: bool
    order: int
    _solve: Callable[[int, int], bool]
    part: float = 1e-9

    def continued(self, order: int) -> "Series":
        """The same up to a higher degree."""
        return replace(self, regular=self.regular and self._solve(self.order + 1, order), order=order)

    def coefficient(self, *exponents: int) -> complex:
        """The coefficient of a resonant monomial (without factorials)."""
        return complex(self.g.item(self.table.number[exponents]))

    def estimate(self, *exponents: int) -> Estimate:
        """The same with its error."""
        a = self.table.number[exponents]
        return Estimate(self.g.item(a), self.part * self.size.item(a))


def series(
    system: System, joint: FloatArray, kinds: str, eigenvalues: tuple[complex, ...], order: int, resonance: int = 0,
    further: int = 0, part: float = 1e-9,
) -> Series:  # fmt: skip
    """Expand the centre manifold of a point with states and parameters `joint` (n + m,).

    Two degrees beyond the order may follow by :meth:`Series.continued`, if they are announced by `further`.
    """
    t = table(kinds, max(order, further), resonance)
    n, m = system.n, len(kinds)
    total = len(t.exponents)
    lam = np.array(eigenvalues, dtype=complex)
    h, p = np.zeros((total, n), complex), np.zeros((m, n), complex)
    g, size = np.zeros(total, complex), np.zeros(total)
    b, factors = np.zeros((m, n, n), complex), np.zeros((t.classes, n + 1, n + 1), complex)
    pivots = np.full((t.classes, n + 1), -1)
    e = make_evaluator(system.tape.data, system.iterations, n, 2)
    joint = np.ascontiguousarray(joint, dtype=float)
    # Second derivatives are those by all states, and of a return map they are integrated.
    paired = system.section is None and m * n < _PAIRED * (t.layout.begin[4] - t.layout.begin[2])

    def solve(lowest: int, highest: int) -> bool:
        found = expand(
            e, joint, system.kind == "map", paired, lam, t.partner, t.layout, lowest, highest, h, p, g, size, b,
            factors, pivots,
        )  # fmt: skip
        return bool(found) and bool(np.isfinite(g).all())

    regular = solve(2, order)
    return Series(t, h[:m].copy(), p, h, g, size, regular, order, solve, part)
