"""The monomials of a codimension-two normal form, and the directions along which jets separate them."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
IntArray = NDArray[np.int64]


class Layout(NamedTuple):
    """What compiled code needs to know of the monomials.

    Attributes
    ----------
    exponents : array (N, m)
        All monomials of degrees 1 to the order, degree by degree.
    first : array (order + 2,)
        `first[k]` is the number of the first monomial of degree k.
    solved : array (S,)
        The monomials that are solved for: those that some coefficient of the normal form needs, one of each two
        conjugate ones.
    since : array (order + 2,)
        `solved[since[k]]` is the first one of degree k.
    conjugate : array (N,)
        The number of the conjugate monomial.
    component : array (N,)
        The component in which a monomial is resonant, -1 if in none.
    turns : array (N,)
        Equal for monomials that turn alike, whose linear systems have the same matrix.
    below : array (N, m)
        The number of the monomial without one factor of a coordinate, -1 if it has none.
    curve : array (D, S)
        What each of these adds to H along directions, together with its conjugate: an even degree and the next one
        have their directions in common.
    begin : array (order + 2,)
        The first direction of each degree.
    separate : array
        For each degree the pseudo-inverse (monomials, directions), flattened.
    offset : array (order + 2,)
    inner : array (T, 4)
        Terms of H(G) or DH G by the monomial they belong to: the monomial of H, the component of G that replaces one
        factor of it, the monomial of G, and how many such factors there are.
    start : array (N + 1,)
        `inner[start[a] : start[a + 1]]` belong to monomial a.
    """

    exponents: IntArray
    first: IntArray
    solved: IntArray
    since: IntArray
    conjugate: IntArray
    component: IntArray
    turns: IntArray
    below: IntArray
    curve: ComplexArray
    begin: IntArray
    separate: ComplexArray
    offset: IntArray
    inner: IntArray
    start: IntArray


class Resonances(NamedTuple):
    """Which turns of a monomial would make it resonant where the table does not know of it.

    Attributes
    ----------
    differences : array (R, m)
        Exponents of a monomial without those of a critical coordinate.
    components : array (R,)
        The numbers of these coordinates.
    before : array (order + 2,)
        How many there are of lower degrees.
    """

    differences: FloatArray
    components: IntArray
    before: IntArray


@dataclass(frozen=True, eq=False)
class Table:
    """The monomials of a normal form and how they are separated.

    Attributes
    ----------
    layout : Layout
    number : dict
        The numbers of the monomials by their exponents.
    classes : int
        How many kinds of turns there are.
    partner : array (m,)
        For the second of a pair the number of the first, else -1.
    resonances : Resonances
    """

    layout: Layout
    number: dict[tuple[int, ...], int]
    classes: int
    partner: IntArray
    resonances: Resonances

    @property
    def exponents(self) -> IntArray:
        return self.layout.exponents

    @property
    def first(self) -> IntArray:
        return self.layout.first

    @property
    def component(self) -> IntArray:
        return self.layout.component


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
        3 or, where no monomial of even degree is resonant, 5.
    resonance : int
        The order of a strong resonance, 0 without.
    """
    m = len(kinds)
    units = [tuple(int(i == k) for i in range(m)) for k in range(m)]
    exponents = [e for degree in range(1, order + 1) for e in _monomials(m, degree)]
    number = {e: i for i, e in enumerate(exponents)}
    degrees = np.array([sum(e) for e in exponents])
    first = np.searchsorted(degrees, np.arange(order + 2))
    weights = [_weight(e, kinds, resonance) for e in exponents]
    component = [weights.index(w) if w in weights[:m] else -1 for w in weights]
    classes = list(dict.fromkeys(weights))
    conjugate = [number[_conjugate(e, kinds)] for e in exponents]
    needed = _needed(exponents, component, kinds, resonance, order)
    solved = np.array([i for i, (n, c) in enumerate(zip(needed, conjugate, strict=True)) if n and c >= i])
    counts = 1.0 + (np.array(conjugate)[solved] > solved)
    below = [[number.get(_less(e, u), -1) for u in units] for e in exponents]
    powers = np.array(exponents)
    curve, begin, separate, offset = [np.zeros((0, len(solved)), complex)], [0, 0], [np.zeros(0, complex)], [0, 0]
    for degree in range(2, order + 1):
        if degree % 2 == 0:
            points = _directions(kinds, degree + 1)
            values = np.prod(points[:, None, :] ** powers, axis=2)
            begin.append(begin[-1] + len(curve[-1]))
            curve.append(values[:, solved] * counts)
        else:
            begin.append(begin[-1])
        offset.append(offset[-1] + separate[-1].size)
        # Not all monomials can be told from one another, but those that are needed from the others.
        separate.append(np.linalg.pinv(values[:, first[degree] : first[degree + 1]], rcond=1e-9).ravel())
    begin.append(begin[-1] + len(curve[-1]))
    replacing = [(units[i], b) for b, i in zip(exponents[m:], component[m:], strict=True) if i >= 0]
    inner = [_inner(e, replacing, number) for e in exponents]
    return Table(
        Layout(
            powers, first, solved, np.searchsorted(degrees[solved], np.arange(order + 2)), np.array(conjugate),
            np.array(component),
            np.array([classes.index(w) for w in weights]), np.array(below), np.concatenate(curve), np.array(begin),
            np.concatenate(separate), np.array(offset),
            np.array([term for terms in inner for term in terms], dtype=np.int64).reshape(-1, 4),
            np.cumsum([0] + [len(terms) for terms in inner]),
        ),
        number, len(classes), np.array([i - 1 if kind == "Z" else -1 for i, kind in enumerate(kinds)]),
        _resonances(kinds, powers, np.array(component), degrees, order),
    )  # fmt: skip


def _resonances(
    kinds: str, powers: IntArray, component: IntArray, degrees: IntArray, order: int
) -> Resonances:  # fmt: skip
    targets = np.array([i for i, kind in enumerate(kinds) if kind != "Z"])
    monomial, which = np.nonzero(component[:, None] != targets)
    differences = powers[monomial] - np.eye(len(kinds), dtype=np.int64)[targets[which]]
    before = np.searchsorted(degrees[monomial], np.arange(order + 2))
    return Resonances(differences.astype(float), targets[which], before)


def _less(e: tuple[int, ...], f: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a - b for a, b in zip(e, f, strict=True))


def _inner(
    e: tuple[int, ...], replacing: list[tuple[tuple[int, ...], tuple[int, ...]]], number: dict[tuple[int, ...], int]
) -> list[tuple[int, int, int, int]]:  # fmt: skip
    """The rows of `Layout.inner` of a monomial: up to the orders there are, two factors are never replaced at once."""
    terms = []
    for unit, b in replacing:
        rest, i = _less(e, b), unit.index(1)
        # Without a rest the term is the coefficient of G itself.
        if min(rest) >= 0 and any(rest):
            terms.append((number[_less(rest, _less((0,) * len(e), unit))], i, number[b], rest[i] + 1))
    return terms


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


# Angles pi j (1, 5)/12 tell all turns of two pairs apart that are of degree three and of both; angles pi j (1, 7)/16
# the needed ones from all others up to degree five. For a pair and a real coordinate these are 5 and 7 angles.
_TOGETHER: Final = {3: (12, 5, 5), 5: (16, 7, 7)}
# How far from the axes these directions are: as many angles as there are powers to be separated.
_BETWEEN: Final = {3: (np.pi / 4,), 5: (np.pi / 6, np.pi / 3)}


def _directions(kinds: str, degree: int) -> ComplexArray:
    """Directions that separate the needed monomials of degree 3 or 5, and those of the even degree below it.

    The two coordinates of a pair are conjugate, so that H along a direction is a real curve. A pair alone needs four
    angles.
    """
    if len(kinds) == 1:
        return np.ones((1, 1), complex)
    if kinds == "zZ":
        return _points("zZ", 1.0, 0.0, _half_turn(4))
    if "z" not in kinds:
        angles = _half_turn(degree + 1)
        return np.column_stack([np.cos(angles), np.sin(angles)]) * complex(np.sqrt(2.0))
    count, turn, few = _TOGETHER[degree]
    if kinds == "zZzZ":
        first = _points(kinds, 1.0, 0.0, _half_turn(4))
        angles = _half_turn(count)
    else:
        first = _points(kinds, 1.0, 0.0, np.zeros(1))
        turn, angles = 1, 2.0 * _half_turn(few)
    inside = [_points(kinds, float(np.cos(a)), float(np.sin(a)), angles, turn) for a in _BETWEEN[degree]]
    return np.concatenate([first, _points(kinds, 0.0, 1.0, _half_turn(4)), *inside]) * complex(np.sqrt(2.0))


def _half_turn(count: int) -> FloatArray:
    return np.asarray(np.pi * (np.arange(count) + 0.25) / count)


def _points(kinds: str, first: float, second: float, angles: FloatArray, turn: int = 1) -> ComplexArray:
    """A coordinate or pair of some length, and a pair of another, which turns as many times as fast."""
    one = first * (np.exp(1j * angles) if kinds[0] == "z" else np.ones(len(angles), complex))
    two = second * np.exp(1j * turn * angles)
    return np.column_stack([one, *([one.conj()] if kinds[0] == "z" else []), *([two, two.conj()] if kinds[2:] else [])])
