"""The monomials of a codimension-two normal form, and the directions along which jets separate them."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
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
    weight : array (N,)
        How often a monomial's part of H counts in the real sum: twice, together with its conjugate, which is not
        solved for (0); 0 as well for monomials that no coefficient of the normal form needs.
    conjugate : array (N,)
        The number of the conjugate monomial.
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
    weight: FloatArray
    conjugate: IntArray
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
    conjugate = [number[_conjugate(e, kinds)] for e in exponents]
    needed = _needed(exponents, component, kinds, resonance, order)
    counts = [0.0 if not n or c < i else 1.0 + (c > i) for i, (n, c) in enumerate(zip(needed, conjugate, strict=True))]
    return Table(
        np.array(exponents, dtype=np.int64), np.array(first), np.array(parent), np.array(variable), np.array(counts),
        np.array(conjugate), np.array(component), np.concatenate(directions), np.array(begin),
        np.concatenate([s.ravel() for s in separate]), np.array(offset), number,
    )  # fmt: skip


def _conjugate(exponents: tuple[int, ...], kinds: str) -> tuple[int, ...]:
    e = list(exponents)
    for i, kind in enumerate(kinds):
        if kind == "Z":
            e[i - 1], e[i] = e[i], e[i - 1]
    return tuple(e)


def _needed(
    exponents: list[tuple[int, ...]], component: list[int], kinds: str, resonance: int, order: int
) -> list[bool]:
    """Which monomials of H some coefficient of G depends on: those that others complete to a resonant one."""
    weights = [_weight(e, kinds, resonance) for e in exponents]
    resonant = set(weights[: len(kinds)])
    turns = [resonance] * (len(weights[0]) - 1)

    def completes(a: int) -> bool:
        left = order - sum(exponents[a])
        for b, e in enumerate(exponents):
            if sum(e) > left:
                break
            total = [x + y for x, y in zip(weights[a], weights[b], strict=True)]
            pairs = (t % r if r else t for t, r in zip(total[1:], turns, strict=True))
            if (total[0] % 2, *pairs) in resonant:
                return True
        return False

    return [component[a] >= 0 or completes(a) for a in range(len(exponents))]


_TRIALS: Final = 60


def _directions(kinds: str, degree: int, monomials: list[tuple[int, ...]]) -> tuple[ComplexArray, ComplexArray]:
    """Directions whose monomials of a degree are well separated, and the matrix of their values.

    The two coordinates of a pair are conjugate, so that H along a direction is a real curve.
    """
    if kinds == "zZzZ" and degree == 5:
        points = _lattices()
        return points, np.prod(points[:, None, :] ** np.array(monomials), axis=2)
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


# Angles pi j (1, 7)/16, j = 0 ... 15, tell the turns (1, 0) and (0, 1) apart from all others of an odd degree up to
# five; each coordinate alone needs four angles. Lengths 30 and 60 degrees from the axes separate the three powers.
_LATTICE: Final = (16, 1, 7)


def _lattices() -> ComplexArray:
    """Fewer directions than monomials (40 for 56): enough for the resonant ones of two pairs at degree five."""
    rows: list[ComplexArray] = []
    for first, second in ((1.0, 0.0), (0.0, 1.0), (np.sqrt(0.75), 0.5), (0.5, np.sqrt(0.75))):
        count, a, b = (4, 1, 1) if 0.0 in (first, second) else _LATTICE
        turn = np.pi * (np.arange(count) + 0.25) / count
        z, w = first * np.exp(1j * a * turn), second * np.exp(1j * b * turn)
        rows.append(np.column_stack([z, z.conj(), w, w.conj()]))
    return np.asarray(np.sqrt(2.0) * np.concatenate(rows))
