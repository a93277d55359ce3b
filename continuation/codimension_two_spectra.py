"""Which eigenvalues a codimension-two label speaks of, taken from the spectrum of its point."""

from cmath import exp, phase
from collections.abc import Sequence
from dataclasses import dataclass
from math import pi
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.codimension_two_tables import table
from gan_bifurcation.errors import MisuseError

ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True)
class Pattern:
    """The critical eigenvalues of a label.

    Attributes
    ----------
    kinds : str
        A letter for each critical coordinate: "0" (eigenvalue 0 or multiplier 1), "-" (multiplier -1), "z" with its
        conjugate "Z".
    order : int
        Highest degree of the normal form.
    resonance : int
        Order of the strong resonance, 0 without.
    double : bool
        Whether the eigenvalue is double with one eigenvector, a Jordan block.
    further : int
        The degree that is needed in the difficult case of two pairs, where quintic terms decide.
    """

    kinds: str
    order: int
    resonance: int = 0
    double: bool = False
    further: int = 0


PATTERNS: Final[dict[str, dict[str, Pattern]]] = {
    "flow": {
        "CP": Pattern("0", 3),
        "BT": Pattern("00", 2, double=True),
        "GH": Pattern("zZ", 5),
        "ZH": Pattern("0zZ", 3),
        "HH": Pattern("zZzZ", 3, further=5),
    },
    "map": {
        "CP": Pattern("0", 3),
        "GPD": Pattern("-", 5),
        "CH": Pattern("zZ", 5),
        "R1": Pattern("00", 2, double=True),
        "R2": Pattern("--", 3, double=True),
        "R3": Pattern("zZ", 3, resonance=3),
        "R4": Pattern("zZ", 3, resonance=4),
        "LPPD": Pattern("0-", 3),
        "LPNS": Pattern("0zZ", 3),
        "PDNS": Pattern("-zZ", 3, further=5),
        "NSNS": Pattern("zZzZ", 3, further=5),
    },
}
LABELS: Final = tuple(dict.fromkeys(label for group in PATTERNS.values() for label in group))


def critical_eigenvalues(point: Point) -> tuple[complex, ...]:
    """The critical eigenvalues of a point, put exactly on the boundary, in the order of its label's pattern.

    Raises
    ------
    MisuseError
        If the spectrum does not hold what the label speaks of.
    """
    is_map = point.system.kind == "map"
    pattern = PATTERNS[point.system.kind][point.label]
    if pattern.resonance:
        mu = exp(2j * pi / pattern.resonance)
        return (mu, mu.conjugate())
    left: list[complex] = np.asarray(point.spectrum, dtype=complex).tolist()
    chosen: list[complex] = []
    for kind in pattern.kinds:
        if kind == "Z":
            chosen.append(chosen[-1].conjugate())
            continue
        if kind == "z":
            upper = [z for z in left if z.imag > 0.0]
            if not upper:
                raise MisuseError(f"{point.name or point.label} has no complex pair left for its label {point.label}.")
            nearest = min(upper, key=lambda z: abs(abs(z) - 1.0) if is_map else abs(z.real))
            left = [z for z in left if z not in (nearest, nearest.conjugate())]
            chosen.append(exp(1j * phase(nearest)) if is_map else complex(0.0, nearest.imag))
            continue
        target = complex(-1.0 if kind == "-" else float(is_map))
        left.remove(min(left, key=lambda z: abs(z - target)))
        chosen.append(target)
    if pattern.kinds == "zZzZ":
        # The slower pair first, so that a point has the same coefficients whichever curve it was found on.
        speed = [phase(z) if is_map else z.imag for z in (chosen[0], chosen[2])]
        chosen = chosen if speed[0] <= speed[1] else chosen[2:] + chosen[:2]
    return tuple(chosen)


# Nearer than this to a resonance, the linear systems of the normal form are all but singular.
_RESONANT: Final = 1e-6


def resonant(eigenvalues: Sequence[complex], pattern: Pattern, order: int, is_map: bool) -> str:
    """A resonance among critical eigenvalues that gives the normal form terms which its label does not know of.

    Returns
    -------
    str
        As "3 omega1 = omega2" (flows) or "3 theta1 = theta2 mod 2 pi" (maps, angles); empty where there is none up to
        that degree.
    """
    known = table(pattern.kinds, max(pattern.order, pattern.further), pattern.resonance).resonances
    differences = known.differences[: known.before[order + 1]]
    turns = differences @ np.array([phase(z) if is_map else z.imag for z in eigenvalues])
    if is_map:
        # How far the product of multipliers is from the multiplier.
        found = np.abs(2.0 * np.sin(0.5 * turns)) <= _RESONANT
    else:
        found = np.abs(turns) <= _RESONANT * max(abs(z) for z in eigenvalues)
    if not found.any():
        return ""
    first = int(found.argmax())
    target = int(known.components[first])
    powers = [int(d) + (i == target) for i, d in enumerate(differences[first])]
    return _in_angles(pattern.kinds, powers, target, is_map)


def _in_angles(kinds: str, powers: Sequence[int], target: int, is_map: bool) -> str:
    """What it says of the angles (maps) or frequencies that a monomial turns like a critical coordinate."""
    pairs = [i for i, kind in enumerate(kinds) if kind == "z"]
    name = "theta" if is_map else "omega"
    terms = []
    for number, i in enumerate(pairs, 1):
        turns = int(powers[i] - powers[i + 1])
        if turns:
            terms.append(
                f"{'' if turns == 1 else '-' if turns == -1 else f'{turns} '}{name}{number if pairs[1:] else ''}"
            )
    if sum(int(p) for p, kind in zip(powers, kinds, strict=True) if kind == "-") % 2:
        terms.append("pi")
    right = {"0": "0", "-": "pi"}.get(kinds[target], "")
    if not right:
        right = f"{name}{pairs.index(target) + 1 if pairs[1:] else ''}"
    return f"{' + '.join(terms) or '0'} = {right}{' mod 2 pi' if is_map else ''}".replace("+ -", "- ")


def companions(point: Point, width: float = 1e-7) -> int:
    """How many more eigenvalues lie on the boundary than the label speaks of."""
    is_map = point.system.kind == "map"
    spectrum: list[complex] = np.asarray(point.spectrum, dtype=complex).tolist()
    scale = 1.0 if is_map else max([1.0, *(abs(z) for z in spectrum)])
    pattern = PATTERNS[point.system.kind][point.label]
    if pattern.double:
        target = {"BT": 0.0, "R1": 1.0, "R2": -1.0}[point.label]
        # The two eigenvalues of a Jordan block come out with the root of rounding.
        return sum(distance < width * scale for distance in sorted(abs(z - target) for z in spectrum)[2:])
    margins = (abs(abs(z) - 1.0) if is_map else abs(z.real) for z in spectrum)
    return max(0, sum(margin < width * scale for margin in margins) - len(pattern.kinds))
