"""Normal-form coefficients of special points of cycles: those of the fixed point of the return map.

One implementation serves maps and cycles: the formulas are those of `normal_forms` and `codimension_two`, for the map
that `cycle_maps` makes of a cycle. The critical vectors are of unit length in the section, the plane across the flow at
the first state of the cycle's profile.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.branch_points import branch_point_form, null_tangents
from gan_bifurcation.continuation.codimension_two import codimension_two_form
from gan_bifurcation.continuation.codimension_two_spectra import PATTERNS
from gan_bifurcation.continuation.codimension_two_words import words
from gan_bifurcation.continuation.cycle_coefficients import TurnForms, coefficient
from gan_bifurcation.continuation.cycle_maps import OF_MAP, Turn, as_fixed_point, turn_of
from gan_bifurcation.continuation.normal_forms import ROUNDING, Raw, codimension_one, prediction
from gan_bifurcation.continuation.spectra import together
from gan_bifurcation.errors import MisuseError

_SIMPLE: Final = ("LPC", "PD", "NS")
# What is a fixed point's in the words of maps is a cycle's here.
_WORDS: Final = (
    ("orbits of period two", "cycles of twice the period"),
    ("orbit of period three", "cycle of three times the period"),
    ("saddles of period three", "saddle cycles of three times the period"),
    ("orbits of period four", "cycles of four times the period"),
    ("orbit of period four", "cycle of four times the period"),
    ("second iterate", "cycle of twice the period"),
    ("fourth iterate", "cycles of four times the period"),
    ("invariant circle", "invariant torus"),
    ("invariant toruss", "invariant tori"),
    ("folds of invariant tori", "folds of invariant tori"),
    ("the two circles", "the two tori"),
    ("its circles", "its tori"),
    ("its circle", "its torus"),
    ("two circles", "two tori"),
    ("fixed points", "cycles"),
    ("two-dimensional torus", "three-dimensional torus"),
)
# Errors of the collocation count so many times when a coefficient is told from zero.
_CAUTION: Final = 10.0
# A coefficient whose term, where the distance is that which the states move, is less than this is what the integrator
# leaves of zero; with the degree of the term.
_NOTHING: Final = 1e-11
_DEGREE: Final = {"CP": 3, "GPD": 5, "CH": 5}


def cycle_form(point: Point) -> dict[str, Any]:
    """Normal-form coefficients of a special point of cycles (called by :func:`gan_bifurcation.normal_form`).

    Returns
    -------
    dict
        LPC `a`, PD `b`, NS `d` and `theta`, with `criticality` in words; for PD and NS also `speed`, by how much the
        modulus of the critical multiplier grows with each free parameter, and `amplitude`, half of how far apart the
        states of what is born lie in the section, per square root of the distance in that parameter. BPC `kind`. Of
        codimension two (CPC, GPD, CH, R1 to R4, ...) the numbers of the same point of a map.

    Raises
    ------
    MisuseError
        If the point has no such label or is multiple, or the flow is not smooth.
    """
    label = OF_MAP.get(point.label, point.label)
    if point.label not in (*_SIMPLE, "BPC") and label not in PATTERNS["map"]:
        raise MisuseError(
            f"A cycle labelled '{point.label or 'none'}' has no normal form; expected LPC, BPC, PD, NS or codimension "
            "two (CPC, GPD, CH, R1, ...)."
        )
    if point.multiplicity > 1:
        raise MisuseError(
            f"{together(point)}, so the coefficient of a simple point does not apply; restrict the system to a "
            "fixed-point subspace with gb.restrict."
        )
    turn = turn_of(point, point.free)
    extent = float(np.max(np.ptp(turn.states, axis=0)))
    fixed = as_fixed_point(point, turn)
    if point.label == "BPC":
        return _crossing_form(fixed, max(ROUNDING, _CAUTION * turn.error))
    if point.label not in _SIMPLE:
        form = codimension_two_form(fixed, max(ROUNDING, _CAUTION * turn.error))
        if label in _DEGREE and 0.0 < abs(form["c"]) * extent ** (_DEGREE[label] - 1) < _NOTHING:
            form["c"] = 0.0
            form["criticality"], form["meaning"] = words("map", label, form)
        return form | {"meaning": cycle_words(form["meaning"])}
    forms = TurnForms(turn)
    rounding = max(ROUNDING, _CAUTION * turn.error)
    form = codimension_one(fixed, forms.base, rounding, coefficient(forms, label, fixed.critical))
    q, p = form.pop("q"), form.pop("p")
    if point.label == "LPC":
        # In the flow's own states the largest component of q is positive.
        ahead = turn.frame @ q.real
        return form | {"a": form["a"] * float(np.sign(ahead[np.argmax(np.abs(ahead))]))}
    if fixed.free:
        form |= _in_states(prediction(forms, fixed, q, p, form), turn, fixed, q)
    return form


def _in_states(found: Mapping[str, Any], turn: Turn, fixed: Point, q: Any) -> dict[str, Any]:
    """The prediction with amplitudes of the flow's states."""
    k = int(np.argmax(np.abs(q)))
    spread = np.abs(turn.frame @ q) / abs(q[k])
    amplitudes = {
        name: {s: float(c * sizes[fixed.system.states[k]]) for s, c in zip(turn.flow.states, spread, strict=True)}
        for name, sizes in found["amplitude"].items()
    }
    return {**found, "amplitude": amplitudes}


def _crossing_form(fixed: Point, rounding: float) -> dict[str, Any]:
    """The type of a branch point, from the algebraic bifurcation equation of the return map."""
    pair = null_tangents(fixed, fixed.free[0]) if fixed.free else None
    vectors = {} if pair is None else {"branch": pair[0].astype(complex), "other": pair[1].astype(complex)}
    return branch_point_form(replace(fixed, vectors=vectors), rounding)


def cycle_words(sentence: str) -> str:
    """A sentence on fixed points of maps as one on cycles."""
    for old, new in _WORDS:
        sentence = sentence.replace(old, new)
    return sentence


class CycleCoefficients:
    """The deciding coefficient along a curve of cycles, with its critical vectors oriented from point to point."""

    def __init__(self, label: str) -> None:
        self.label = OF_MAP.get(label, label)

    def at(self, point: Point, tolerance: float = 1e-9) -> tuple[Raw, Any, Any, float]:
        """The coefficient, its vectors q and w in the flow's states, and what part of its terms is rounding."""
        turn = turn_of(point, (), tolerance)
        raw = coefficient(TurnForms(turn), self.label, point.critical)
        rounding = max(ROUNDING, _CAUTION * turn.error)
        return raw, turn.frame @ raw.q, turn.frame @ raw.w, rounding
