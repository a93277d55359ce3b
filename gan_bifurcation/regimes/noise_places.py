"""Spreads at places of a window, each simulated as a unit of work of its own."""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.errors import MisuseError, ResultsError
from gan_bifurcation.records import write_atomically
from gan_bifurcation.regimes.noise import BURN, CONSTANTS, stationary_spread
from gan_bifurcation.regimes.noise_draws import Draws
from gan_bifurcation.regimes.noise_runs import moments_about
from gan_bifurcation.regimes.work_units import fingerprint
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]
Report = Callable[[int, int, str], bool]

_FEWEST: Final = 500
# Close to the border of stability a spread takes longer than this to build up.
_MOST: Final = 1_000_000
# Runs from a point that does not attract are watched for so long.
_WATCHED: Final = 2_000


class Place(NamedTuple):
    """A fixed point about which runs are made.

    Attributes
    ----------
    system : System
        A map, at the place's parameters.
    x : array (n,)
    batch : int
    chosen : array (n,)
        Ones where a state counts in the distance.
    radius : float
        Runs are watched for their first exit from it.
    draws : str
    runs : int
    steps : int or None
        None for sixty time constants of the slowest mode.
    seed : int
    number : int
        Places of one request have random numbers of their own.
    """

    system: System
    x: FloatArray
    batch: int
    chosen: FloatArray
    radius: float
    draws: Draws
    runs: int
    steps: int | None
    seed: int
    number: int


class Seen(NamedTuple):
    """What was found at a place; not a number where it has none.

    Attributes
    ----------
    predicted, measured, error : float
        The root of the mean squared distance: by linear theory, in the runs, and its standard error over runs.
    exits : float
        The share of the runs that went beyond the radius.
    exit_step : float
        The median of their first steps there; not a number if fewer than half went.
    left : float
        The share of the runs that left the domain or all bounds.
    steps : int
        Of each run.
    """

    predicted: float
    measured: float
    error: float
    exits: float
    exit_step: float
    left: float
    steps: int


def here_point(system: System, x: FloatArray) -> Point:
    """A fixed point that is known already."""
    a = system.jacobian(x)[:, : system.n]
    return Point(system, x, np.linalg.eigvals(a).astype(complex))


def spread_at(place: Place, workers: int | None = None) -> Seen:
    """Theory and simulation at one place; without theory where the point does not attract."""
    try:
        theory = stationary_spread(here_point(place.system, place.x), place.batch, draws=place.draws)
    except MisuseError:
        predicted, burn, steps = math.nan, 0, place.steps or _WATCHED
    else:
        predicted = math.sqrt(float(place.chosen @ theory.variances))
        slow = 1.0 / theory.margin
        steps = max(_FEWEST, math.ceil(min(CONSTANTS * slow, _MOST))) if place.steps is None else place.steps
        burn = math.ceil(min(BURN * slow, _MOST))
    # A spread that has no time to build up is not measured.
    short = burn >= steps // 2
    seed = np.random.SeedSequence(place.seed, spawn_key=(place.number,)).generate_state(1, np.uint64)[0]
    seen = moments_about(
        place.system, place.x, steps, 0 if short else burn, place.batch, place.runs, int(seed >> np.uint64(2)),
        place.draws, place.chosen, place.radius, workers,
    )  # fmt: skip
    gone = np.where(seen.exits < 0, np.inf, seen.exits)
    median = float(np.median(gone))
    squares = np.einsum("rii->ri", seen.second[seen.finished]) @ place.chosen
    measured = error = math.nan
    if math.isfinite(predicted) and not short and len(squares) > 1:
        measured = math.sqrt(squares.mean())
        error = 0.5 * float(squares.std(ddof=1)) / math.sqrt(len(squares)) / measured if measured > 0 else 0.0
    return Seen(
        predicted, measured, error, float(np.mean(seen.exits >= 0)), median if math.isfinite(median) else math.nan,
        1.0 - float(np.mean(seen.finished)), steps,
    )  # fmt: skip


def spreads_at(
    places: Sequence[Place],
    executor: Executor | None = None,
    workers: int | None = None,
    work: Path | None = None,
    report: Report = lambda done, total, text: True,
) -> list[Seen]:
    """Each place's spread; what an earlier run kept in the folder `work` is taken from there.

    Random numbers belong to places and runs, so the results depend neither on the executor nor on what was kept.

    Raises
    ------
    ResultsError
        If the folder cannot be written.
    """
    kept = [None if work is None else _kept(work, place) for place in places]
    left = [place for place, seen in zip(places, kept, strict=True) if seen is None]
    made: Iterator[Seen] = (
        (spread_at(place, workers) for place in left)
        if executor is None
        else iter(executor.map(spread_at, left, [1] * len(left)))
    )
    found: list[Seen] = []
    for done, (place, before) in enumerate(zip(places, kept, strict=True)):
        report(done, len(places), "simulating minibatches")
        seen = next(made) if before is None else before
        if before is None and work is not None:
            write_atomically(_file(work, place), json.dumps(seen._asdict()).encode())
        found.append(seen)
    return found


def _file(work: Path, place: Place) -> Path:
    asked: list[Any] = [fingerprint(place.system), *place[2:3], *place[4:]]
    name = hashlib.sha256(json.dumps(asked).encode() + place.x.tobytes() + place.chosen.tobytes()).hexdigest()
    return work / f"spread-{name[:32]}.json"


def _kept(work: Path, place: Place) -> Seen | None:
    """What was found here before; None where that is not known, or its file is damaged."""
    try:
        text = _file(work, place).read_text(encoding="utf-8")
        record = json.loads(text)
        return Seen(**{name: kind(record[name]) for name, kind in Seen.__annotations__.items()})
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ResultsError(
            f"Cannot read the folder '{work}' ({error.strerror}); choose one that is readable."
        ) from error
    except (ValueError, KeyError, TypeError):
        return None
