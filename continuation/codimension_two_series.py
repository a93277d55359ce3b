"""The centre manifold of a codimension-two point as a power series, from jets, in original coordinates.

The homological equation F(H(w)) = H(G(w)) of a map (F(H(w)) = DH(w) G(w) of a flow) is solved degree by degree, for
the parametrisation H of the centre manifold and the normal form G on it at once (Kuznetsov, SIAM J. Numer. Anal. 36,
1999; Kuznetsov and Meijer, SIAM J. Sci. Comput. 26, 2005). What degree k needs of F is the Taylor coefficient of order
k of F along curves t -> H(t omega), for as many directions omega as the wanted monomials need: one jet each, no
multilinear form. Monomials that no coefficient depends on are left out, and those that are conjugate to another.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gan_bifurcation.compiling import inner, jit
from gan_bifurcation.continuation._coefficients import _factor, _null_vectors, _solve
from gan_bifurcation.continuation.codimension_two_tables import ComplexArray, IntArray, Table, table
from gan_bifurcation.continuation.estimates import Estimate
from gan_bifurcation.evaluation import jacobian, make_evaluator
from gan_bifurcation.jets import run_jet
from gan_bifurcation.kernels import FloatArray, n_slots
from gan_bifurcation.system import System


@inner
def _known(
    is_map: bool, degree: int, lam: ComplexArray, omega: ComplexArray, h: ComplexArray, g: ComplexArray,
    exponents: IntArray, first: IntArray, parent: IntArray, variable: IntArray, weight: FloatArray,
    conjugate: IntArray, component: IntArray, mono: ComplexArray, out: FloatArray,
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
            there = False
            for i in range(m):
                there = there or gk[i, degree - j + 1] != 0.0
            if not there:
                continue
            for a in range(first[j], first[j + 1]):
                if weight[a] == 0.0:
                    continue
                factor = 0.0j
                for i in range(m):
                    if exponents[a, i] > 0:
                        # The monomial without one of its factors, which may vanish.
                        term = exponents[a, i] * gk[i, degree - j + 1]
                        for k in range(m):
                            for _ in range(exponents[a, k] - (k == i)):
                                term *= omega[k]
                        factor += term
                factor *= weight[a]
                for c in range(n):
                    out[c] -= h[a, c].real * factor.real - h[a, c].imag * factor.imag
        return
    total = first[degree]
    series = np.zeros((total, degree + 1), dtype=np.complex128)
    for i in range(m):
        series[i, 1] = lam[i] * omega[i]
        for j in range(2, degree):
            series[i, j] = gk[i, j]
    for a in range(m, total):
        x, y, b = parent[a], variable[a], conjugate[a]
        low = 0
        for i in range(m):
            low += exponents[x, i]
        if b < a:
            for k in range(low, degree + 1):
                series[a, k] = series[b, k].conjugate()
            continue
        for k in range(low, degree):
            # Where the resonant terms are odd, half of these vanish.
            if series[x, k] != 0.0:
                for j in range(1, degree - k + 1):
                    series[a, k + j] += series[x, k] * series[y, j]
        if weight[a] != 0.0:
            factor = weight[a] * series[a, degree]
            for c in range(n):
                out[c] -= h[a, c].real * factor.real - h[a, c].imag * factor.imag


@jit
def expand(
    e: Any, z: FloatArray, is_map: bool, lam: ComplexArray, partner: IntArray, exponents: IntArray, first: IntArray,
    parent: IntArray, variable: IntArray, weight: FloatArray, conjugate: IntArray, component: IntArray,
    directions: ComplexArray, begin: IntArray, separate: ComplexArray, offset: IntArray, lowest: int, highest: int,
    h: ComplexArray, p: ComplexArray, g: ComplexArray, size: FloatArray,
) -> bool:  # fmt: skip
    """Solve the homological equation, from a degree to another; what is below the first is there already.

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
        Coefficients of G in the monomials' components, and the sizes their rounding is to be seen against (the first:
        the scale of all lower degrees).

    Returns
    -------
    bool
        False where a linear system is singular or a critical eigenvalue is not simple.
    """
    n, m, order = e.n, lam.shape[0], first.shape[0] - 2
    tape = e.tape
    f = np.empty(n)
    j = np.empty((n, z.shape[0]))
    units, balanced = np.empty(n), np.empty((n, n))
    jacobian(e, z, f, j)
    for i in range(m if lowest == 2 else 0):
        if partner[i] >= 0:
            for c in range(n):
                h[i, c] = h[partner[i], c].conjugate()
                p[i, c] = p[partner[i], c].conjugate()
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
    constants = tape.constants.shape[0]
    mono = np.zeros(exponents.shape[0], dtype=np.complex128)
    small = np.empty((n, n), dtype=np.complex128)
    large = np.empty((n + 1, n + 1), dtype=np.complex128)
    pivots = np.empty(n + 1, dtype=np.int64)
    right = np.empty(n + 1, dtype=np.complex128)
    kept = np.zeros((n, order + 1))
    # Terms may cancel within the right-hand side, where nobody sees their size. It is that of lower degrees, in units
    # of the critical coordinates and of time; size[0] keeps it from one call to the next.
    rate = 1e-300
    for i in range(m):
        total = 0.0
        for r in range(n):
            for c in range(n):
                total += abs(p[i, r]) * abs(j[r, c]) * abs(h[i, c])
        rate = max(rate, total)
    for degree in range(lowest, highest + 1):
        count = begin[degree + 1] - begin[degree]
        values = np.zeros((count, n))
        largest = np.zeros(n)
        slots = np.zeros((n_slots(tape), degree + 1))
        for i in range(constants):
            slots[tape.n_inputs + i, 0] = tape.constants[i]
        for d in range(count):
            omega = directions[begin[degree] + d]
            for a in range(first[degree]):
                mono[a] = omega[variable[a]] * (1.0 if parent[a] < 0 else mono[parent[a]])
            for i in range(tape.n_inputs):
                slots[i, 0] = z[i]
                for k in range(1, degree + 1):
                    slots[i, k] = 0.0
            for k in range(1, degree):
                for a in range(first[k], first[k + 1]):
                    if weight[a] != 0.0:
                        re, im = weight[a] * mono[a].real, weight[a] * mono[a].imag
                        for c in range(n):
                            slots[c, k] += h[a, c].real * re - h[a, c].imag * im
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
            _known(
                is_map, degree, lam, omega, h, g, exponents, first, parent, variable, weight, conjugate, component,
                mono, values[d],
            )  # fmt: skip
            for c in range(n):
                largest[c] = max(largest[c], abs(values[d, c]))
        whole = 0.0
        for i in range(m):
            total = 0.0
            for c in range(n):
                total += abs(p[i, c]) * largest[c]
            whole = max(whole, total)
        unseen = 1e-4 * rate * size[0] ** (degree - 1)
        size[0] = max(size[0], (whole / rate) ** (1.0 / (degree - 1)))
        base = offset[degree]
        for a in range(first[degree], first[degree + 1]):
            target = component[a]
            if weight[a] == 0.0 or (degree == order and target < 0):
                continue
            row = base + (a - first[degree]) * count
            for c in range(n):
                part = 0.0j
                for d in range(count):
                    part += separate[row + d] * values[d, c]
                right[c] = part
            b = conjugate[a]
            if target >= 0:
                g[a] = 0.0
                size[a] = unseen
                for c in range(n):
                    g[a] += p[target, c].conjugate() * right[c]
                    size[a] += abs(p[target, c]) * largest[c]
                g[b] = g[a].conjugate() if b != a else g[a]
                size[b] = size[a]
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
                if b != a:
                    h[b, c] = right[c].conjugate()
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
        return complex(self.g[self.table.number[exponents]])

    def estimate(self, *exponents: int) -> Estimate:
        """The same with its error."""
        return Estimate(self.coefficient(*exponents), self.part * float(self.size[self.table.number[exponents]]))


def series(
    system: System, joint: FloatArray, kinds: str, eigenvalues: tuple[complex, ...], order: int, resonance: int = 0,
    further: int = 0,
) -> Series:  # fmt: skip
    """Expand the centre manifold of a point with states and parameters `joint` (n + m,).

    A degree beyond the order may follow by :meth:`Series.continued`, if it is announced by `further`.
    """
    t = table(kinds, max(order, further), resonance)
    n, m = system.n, len(kinds)
    total = len(t.exponents)
    lam = np.array(eigenvalues, dtype=complex)
    partner = np.array([i - 1 if kind == "Z" else -1 for i, kind in enumerate(kinds)], dtype=np.int64)
    h, p = np.zeros((total, n), complex), np.zeros((m, n), complex)
    g, size = np.zeros(total, complex), np.zeros(total)
    e = make_evaluator(system.tape.data, system.iterations, n, 1)
    joint = np.ascontiguousarray(joint, dtype=float)

    def solve(lowest: int, highest: int) -> bool:
        found = expand(
            e, joint, system.kind == "map", lam, partner, t.exponents, t.first, t.parent, t.variable, t.weight,
            t.conjugate, t.component, t.directions, t.begin, t.separate, t.offset, lowest, highest, h, p, g, size,
        )  # fmt: skip
        return bool(found) and bool(np.isfinite(g).all())

    regular = solve(2, order)
    return Series(t, h[:m].copy(), p, h, g, size, regular, order, solve)
