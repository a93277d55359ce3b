"""The questions that a regime map answers, as sentences and numbers."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.regimes.attractors import DECIDED
from gan_bifurcation.regimes.judging import KINDS

# Points of codimension two at which a border changes its criticality.
CHANGES: Final = ("GH", "GPD", "CH")
# Relative to the parameter itself.
_ROUNDING: Final = 1e-12
# Of a window's width.
_NOTHING: Final = 1e-9


def answers(
    rmap: Any,
    at: Mapping[str, float] | None = None,
    verdict: str = "converges",
    *,
    to: Mapping[str, float] | None = None,
    best: bool = False,
    circle: bool = True,
) -> dict[str, dict[str, Any]]:
    """What a map says.

    Parameters
    ----------
    rmap : RegimeMap
    at : mapping of parameter to float, optional
        A point of the window; the regime there, the nearest border and the smallest change are answered for it.
    verdict : str
        Which regimes the circle and the change are about.
    to : mapping of parameter to float, optional
        Another point: what changes on the straight way there is answered too.
    best : bool
        Whether to look for the fastest convergence.
    circle : bool
        Whether to ask for the largest circle, which does not depend on `at`.

    Returns
    -------
    dict
        By question: ``text`` is a sentence, the rest are numbers.
    """
    if verdict not in KINDS:
        raise unknown_name("verdict", verdict, KINDS)
    found: dict[str, dict[str, Any]] = {}
    if at is not None:
        found["regime"] = _regime(rmap, at)
        found["nearest border"] = _or_why_not(lambda: _nearest(rmap, at))
        found["smallest change"] = _or_why_not(lambda: _change(rmap, at, verdict))
    if to is not None:
        if at is None:
            raise MisuseError("The way to a point begins somewhere: give --at as well as --to.")
        found["path"] = _path(rmap, at, to)
    if best:
        found["best rate"] = _or_why_not(lambda: _best(rmap))
    if circle:
        found["largest circle"] = _or_why_not(lambda: _circle(rmap, verdict))
    return found


def _or_why_not(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return ask()
    except MisuseError as error:
        # A map without such a regime or border has an answer too.
        return {"text": str(error)}


def _named(rmap: Any, values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} = {plain(rmap, name, value):.6g}" for name, value in values.items())


def plain(rmap: Any, name: str, value: float) -> float:
    """Without the rounding of a zero, which no window shows."""
    window = rmap.window.ranges.get(name)
    tiny = window is not None and not window.log and abs(value) < _NOTHING * abs(window.high - window.low)
    return 0.0 if tiny else value


def _signed(rmap: Any, values: Mapping[str, float], at: Mapping[str, float]) -> str:
    """Changes in words, without those that are rounding."""
    kept = {
        name: value
        for name, value in values.items()
        if abs(value) > _ROUNDING * abs(at[name]) and plain(rmap, name, value) != 0.0
    }
    return ", ".join(f"{name} by {value:+.4g}" for name, value in kept.items()) or "by less than rounding"


def _border(label: str) -> str:
    """What a border is called within a sentence."""
    return {"frame": "the frame of the window", "global": "a global border"}.get(label, label)


def _regime(rmap: Any, at: Mapping[str, float]) -> dict[str, Any]:
    face = rmap.at(**at)
    detail = _detail(rmap, face, at)
    rate = "" if face.radius != face.radius else f", slowest multiplier {face.radius:.6g}"
    if rate and rmap.system.kind == "flow":
        rate = f", slowest eigenvalue {face.radius:.6g}"
    kind = f" ({detail})" if detail else ""
    text = f"At {_named(rmap, at)}, training {face.verdict}{kind}{rate}: regime {face.number}."
    return {"text": text, "number": face.number, "verdict": face.verdict, "detail": detail, "radius": face.radius}


def _detail(rmap: Any, face: Any, at: Mapping[str, float]) -> str:
    """How training does it at this very point: a regime that oscillates may hold circles, cycles and chaos.

    A run there says so; "" where it comes to no decision, or to another verdict, as beside a border.
    """
    if not face.attractors or face.attractors[0].how != "simulation":
        return str(face.detail)
    run = rmap.sampler.cells(rmap.window.point(at)[None])[0].run
    if run is None or run.verdict != face.verdict or run.confidence < DECIDED:
        return ""
    return str(run.detail)


def _nearest(rmap: Any, at: Mapping[str, float]) -> dict[str, Any]:
    near = rmap.nearest_border(**at)
    kind = f"{near.label}{f', {near.criticality}' if near.criticality else ''}"
    text = (
        f"The nearest border ({kind}) is at {_named(rmap, near.parameters)}, "
        f"{100 * near.distance:.3g} % of the window away: {_signed(rmap, near.change, near.parameters)}"
        f"{'' if near.exact else ' (as exact as the map)'}."
    )
    for s in near.special:
        if s["label"] in CHANGES:
            text += f" It changes its criticality at {s['label']}, {_named(rmap, s['parameters'])}."
    return {"text": text, **asdict(near)}


def _change(rmap: Any, at: Mapping[str, float], verdict: str) -> dict[str, Any]:
    change = rmap.smallest_change(verdict, dict(at))
    if change.distance == 0:
        text = f"At {_named(rmap, at)}, training {verdict} already."
    else:
        crossed = f"across {_border(change.label)} at {_named(rmap, change.parameters)}"
        moved = _signed(rmap, change.change, change.parameters)
        text = f"The smallest change after which training {verdict}: {moved}, {crossed}."
    return {"text": text, **asdict(change)}


def _path(rmap: Any, at: Mapping[str, float], to: Mapping[str, float]) -> dict[str, Any]:
    steps = rmap.along([at, to])
    first = rmap.at(**at)
    text = [f"From {_named(rmap, at)} to {_named(rmap, to)}: training {first.verdict} ({first.detail}) at first"]
    for step in steps:
        after = rmap.faces[step.after]
        kind = f"{step.label}{f', {step.criticality}' if step.criticality else ''}"
        jumps = any(not t.returns for t in step.transitions)
        back = ", and does not come back the same way" if jumps else ""
        text.append(f"beyond {_named(rmap, step.parameters)} ({kind}) it {after.verdict} ({after.detail}){back}")
    if not steps:
        text.append("and all the way")
    return {"text": "; ".join(text) + ".", "steps": [asdict(s) for s in steps]}


def _best(rmap: Any) -> dict[str, Any]:
    best = rmap.best_rate()
    unit = "iterations" if rmap.system.kind == "map" else "units of time"
    text = (
        f"Training converges fastest at {_named(rmap, best.parameters)}: {best.iterations:.4g} {unit} to 1/e by the "
        "slowest of all modes."
    )
    return {"text": text, **asdict(best)}


def _circle(rmap: Any, verdict: str) -> dict[str, Any]:
    circle = rmap.largest_safe_circle(verdict)
    spans = ", ".join(
        f"{name} from {plain(rmap, name, low):.4g} to {plain(rmap, name, high):.4g}"
        for name, (low, high) in circle.extent.items()
    )
    shape, size = ("circle", "radius") if rmap.window.dimension > 1 else ("interval", "half width")
    text = (
        f"The largest {shape} in which training {verdict} has its centre at {_named(rmap, circle.centre)} and the "
        f"{size} {100 * circle.radius:.3g} % of the window ({spans}); what limits it: "
        f"{', '.join(map(_border, circle.touches))}."
    )
    return {"text": text, **asdict(circle)}
