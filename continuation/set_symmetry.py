"""The symmetries of a system among the signed permutations of its states, to list one of many equal solutions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations, product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]
Element = tuple[tuple[int, ...], tuple[int, ...]]  # x -> signs * x[places]

# Up to this many states all signed permutations are tried, beyond it those that generate the usual groups.
_ALL: Final = 4
_MOST: Final = 2000
# A group of two has as many copies as the two wings of a pitchfork: both are listed, and said to be images.
FEW: Final = 2


@dataclass(frozen=True)
class Group:
    """A group of signed permutations; without elements but the identity, nothing is an image of anything else."""

    elements: tuple[Element, ...] = ()

    @classmethod
    def of(cls, system: System, window: Window) -> "Group":
        """What commutes with the right-hand side at two places of the window.

        Declared symmetries are trusted; others are found by trying, on states at random.
        """
        n = system.n
        rng = np.random.default_rng(0)
        places = [system.with_parameters(**window.values(rng.uniform(0.1, 0.9, 2))) for _ in range(2)]
        states = rng.standard_normal((2, n))
        images = [[s.rhs(x) for x in states] for s in places]
        sizes = [[np.max(np.abs(f)) for f in fs] for fs in images]
        if not np.isfinite(images).all():
            return cls()

        def commutes(e: Element) -> bool:
            return all(
                np.max(np.abs(s.rhs(apply(e, x)) - apply(e, f))) <= 1e-11 * (size + 1.0)
                for s, fs, row in zip(places, images, sizes, strict=True)
                for x, f, size in zip(states, fs, row, strict=True)
            )

        found = [e for e in (*_declared(system), *_candidates(n)) if commutes(e)]
        elements = _closure(found, n)
        return cls(elements) if len(elements) > 1 else cls()

    @property
    def order(self) -> int:
        return max(1, len(self.elements))

    def images(self, x: FloatArray) -> list[FloatArray]:
        """The states that a state is mapped to, itself first."""
        return [x, *(y for e in self.elements if not np.array_equal(y := apply(e, x), x))]

    def others(self) -> Iterator[Element]:
        """The elements but the identity."""
        for e in self.elements:
            if e != (tuple(range(len(e[0]))), (1,) * len(e[0])):
                yield e


def apply(e: Element, x: NDArray[Any]) -> NDArray[Any]:
    """The states (..., n) that an element maps states to."""
    return np.asarray(np.array(e[1]) * x[..., list(e[0])])


def inverse(e: Element) -> Element:
    """The element that takes back what an element does."""
    back = np.argsort(e[0]).tolist()
    return tuple(back), tuple(e[1][k] for k in back)


def _declared(system: System) -> Iterator[Element]:
    for symmetry in system.symmetries:
        places, signs = list(range(system.n)), [1] * system.n
        for state, (sign, other) in symmetry.action.items():
            places[system.states.index(state)], signs[system.states.index(state)] = system.states.index(other), sign
        yield tuple(places), tuple(signs)


def _candidates(n: int) -> Iterator[Element]:
    ones = (1,) * n
    if n <= _ALL:
        for places in permutations(range(n)):
            for signs in product((1, -1), repeat=n):
                yield places, signs
        return
    yield tuple(range(n)), (-1,) * n
    for step in range(1, n):
        if n % step == 0:
            yield tuple((i + step) % n for i in range(n)), ones
            yield tuple(reversed(range(n))), ones
    for i, k in combinations(range(n), 2):
        swapped = list(range(n))
        swapped[i], swapped[k] = k, i
        yield tuple(swapped), ones
        # Pairs of equal players: blocks of equal length are exchanged.
        width = k - i
        if i % width == 0 and i + 2 * width <= n:
            block = [*range(i), *range(k, k + width), *range(i, k), *range(k + width, n)]
            yield tuple(block), ones
    for i in range(n):
        yield tuple(range(n)), tuple(-1 if k == i else 1 for k in range(n))


def _closure(found: Sequence[Element], n: int) -> tuple[Element, ...]:
    """The group that elements generate, up to a size beyond which it would cost more than it saves."""
    identity: Element = (tuple(range(n)), (1,) * n)
    group = {identity}
    frontier = [identity]
    while frontier:
        fresh: list[Element] = []
        for places, signs in frontier:
            for p, s in found:
                new = (tuple(places[k] for k in p), tuple(s[i] * signs[p[i]] for i in range(n)))
                if new not in group:
                    group.add(new)
                    fresh.append(new)
        if len(group) > _MOST:
            return ()
        frontier = fresh
    return tuple(sorted(group))
