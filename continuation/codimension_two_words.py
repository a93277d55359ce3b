"""What the coefficients of a codimension-two point mean, in words."""

from collections.abc import Callable, Mapping
from typing import Any, Final

Form = Mapping[str, Any]

_ROUNDING: Final = "vanishes within rounding, so it has no sign here"


def _sides(value: float) -> tuple[str, str]:
    """What a negative and what a positive coefficient makes of the outer and of the inner one."""
    return ("stable", "unstable") if value < 0.0 else ("unstable", "stable")


def _sign(letter: str, value: float) -> str:
    return f"{letter} {'<' if value < 0.0 else '>'} 0"


def _cusp(form: Form) -> tuple[str, str]:
    c = form["c"]
    if c == 0.0:
        return "degenerate", f"The cubic coefficient {_ROUNDING}; the cusp is of higher order."
    outer, middle = _sides(c)
    return (
        _sign("c", c),
        f"Two folds meet in a cusp; between them there are three equilibria, the outer two {outer} and the middle one "
        f"{middle} along the critical direction.",
    )


def _bogdanov_takens(form: Form) -> tuple[str, str]:
    s = form["s"]
    if s == 0:
        return "degenerate", f"A quadratic coefficient {_ROUNDING} (or by symmetry); the point is degenerate."
    cycle = "stable" if s < 0 else "unstable"
    return (
        f"s = {s:+d}",
        f"A fold, a Hopf curve and a curve of homoclinic orbits meet here; the cycle between the Hopf and the "
        f"homoclinic curve is {cycle}.",
    )


def _bautin(form: Form) -> tuple[str, str]:
    value = form["l2"]
    if value == 0.0:
        return "degenerate", f"The second Lyapunov coefficient {_ROUNDING}."
    outer, inner = _sides(value)
    return (
        _sign("l2", value),
        "The Hopf bifurcation changes its criticality, and a curve of folds of cycles starts here; of the two cycles "
        f"beside it the outer one is {outer}, the inner one {inner}.",
    )


def _chenciner(form: Form) -> tuple[str, str]:
    value = form["c"]
    if value == 0.0:
        return "degenerate", f"The second coefficient {_ROUNDING}."
    outer, inner = _sides(value)
    return (
        _sign("c", value),
        "The Neimark-Sacker bifurcation changes its criticality, and folds of invariant circles start here; of the "
        f"two circles beside them the outer one is {outer}, the inner one {inner}.",
    )


def _fold_hopf(form: Form) -> tuple[str, str]:
    return _fold_and(form, "cycle", "Hopf", "torus")


def _fold_neimark(form: Form) -> tuple[str, str]:
    return _fold_and(form, "invariant circle", "Neimark-Sacker", "two-dimensional torus")


def _fold_and(form: Form, orbit: str, curve: str, torus: str) -> tuple[str, str]:
    start = f"A fold and a {curve} curve touch here"
    return _with_fold(
        form,
        f"{start}; s theta > 0, so no {torus} bifurcates nearby.",
        f"{start}; s theta < 0, so the {orbit} has a Neimark-Sacker curve that starts here: a {torus}, ",
        "{}.",
    )


def _fold_flip(form: Form) -> tuple[str, str]:
    start = "A fold and a flip curve touch here"
    return _with_fold(
        form,
        f"{start}; b e < 0, so the second iterate has no Neimark-Sacker curve.",
        f"{start}; b e > 0, so a Neimark-Sacker curve of the second iterate starts here, ",
        "its circles {}.",
    )


def _with_fold(form: Form, without: str, starts: str, kind: str) -> tuple[str, str]:
    """The case, and the sentence for s theta > 0 or the one for s theta < 0, where the sign of E theta goes on."""
    if form["s"] == 0 or form["theta"] == 0.0:
        return "degenerate", f"A quadratic coefficient {_ROUNDING} (or by symmetry); the point is degenerate."
    s, theta = form["s"], form["theta"]
    label = f"s = {s:+d}, {_sign('theta', theta)}"
    if s * theta > 0.0:
        return label, without
    if form["E"] == 0.0:
        return label, f"{starts}whose stability is not told, since E {_ROUNDING}."
    return label, starts + kind.format("stable" if form["E"] * theta > 0.0 else "unstable")


def _two(form: Form, one: str, two: str, torus: str) -> tuple[str, str]:
    if not form["p11"] or not form["p22"]:
        return "degenerate", f"A cubic coefficient {_ROUNDING} (or by symmetry); the point is degenerate."
    if not form["determinant"]:
        return "degenerate", f"p11 p22 - p12 p21 {_ROUNDING} (or by symmetry); the point is degenerate."
    if form["p11"] * form["p22"] > 0.0:
        both = "supercritical" if form["p11"] < 0.0 else "subcritical"
        how = f"{one} and {two} are {both} alike (the simple case)"
        label = "simple"
    else:
        how = f"one of {one} and {two} is supercritical, the other subcritical (the difficult case)"
        label = "difficult"
    text = f"Two curves cross here, {how}; two curves of secondary bifurcations start here, between which lies {torus}"
    if label == "difficult" and form["theta"] * form["delta"] > 1.0:
        value = form.get("torus", 0.0)
        kind = f", whose stability is not told, since the quintic coefficient {_ROUNDING}"
        if "torus" not in form:
            kind = ", whose stability is not told"
        elif value:
            kind = " (stable)" if value < 0.0 else " (unstable)"
        text += f", and from which one of a frequency more bifurcates{kind}"
    vanishing = " and ".join(name for name in ("p12", "p21") if not form[name])
    return label, text + (f"; {vanishing} {_ROUNDING}." if vanishing else ".")


def _hopf_hopf(form: Form) -> tuple[str, str]:
    return _two(form, "the first Hopf", "the second", "a torus")


def _two_neimarks(form: Form) -> tuple[str, str]:
    return _two(form, "the first Neimark-Sacker", "the second", "a torus")


def _flip_neimark(form: Form) -> tuple[str, str]:
    return _two(form, "the flip", "the Neimark-Sacker", "an invariant circle of the second iterate")


def _generalised_flip(form: Form) -> tuple[str, str]:
    c = form["c"]
    if c == 0.0:
        return "degenerate", f"The quintic coefficient {_ROUNDING}."
    # The map is -w + c w^5: w grows where c < 0.
    outer, inner = _sides(-c)
    return (
        _sign("c", c),
        "The flip changes its criticality, and a curve of folds of the second iterate starts here; of its two orbits "
        f"of period two the outer one is {outer}, the inner one {inner}.",
    )


def _first_resonance(form: Form) -> tuple[str, str]:
    s = form["s"]
    if s == 0:
        return "degenerate", f"A quadratic coefficient {_ROUNDING} (or by symmetry); the resonance is degenerate."
    circle = "stable" if s < 0 else "unstable"
    return (
        f"s = {s:+d}",
        f"A fold and a Neimark-Sacker curve meet here; the invariant circle is {circle}, and homoclinic tangles "
        "destroy it.",
    )


def _second_resonance(form: Form) -> tuple[str, str]:
    s, slope = form["s"], form["D1"]
    if s == 0 or slope == 0.0:
        return "degenerate", f"A cubic coefficient {_ROUNDING} (or by symmetry); the resonance is degenerate."
    circle = "stable" if slope < 0.0 else "unstable"
    text = f"A flip and a Neimark-Sacker curve meet here, the invariant circles beside it {circle}"
    if s > 0:
        return f"s = {s:+d}", f"{text}; saddle orbits of period two bound them."
    second = "unstable" if slope < 0.0 else "stable"
    return (
        f"s = {s:+d}",
        f"{text}; a Neimark-Sacker curve of the second iterate starts here, its circles {second} on this side.",
    )


def _third_resonance(form: Form) -> tuple[str, str]:
    c1 = form["c1"].real
    circle = "" if c1 == 0.0 else (" stable" if c1 < 0.0 else " unstable")
    if form["b"] == 0.0:
        why = form.get("vanishes", "vanishes within rounding")
        words = f"The quadratic coefficient b {why}: no saddles of period three at this order"
        if circle:
            words += f", and the Neimark-Sacker bifurcation goes on through the resonance, its circle{circle}"
        return "b = 0", words + "."
    if not circle:
        return "degenerate", f"Three saddles of period three surround the point; Re c1 {_ROUNDING}."
    return (
        _sign("Re c1", c1),
        f"A saddle orbit of period three surrounds the point and passes through it; the invariant circle beside it "
        f"is{circle}, and heteroclinic tangles destroy it.",
    )


def _fourth_resonance(form: Form) -> tuple[str, str]:
    if "A0" not in form:
        why = form.get("vanishes", "vanishes within rounding")
        return "d = 0", f"The resonant coefficient d {why}: no orbits of period four at this order."
    a = form["A0"]
    circle = "" if a.real == 0.0 else f"; the invariant circle is {'stable' if a.real < 0.0 else 'unstable'}"
    if form["excess"] == 0.0:
        return (
            "|A0| = 1",
            f"|A0| is one within rounding, so it is not told which orbits of period four there are{circle}.",
        )
    if form["excess"] > 0.0:
        return (
            "|A0| > 1",
            "Two curves of folds of the fourth iterate start here, between which there are two orbits of period "
            f"four{circle}.",
        )
    return "|A0| < 1", f"A saddle orbit of period four surrounds the point and passes through it{circle}."


_FLOW: Final[dict[str, Callable[[Form], tuple[str, str]]]] = {
    "CP": _cusp,
    "BT": _bogdanov_takens,
    "GH": _bautin,
    "ZH": _fold_hopf,
    "HH": _hopf_hopf,
}
_MAP: Final[dict[str, Callable[[Form], tuple[str, str]]]] = {
    "CP": _cusp,
    "GPD": _generalised_flip,
    "CH": _chenciner,
    "R1": _first_resonance,
    "R2": _second_resonance,
    "R3": _third_resonance,
    "R4": _fourth_resonance,
    "LPPD": _fold_flip,
    "LPNS": _fold_neimark,
    "PDNS": _flip_neimark,
    "NSNS": _two_neimarks,
}


def words(kind: str, label: str, form: Form) -> tuple[str, str]:
    """The case in a few letters, and a sentence on what meets and starts at the point."""
    short, sentence = (_FLOW if kind == "flow" else _MAP)[label](form)
    return short, sentence if kind == "flow" else sentence.replace("equilibria", "fixed points")
