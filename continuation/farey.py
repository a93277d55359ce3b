"""Rational and noble rotation numbers."""

import math
from fractions import Fraction
from typing import Final

__all__ = ["between", "farey", "noble"]

GOLDEN: Final = (math.sqrt(5.0) - 1.0) / 2.0


def farey(order: int) -> list[Fraction]:
    """The fractions between 0 and 1, both included, with denominators up to an order.

    >>> [str(f) for f in farey(4)]
    ['0', '1/4', '1/3', '1/2', '2/3', '3/4', '1']
    """
    return sorted({Fraction(p, q) for q in range(1, order + 1) for p in range(q + 1)})


def between(a: float, b: float, order: int) -> list[Fraction]:
    """The fractions of an order strictly between two numbers, those of the least denominators first.

    >>> [str(f) for f in between(0.19, 0.26, 6)]
    ['1/4', '1/5']
    """
    low, high = min(a, b), max(a, b)
    found = [
        Fraction(p, q)
        for q in range(1, order + 1)
        for p in range(math.ceil(low * q), math.floor(high * q) + 1)
        if math.gcd(p, q) == 1 and low < p / q < high
    ]
    return sorted(found, key=lambda f: f.denominator)


def noble(low: float, high: float) -> float:
    """A number between two that is as far from rational as it can be: its continued fraction ends in ones.

    It is found between neighbours of the Stern-Brocot tree, the first that has such a number in the interval, so that
    no fraction of a small denominator is near it.

    >>> round(noble(0.3, 0.4), 6)
    0.381966
    """
    whole = math.floor(low)
    a, b = low - whole, high - whole
    target = 0.5 * (a + b)
    (p0, q0), (p1, q1) = (0, 1), (1, 0)
    while True:
        p, q = p0 + p1, q0 + q1
        if a <= p / q <= b:
            pairs = [((p0, q0), (p, q)), ((p, q), (p0, q0)), ((p1, q1), (p, q)), ((p, q), (p1, q1))]
            values = [(s * GOLDEN + t) / (u * GOLDEN + v) for (s, u), (t, v) in pairs]
            inside = [v for v in values if a <= v <= b]
            if inside:
                return whole + min(inside, key=lambda v: abs(v - target))
        if p / q < target:
            p0, q0 = p, q
        else:
            p1, q1 = p, q
