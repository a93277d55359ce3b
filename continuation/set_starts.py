"""What starts at a point of codimension two, and what does so and is not followed."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import scipy.linalg

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.codimension_two_starts import starts
from gan_bifurcation.continuation.problem import NEUTRAL
from gan_bifurcation.errors import MisuseError

# What else starts there, in words: the label of its curve and what it is. Said to be unexplored where none was found.
BESIDES: Final[Mapping[str, tuple[str, str]]] = {
    "GH": ("LPC", "a curve of folds of cycles"),
    "BT": ("Hom", "a curve of homoclinic orbits"),
    "ZH": ("NS", "a curve of Neimark-Sacker bifurcations of cycles"),
    "HH": ("NS", "two curves of Neimark-Sacker bifurcations of cycles"),
    "GPD": ("LP", "a curve of folds of twice the period"),
    "CH": ("LP", "a curve of folds of invariant circles"),
    "R1": ("homoclinic", "curves of homoclinic tangencies"),
    "R3": ("saddle", "a saddle of three times the period"),
    "PDNS": ("NS of circles", "curves of circles of twice the period and of tori"),
    "NSNS": ("NS of circles", "curves of tori"),
    "LPNS": ("NS of circles", "curves of circles and tori"),
}


def starts_at(point: Point, cycles: bool) -> tuple[list[Point], str]:
    """Labelled points of the curves that pass through or begin at a point (those of cycles if they are wanted too),
    and why there are none."""
    if point.profile is not None:
        return [], "what starts at points of codimension two of cycles is not followed."
    try:
        return [p for p in starts(point, cycles) if p.label not in ("", NEUTRAL)], ""
    except (MisuseError, np.linalg.LinAlgError, scipy.linalg.LinAlgError) as error:
        return [], str(error)
