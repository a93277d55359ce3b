"""What processes of a study load once for all, and what one does on a machine where nothing is compiled yet.

Processes share what they compile, each function once (`gan_bifurcation.compiling`). Were all to begin at the beginning,
they would need the same function at the same time, and all but one would wait. So one of them begins at the end: it
does, on a map with two states, what a study needs last.
"""

from collections.abc import Collection
from importlib import import_module
from typing import Final

import numpy as np

__all__ = ["is_needed", "load", "rehearse"]

# What takes long to import and several processes would, by kinds of parts.
_MODULES: Final = {
    "": ("gan_bifurcation.studies.claims", "gan_bifurcation.studies.computing"),
    "figure": ("gan_bifurcation.studies.drawing",),
    "map": ("gan_bifurcation.regimes.regime_map", "gan_bifurcation.regimes.storage"),
}
_CELLS: Final = 2
_STEPS: Final = 64


def is_needed() -> bool:
    """Whether the functions rehearsed are still to be compiled."""
    from gan_bifurcation.compiling import is_kept
    from gan_bifurcation.lanes import sweep

    return not is_kept(sweep)


def load(kinds: Collection[str]) -> None:
    """Load what processes of a study use, modules and compiled functions, so that forked ones have it.

    Parameters
    ----------
    kinds : collection of str
        Of the study's parts.
    """
    from gan_bifurcation.system import System

    for kind in ("", *kinds):
        for module in _MODULES.get(kind, ()):
            import_module(module)
    if not is_needed():
        System.from_equations("map", {"x": "x"}).jacobian([0.0])


def rehearse() -> None:
    """Compile verdicts, coefficients of codimension two and of codimension one, in this order."""
    from gan_bifurcation.continuation.codimension_two_series import series
    from gan_bifurcation.continuation.normal_forms import Coefficients
    from gan_bifurcation.regimes.verdicts import classify_many
    from gan_bifurcation.system import System

    system = System.from_equations("map", {"x": "r*x*(1 - y)", "y": "x"}, parameters={"r": 2.0})
    classify_many(system, np.full((_CELLS, 2), 0.4), steps=_STEPS, workers=1)
    joint = np.array([0.5, 0.5, 2.0])  # a Neimark-Sacker point
    multiplier = complex(np.exp(1j * np.pi / 3))
    series(system, joint, "zZ", (multiplier, multiplier.conjugate()), 3)
    Coefficients(system, "NS").at(joint, multiplier)
