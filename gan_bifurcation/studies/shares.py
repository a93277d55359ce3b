"""Claims about parts of the initial conditions: they were drawn by chance, so their sampling error decides."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.studies.schema import ClaimSpec, Study
from gan_bifurcation.studies.systems import evaluate, with_definitions


def of_shares(claim: ClaimSpec, study: Study, picture: Any) -> tuple[str, str, bool]:
    """What is expected, the share of the initial conditions that end on the claim's attractors, and whether it agrees.

    Parameters
    ----------
    claim : ClaimSpec
    study : Study
    picture : BasinPicture
    """
    found = picture.found
    if claim.near is not None:
        number = _nearest(found, claim.near)
        fits: Callable[[Any], bool] = lambda a: bool(a.id == number)  # noqa: E731
    elif claim.attractor is not None:
        number = found[claim.attractor].id
        fits = lambda a: bool(a.id == number)  # noqa: E731
    else:
        fits = lambda a: claim.verdict in (a.verdict, str(a))  # noqa: E731
    places = [k for k, a in enumerate(found.attractors) if fits(a)]
    count = int(np.isin(found.member, places).sum())
    return _compared(claim, study, found.system.parameters, count, len(found.member))


def of_regime(claim: ClaimSpec, study: Study, rmap: Any) -> tuple[str, str, bool]:
    """The same of a regime at a point of a map."""
    samples = int(rmap.sampler.samples)
    if not samples:
        raise MisuseError(
            f"The map '{claim.map}' was made without initial conditions, so nothing has a share; give it 'attractors'."
        )
    at = claim.at or {}
    regime = rmap.at(**at)
    shares = [a.share for a in regime.attractors if claim.verdict in (a.verdict, str(a))]
    # They are those of the regime's representative point.
    values = {**rmap.system.parameters, **regime.point}
    return _compared(claim, study, values, round(sum(shares) * samples), samples)


def _compared(
    claim: ClaimSpec, study: Study, values: Mapping[str, float], count: int, samples: int
) -> tuple[str, str, bool]:
    from gan_bifurcation.regimes.attractor_set import wilson

    expected = evaluate(claim.expected or 0.0, with_definitions(dict(values), study))
    low, high = wilson(count, samples)
    shown = f"{count / samples:.4g} ({low:.4g} to {high:.4g}, {samples} initial conditions)"
    return f"{expected:.6g}", shown, bool(low <= expected <= high)


def _nearest(found: Any, near: Mapping[str, float]) -> int:
    for name in near:
        if name not in found.system.states:
            raise unknown_name("state", name, found.system.states)
    columns = [found.system.states.index(name) for name in near]
    reached = {
        a.id: math.dist([a.state[c] for c in columns], near.values())
        for a in found.attractors
        if len(a.state) == found.system.n and a.verdict in ("converges", "oscillates")
    }
    if not reached:
        raise MisuseError("None of the initial conditions ends on an attractor, so none is near; say 'verdict'.")
    return int(min(reached, key=lambda number: reached[number]))
