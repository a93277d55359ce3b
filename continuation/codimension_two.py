"""Codimension-two points of equilibria and fixed points: their normal forms, and when two of them are the same."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.linalg

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.codimension_two_forms import coefficients
from gan_bifurcation.continuation.codimension_two_spectra import LABELS
from gan_bifurcation.continuation.codimension_two_words import words
from gan_bifurcation.continuation.forms import Forms
from gan_bifurcation.continuation.normal_forms import ROUNDING, normal_form
from gan_bifurcation.errors import MisuseError

__all__ = ["codimension_two_form", "distinct", "same_point", "with_coefficients"]

_VANISHING = {"R3": "b", "R4": "d"}


def codimension_two_form(point: Point, rounding: float = ROUNDING) -> dict[str, Any]:
    """Normal-form coefficients of a codimension-two point (called by :func:`gan_bifurcation.normal_form`).

    Returns
    -------
    dict
        Plain numbers under the textbook's letters, `criticality` (the case) and `meaning` (a sentence).

    Raises
    ------
    MisuseError
        If the point has no such label or more critical eigenvalues than its label says.
    """
    form = coefficients(point, rounding)
    vectors = form.pop("vectors")
    letter = _VANISHING.get(point.label, "")
    if letter and form.get(letter) == 0.0:
        odd = vanishes_by_symmetry(point, vectors["q"])
        form["vanishes"] = "vanishes by symmetry" if odd else "vanishes within rounding"
    short, sentence = words(point.system.kind, point.label, form)
    return form | {"criticality": short, "meaning": sentence}


def vanishes_by_symmetry(point: Point, q: Any) -> bool:
    """Whether a symmetry holds the point and reverses the critical vectors, or the right-hand side is odd about it."""
    system = point.system
    for symmetry in system.symmetries:
        image = _image(symmetry.action, system.states)
        if np.allclose(image @ point.x, point.x, atol=1e-9) and np.allclose(image @ q.T, -q.T, atol=1e-9):
            return True
    forms = Forms(system, point.x)
    rng = np.random.default_rng(3)
    for _ in range(2):
        d = rng.normal(size=system.n)
        even = [float(np.max(np.abs(forms.power(d, k)))) for k in (2, 4)]
        odd = [float(np.max(np.abs(forms.power(d, k)))) for k in (1, 3, 5)]
        if even[0] > 1e-10 * np.sqrt(odd[0] * odd[1]) or even[1] > 1e-10 * np.sqrt(odd[1] * odd[2]):
            return False
    return True


def _image(action: Any, states: tuple[str, ...]) -> Any:
    matrix = np.eye(len(states))
    for state, (sign, other) in action.items():
        i = states.index(state)
        matrix[i] = 0.0
        matrix[i, states.index(other)] = sign
    return matrix


def with_coefficients(point: Point) -> Point:
    """The point with its coefficients, or with a note why there are none."""
    cycle = point.kind == "cycle"
    if (point.label not in LABELS and not (cycle and point.label == "CPC")) or point.level or point.normal_form:
        return point
    try:
        form = normal_form(point) if cycle else codimension_two_form(point)
    except (MisuseError, np.linalg.LinAlgError, scipy.linalg.LinAlgError) as error:
        return replace(point, note=(point.note + " " + str(error)).strip())
    return replace(point, normal_form=form)


def same_point(a: Point, b: Point, tolerance: float = 1e-7) -> bool:
    """Whether two labelled points are one: equal label, parameters and state (found from two curves, say)."""
    if a.label != b.label or a.system.states != b.system.states or a.system.iterations != b.system.iterations:
        return False
    x, y = (np.append(p.x, list(p.parameters.values())) for p in (a, b))
    return bool(np.all(np.abs(x - y) <= tolerance * (1.0 + np.maximum(np.abs(x), np.abs(y)))))


def distinct(points: Iterable[Point], tolerance: float = 1e-7) -> list[Point]:
    """The points without repetitions, in their order."""
    kept: list[Point] = []
    for p in points:
        if not any(same_point(p, other, tolerance) for other in kept):
            kept.append(p)
    return kept
