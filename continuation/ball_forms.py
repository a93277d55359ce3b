"""Normal forms of codimension-two points over interval balls: enclosures of every coefficient.

The homological equation is solved as in `codimension_two_series`, degree by degree, with polynomials in the critical
coordinates put into the right-hand side: no direction has to be chosen, and nothing is separated in floats.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gan_bifurcation.continuation.balls import Polynomial
from gan_bifurcation.continuation.codimension_two_tables import table
from gan_bifurcation.continuation.krawczyk import Ball

Vector = list[Any]


def dot(u: Vector, v: Vector) -> Any:
    """The sum of products, without conjugation."""
    total = u[0] * v[0]
    for a, b in zip(u[1:], v[1:], strict=True):
        total += a * b
    return total


def bordered(matrix: Any, shift: Any, column: Vector, row: Vector, right: Vector, last: Any, turned: bool) -> Vector:
    """The first n of the solution of [[A - shift, column], [row, 0]] (v, s) = (right, last); of A^T if turned."""
    from flint import acb, acb_mat

    n = len(right)
    m = acb_mat(n + 1, n + 1)
    for i in range(n):
        for j in range(n):
            entry = matrix[j, i] if turned else matrix[i, j]
            m[i, j] = acb(entry) - (shift if i == j else 0)
        m[i, n] = acb(column[i])
        m[n, i] = acb(row[i])
    found = m.solve(acb_mat([[acb(v)] for v in (*right, last)]))
    return [found[i, 0] for i in range(n)]


def solved(matrix: Any, shift: Any, right: Vector) -> Vector:
    """(A - shift)^-1 r."""
    from flint import acb, acb_mat

    n = len(right)
    m = acb_mat(n, n)
    for i in range(n):
        for j in range(n):
            m[i, j] = acb(matrix[i, j]) - (shift if i == j else 0)
    found = m.solve(acb_mat([[acb(v)] for v in right]))
    return [found[i, 0] for i in range(n)]


def expand(
    ball: Ball, x: Vector, values: Vector, matrix: Any, kinds: str, eigenvalues: Sequence[Any], vectors: list[Vector],
    order: int, resonance: int = 0,
) -> Mapping[tuple[int, ...], Any]:  # fmt: skip
    """Coefficients of the resonant monomials of the normal form, with these critical vectors.

    Raises
    ------
    ZeroDivisionError
        If a linear system cannot be told from a singular one.
    """
    from flint import acb

    t = table(kinds, order, resonance)
    n, m = len(x), len(kinds)
    is_map = ball.system.kind == "map"
    zero = (0,) * m
    adjoint = [
        bordered(matrix, lam, [v.conjugate() for v in q], q, [acb(0)] * n, acb(1), True)
        for lam, q in zip(eigenvalues, vectors, strict=True)
    ]
    units = [tuple(int(i == k) for i in range(m)) for k in range(m)]
    h: dict[tuple[int, ...], Vector] = dict(zip(units, vectors, strict=True))
    g: list[dict[tuple[int, ...], Any]] = [{unit: lam} for unit, lam in zip(units, eigenvalues, strict=True)]
    found: dict[tuple[int, ...], Any] = {}
    parameters = [acb(v) for v in values]
    for degree in range(2, order + 1):
        here = [Polynomial({zero: acb(x[c]), **{e: v[c] for e, v in h.items()}}, degree) for c in range(n)]
        image = ball.rhs(here, parameters)
        known = _of_normal_form(h, g, n, degree, is_map)
        for a in range(int(t.first[degree]), int(t.first[degree + 1])):
            e = tuple(int(k) for k in t.exponents[a])
            right = [
                (f.terms.get(e, acb(0)) if isinstance(f, Polynomial) else acb(0)) - k.terms.get(e, acb(0))
                for f, k in zip(image, known, strict=True)
            ]
            i = int(t.component[a])
            if i >= 0:
                found[e] = dot(adjoint[i], right)
                if degree < order:
                    g[i][e] = found[e]
                    right = [found[e] * q - r for q, r in zip(vectors[i], right, strict=True)]
                    h[e] = bordered(matrix, eigenvalues[i], vectors[i], adjoint[i], right, acb(0), False)
            elif degree < order:
                shift = acb(1) if is_map else acb(0)
                for lam, k in zip(eigenvalues, e, strict=True):
                    shift = shift * lam**k if is_map else shift + lam * k
                h[e] = solved(matrix, shift, [-r for r in right])
    return found


def _of_normal_form(
    h: Mapping[tuple[int, ...], Vector], g: list[dict[tuple[int, ...], Any]], n: int, degree: int, is_map: bool
) -> list[Polynomial]:
    """H(G) of a map, DH G of a flow, as far as they are known at this degree."""
    from flint import acb

    m = len(g)
    zero = (0,) * m
    field = [Polynomial({zero: acb(0), **terms}, degree) for terms in g]
    totals = [Polynomial({zero: acb(0)}, degree) for _ in range(n)]
    for e, v in h.items():
        if is_map:
            product = Polynomial({zero: acb(1)}, degree)
            for i, k in enumerate(e):
                for _ in range(k):
                    product = product * field[i]
        else:
            product = Polynomial({zero: acb(0)}, degree)
            for i, k in enumerate(e):
                if k:
                    rest = tuple(p - (j == i) for j, p in enumerate(e))
                    product = product + Polynomial({rest: acb(k)}, degree) * field[i]
        totals = [total + product * c for total, c in zip(totals, v, strict=True)]
    return totals
