"""What starts at a point of codimension two: all curves that pass through it, as labelled points to trace from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Final

import numpy as np

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.problem import CONDITION_OF
from gan_bifurcation.continuation.starts import ProfileStart

# The curves of the same equilibria or fixed points that pass through a point (Kuznetsov 2004, chapters 8 and 9).
THROUGH: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "flow": {"CP": ("LP",), "BT": ("LP", "H"), "GH": ("H",), "ZH": ("LP", "H"), "HH": ("H", "H")},
    "map": {
        "CP": ("LP",), "GPD": ("PD",), "CH": ("NS",), "R1": ("LP", "NS"), "R2": ("PD", "NS"), "R3": ("NS",),
        "R4": ("NS",), "LPPD": ("LP", "PD"), "LPNS": ("LP", "NS"), "PDNS": ("PD", "NS"), "NSNS": ("NS", "NS"),
    },
}  # fmt: skip
# Modules with a function `curves_at(point)` that gives starts of curves of other objects at such a point.
PROVIDERS: Final[tuple[str, ...]] = ()

# What else starts there, in words: said to be unexplored where no curve of it was found.
BESIDES: Final[Mapping[str, tuple[str, str]]] = {
    "GH": ("LPC", "a curve of folds of cycles"),
    "BT": ("homoclinic", "a curve of homoclinic orbits"),
    "ZH": ("NS of cycles", "a curve of Neimark-Sacker bifurcations of cycles"),
    "HH": ("NS of cycles", "two curves of Neimark-Sacker bifurcations of cycles"),
    "GPD": ("LP", "a curve of folds of twice the period"),
    "CH": ("fold of circles", "a curve of folds of invariant circles"),
    "R1": ("homoclinic", "curves of homoclinic tangencies"),
    "R2": ("NS", "possibly a curve of Neimark-Sacker bifurcations of twice the period"),
    "R3": ("LP", "a saddle of three times the period"),
    "R4": ("LP", "possibly curves of folds of four times the period"),
    "LPPD": ("NS", "possibly a curve of Neimark-Sacker bifurcations of twice the period"),
    "PDNS": ("NS", "a curve of Neimark-Sacker bifurcations of twice the period"),
}


@dataclass(frozen=True, eq=False)
class CurveStart:
    """A labelled point to trace a curve from, and how it belongs to the point of codimension two.

    Attributes
    ----------
    point : Point
    how : str
        "passes through", or what the normal form says of the curve, such as "ends at".
    """

    point: Point | ProfileStart
    how: str


def passing(point: Point) -> list[CurveStart]:
    """The curves of the same equilibria or fixed points through a point of codimension two."""
    kind = point.system.kind
    found = []
    used: list[complex] = []
    for label in THROUGH[kind].get(point.label, ()):
        critical = _critical(point, label, used)
        if critical is None:
            continue
        used.append(critical)
        labelled = replace(
            point, label=label, name="", condition=CONDITION_OF[kind][label], critical=critical, level="",
            multiplicity=1, normal_form={}, note="", vectors={},
        )  # fmt: skip
        found.append(CurveStart(labelled, "passes through"))
    return found


def starting(point: Point) -> list[CurveStart]:
    """Curves of other objects that start at a point of codimension two, from the modules that know how."""
    found: list[CurveStart] = []
    for name in PROVIDERS:
        curves_at: Callable[[Point], Sequence[CurveStart]] = import_module(name).curves_at
        found += curves_at(point)
    return found


def _critical(point: Point, label: str, used: Sequence[complex]) -> complex | None:
    """The eigenvalue that a label speaks of at a point where several are critical; of a pair the upper one."""
    is_map = point.system.kind == "map"
    if label in ("LP", "PD"):
        return complex(-1.0 if label == "PD" else float(is_map))
    if point.label in ("BT", "R1", "R2"):
        return complex({"BT": 0.0, "R1": 1.0, "R2": -1.0}[point.label])
    upper = [z for z in point.spectrum.tolist() if z.imag > 1e-7 and all(abs(z - u) > 1e-7 for u in used)]
    if not upper:
        return None
    nearest = min(upper, key=lambda z: abs(abs(z) - 1.0) if is_map else abs(z.real))
    return complex(np.exp(1j * np.angle(nearest))) if is_map else complex(0.0, nearest.imag)
