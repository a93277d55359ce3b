"""Claims of papers held against what was computed."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.collocation import extremes_of
from gan_bifurcation.errors import GanBifurcationError, MisuseError, ResultsError, StudyFileError
from gan_bifurcation.figures.polylines import extremes, size_of
from gan_bifurcation.rotation import angles, of_angles
from gan_bifurcation.studies.computing import special_point
from gan_bifurcation.studies.results import Claim
from gan_bifurcation.studies.schema import ClaimSpec, Study
from gan_bifurcation.studies.shares import of_regime, of_shares
from gan_bifurcation.studies.systems import evaluate, with_definitions
from gan_bifurcation.system import System

# Places along a curve at which a formula is tried: all points of short curves.
_MOST_PLACES = 200


def check_claims(study: Study, systems: Mapping[str, System], get: Callable[[str], Any]) -> list[Claim]:
    """Each claim of a study with the number that was computed.

    Parameters
    ----------
    study : Study
    systems : mapping
    get : callable
        Gives a part by its name.
    """
    made = []
    for number, claim in enumerate(study.claim):
        try:
            expected, computed, agrees = _check(claim, study, get)
        except ResultsError:
            raise
        except GanBifurcationError as error:
            raise StudyFileError(f"In claim[{number + 1}]: {error}") from error
        words = claim.criticality is not None or claim.verdict is not None
        chance = claim.basins is not None or (claim.map is not None and claim.expected is not None)
        tolerance = "95 % interval" if chance else "" if words else f"{claim.tolerance:.0e}"
        made.append(Claim(claim.text, claim.paper, expected, computed, agrees, tolerance))
    return made


def _check(claim: ClaimSpec, study: Study, get: Callable[[str], Any]) -> tuple[str, str, bool]:
    if claim.point is not None:
        found = special_point(get(claim.point.partition(":")[0]), claim.point)
        if claim.criticality is not None:
            return claim.criticality, found.criticality or "none", found.criticality == claim.criticality
        return _numbers(claim, study, values_at(found), get)
    if claim.curve is not None:
        return _curve(claim, study, _curve_of(get(claim.curve.partition(":")[0]), claim.curve))
    if claim.basins is not None:
        return of_shares(claim, study, get(claim.basins))
    if claim.map is not None and claim.expected is not None:
        return of_regime(claim, study, get(claim.map))
    if claim.map is not None:
        regime = get(claim.map).at(**(claim.at or {}))
        words = f"{regime.verdict} ({regime.detail})" if regime.detail else str(regime.verdict)
        wanted = claim.verdict or ""
        return wanted, words, wanted in (regime.verdict, words)
    if claim.orbit is not None:
        orbit = get(claim.orbit)
        if claim.verdict is not None:
            words = f"{orbit['verdict']} ({orbit['detail']})" if orbit["detail"] else str(orbit["verdict"])
            return claim.verdict, words, claim.verdict in (orbit["verdict"], words)
        return _numbers(claim, study, values_of_orbit(orbit), get)
    return _numbers(claim, study, dict(get(claim.noise or claim.table or "").numbers), get)


def _numbers(claim: ClaimSpec, study: Study, own: dict[str, float], get: Callable[[str], Any]) -> tuple[str, str, bool]:
    """A value against what is expected, which may speak of another point."""
    values = with_definitions(own, study)
    if claim.against is None:
        other = values
    else:
        found = special_point(get(claim.against.partition(":")[0]), claim.against)
        other = with_definitions(values_at(found), study)
    return _compare(evaluate(claim.value or 0.0, values), evaluate(_given(claim.expected), other), claim.tolerance)


def _given(expected: str | float | None) -> str | float:
    return 0.0 if expected is None else expected


def _compare(computed: float, expected: float, tolerance: float) -> tuple[str, str, bool]:
    difference = abs(computed - expected)
    # Relative for large numbers.
    agrees = difference <= tolerance * max(1.0, abs(expected))
    shown = f"{computed:.10g}" if difference == 0 else f"{computed:.10g} (difference {difference:.1e})"
    return f"{expected:.10g}", shown, bool(agrees)


def _curve_of(part: Any, reference: str) -> Branch:
    """A curve by its name, or "name:label" for one of a set."""
    label = reference.partition(":")[2]
    found = part[label] if label else part
    if not isinstance(found, Branch):
        raise MisuseError(f"'{reference}' is no curve; name a curve, or one of a set, such as \"my-set:NS1\".")
    return found


def _curve(claim: ClaimSpec, study: Study, curve: Branch) -> tuple[str, str, bool]:
    if claim.criticality is not None:
        words = criticality_along(curve)
        return claim.criticality, words, words == claim.criticality
    step = max(1, len(curve) // _MOST_PLACES)
    worst = 0.0
    for k in range(0, len(curve), step):
        values = with_definitions(values_at(curve.point(k)), study)
        worst = max(worst, abs(evaluate(claim.zero or 0.0, values)))
    places = len(range(0, len(curve), step))
    return f"{claim.zero} = 0", f"at most {worst:.1e} at {places} points of the curve", worst <= claim.tolerance


def criticality_along(curve: Branch) -> str:
    """Whether a curve is supercritical, subcritical, or where that changes."""
    coefficient = curve.measures.get("coefficient")
    if coefficient is None or curve.curve not in ("H", "NS", "PD"):
        return "not defined"
    signs = -coefficient if curve.curve == "PD" else coefficient
    known = signs[np.isfinite(signs)]
    if not len(known):
        return "not defined"
    if np.all(known == 0):
        return "degenerate: the coefficient vanishes"
    if np.all(known < 0):
        return "supercritical"
    if np.all(known > 0):
        return "subcritical"
    return "changes"


def values_at(point: Point) -> dict[str, float]:
    """Names that a claim may use at a point: parameters, states, numbers of the normal form, the critical value's.

    `radius` is the largest modulus of the multipliers (maps), or the largest real part of the eigenvalues (flows). Of
    cycles and circles also `period` or `rotation_number`, `min_<state>` and `max_<state>`, and `radius` is the largest
    modulus of the multipliers without the trivial one.
    """
    values = {"radius": size_of(point)} if len(point.spectrum) else {}
    if point.profile is not None:
        values |= {k: v for k, v in _of_profile(point).items() if np.isfinite(v)}
    z = complex(point.critical)
    if not np.isnan(z):
        values |= {"modulus": abs(z), "angle": abs(float(np.angle(z))), "frequency": abs(z.imag)}
    for key, value in point.normal_form.items():
        if isinstance(value, complex):
            values |= {f"{key}_re": value.real, f"{key}_im": value.imag}
        elif isinstance(value, int | float):
            values[key] = float(value)
    if point.system.game is not None and point.system.game.name == "kernel_gan":
        values["curvature"] = _curvature(point.system)
    return values | point.state | point.parameters


def _of_profile(point: Point) -> dict[str, float]:
    profile = point.profile
    assert profile is not None
    values = {"period": profile.period, "rotation_number": profile.rotation_number}
    exact = point.kind == "cycle" and len(point.system.parameters) > 0
    low, high = extremes_of(point.system, profile) if exact else ((), ())
    for k, name in enumerate(point.system.states):
        values[f"min_{name}"], values[f"max_{name}"] = (
            (float(low[k]), float(high[k])) if exact else extremes(profile, k)
        )
    return values


def values_of_orbit(orbit: Mapping[str, Any]) -> dict[str, float]:
    """Names that a claim may use of a run: its parameters, final states, and of each state start, least and largest.

    `min_<state>` and `max_<state>` are those of its second half. If that winds, it has the `rotation_number` of a map
    of which every step is kept, or the `period` of a flow whose samples are closer than half a period.
    """
    values = {str(k): float(v) for k, v in orbit["parameters"].items()}
    for k, name in enumerate(orbit["states_names"]):
        along = orbit["states"][:, k]
        values |= {f"{name}_start": along[0], f"{name}_least": np.min(along), f"{name}_largest": np.max(along)}
        late = along[len(along) // 2 :]
        values |= {f"min_{name}": np.min(late), f"max_{name}": np.max(late)}
    values["length"] = float(orbit["times"][-1])
    values |= _winding(orbit)
    values |= orbit["final"]
    return {k: float(v) for k, v in values.items()}


def _winding(orbit: Mapping[str, Any]) -> dict[str, float]:
    times = orbit["times"]
    step = float(times[-1] - times[0]) / max(len(times) - 1, 1)
    if np.ptp(np.diff(times)) > 1e-9 * step or (orbit["kind"] == "map" and step != 1.0):
        return {}
    # An orbit that does not wind has none.
    with suppress(MisuseError):
        turns = of_angles(angles(orbit["states"][len(times) // 2 :])).value
        if turns > 0.0:
            return {"rotation_number": turns} if orbit["kind"] == "map" else {"period": step / turns}
    return {}


_CURVATURES: dict[int, tuple[Any, float]] = {}


def _curvature(system: System) -> float:
    """K2 sigma^2 of a kernel GAN of one width: 1 for the exact Gaussian; of every sigma on a circle that scales."""
    from gan_bifurcation.models.kernel_theory import kernel_curvature

    game = system.game
    assert game is not None
    if "sigma" not in game.parameters:
        return float("nan")
    if id(game) not in _CURVATURES:
        # The game is kept with its number: another one could get its id later.
        _CURVATURES[id(game)] = (game, kernel_curvature(game) * game.parameters["sigma"] ** 2)
    return _CURVATURES[id(game)][1]
