"""The regime map: where training converges, oscillates, stalls or diverges over one or two parameters."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from gan_bifurcation.continuation.events import Event
from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.facts import Ending
from gan_bifurcation.observables import observable_tape
from gan_bifurcation.regimes.borders import collect
from gan_bifurcation.regimes.draws import MOST_SAMPLES, box_of
from gan_bifurcation.regimes.intervals import interval_map
from gan_bifurcation.regimes.plane import CHORDS, plane_map
from gan_bifurcation.regimes.regime import RegimeMap
from gan_bifurcation.regimes.sampling import Evaluator, make_sampler
from gan_bifurcation.regimes.sets_of_faces import with_attractors
from gan_bifurcation.regimes.traced import cut_short, traced_lines
from gan_bifurcation.regimes.window_check import check_window
from gan_bifurcation.regimes.work_units import WorkUnits
from gan_bifurcation.system import System

Progress = Callable[[int, int, str], Any]

_logger = logging.getLogger(__name__)

# With curves of oscillations, what these divide must be looked for from so many initial conditions.
_SAMPLES: Final = 64


def regime_map(
    system: System,
    free: Mapping[str, Any],
    *,
    start: Any = None,
    initial: Any = None,
    steps: int = 2000,
    domain: Sequence[tuple[str, str]] | None = None,
    endings: Sequence[tuple[str, str]] = (),
    tolerance: float = 1e-4,
    seed: int = 0,
    executor: Executor | None = None,
    events: Sequence[Event] = (),
    box: Mapping[str, Any] | None = None,
    attractors: int | None = None,
    curves: Any = (),
    depth: int = 0,
    progress: Progress | None = None,
    work: str | os.PathLike[str] | None = None,
) -> RegimeMap:
    """Divide a window of one or two parameters into regimes, by exact curves where these explain the border.

    Parameters
    ----------
    system : System
    free : mapping of parameter to (low, high) or ``gb.log_range(low, high)``
        One parameter (regimes are intervals) or two (regimes are faces of the plane).
    start : Point or state, or a sequence of them, optional
        Equilibria to begin with, besides the known one and those that a search finds.
    initial : state, optional
        Where runs start. The verdict is then that of the run wherever it does not end in an equilibrium that attracts;
        there need not be an equilibrium. Without it, runs start beside the equilibrium, where that does not attract.
    steps : int
        Iterations of a run; of a flow its duration.
    domain : sequence of (expression, reason), optional
        Inequalities ``expression >= 0``, besides the system's own, whose violation means divergence.
    endings : sequence of (expression, name)
        What a run may end in that is no success, besides the system's own: where the expression is positive at its end,
        the verdict is "stalls" with this name, such as ``("0.01 - abs(mu1 - mu2)", "mode collapse")``.
    tolerance : float
        In unit coordinates (the window is the unit square): of chords, and of borders that are found by runs.
    seed : int
        Of the search for equilibria and of displaced starts.
    executor : concurrent.futures.Executor, optional
        Where runs are made; the result does not depend on it.
    events : sequence of Event
        Conditions whose curves are wanted as well (they are kept in `curves`; only curves that change what an attractor
        does are borders).
    box : mapping of state to (low, high), optional
        Where to search for equilibria, and where initial conditions are drawn.
    attractors : int, optional
        How many initial conditions to draw in each regime: `Regime.attractors` are then all that they end in, with
        basin shares and with ids that are the same in neighbouring regimes where one becomes the other, and
        `RegimeMap.transitions` says what happens at the borders. 64 by default where curves of oscillations are given
        or followed, otherwise 0.
    curves : curve, Tongue, BifurcationSet or sequence of them
        Borders besides those that the map finds: curves of cycles or circles, edges of tongues.
    depth : int
        How many flips may follow one another: curves of what is born there are borders, too; from 1 on also curves of
        the cycles that are born at Hopf points, and of the circles at Neimark-Sacker points.
    progress : callable, optional
        Called with (done, total, text); if it returns False, what is left to do is left out and the outcome says so.
    work : path, optional
        A folder for finished pieces of the work: a run that was killed goes on from what it holds, with the same
        result. Maps of other requests do not find each other's pieces. What is in it can go when the map is saved.

    Returns
    -------
    RegimeMap

    Raises
    ------
    MisuseError
        If a name or number does not fit, the window lies outside the domain, or there is neither an equilibrium to
        begin with nor `initial`.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> game = gb.models.dirac_gan(gamma=0.5)
    >>> steps = gb.tie(gb.system(game, gb.Simultaneous()), eta_g="eta_d")
    >>> rmap = regime_map(steps, {"eta_d": (0.05, 6.0), "gamma": (0.05, 2.0)})
    >>> rmap.at(eta_d=0.5, gamma=0.5).verdict, rmap.at(eta_d=0.5, gamma=0.5).detail
    ('converges', 'spiralling')
    """
    if not isinstance(system, System):
        raise MisuseError(f"A regime map is made of a System, got {type(system).__name__}; make one with gb.system.")
    window = Window.of(system, free)
    if not 1e-12 <= tolerance <= 0.1:
        raise MisuseError(f"The tolerance is a part of the window between 1e-12 and 0.1, got {tolerance:g}.")
    if domain:
        system = replace(system, domain=(*system.domain, *((str(e), str(r)) for e, r in domain)))

    if endings:
        added = tuple(Ending(str(text), name) for text, name in endings)
        system = replace(system, endings=(*system.endings, *((e.expression, e.name) for e in added)))
    if system.endings:
        # A name that is not known is said here and not by a worker.
        observable_tape(system, [text for text, _ in system.endings])

    check_window(system, window)

    def report(done: int, total: int, text: str) -> bool:
        return progress is None or progress(done, total, text) is not False

    if not 0 <= int(depth) <= 4:
        raise MisuseError(f"The depth is a number of flips between 0 and 4, got {depth}.")
    if attractors is not None and not 0 <= int(attractors) <= MOST_SAMPLES:
        raise MisuseError(
            f"The number of initial conditions is between 0 and {MOST_SAMPLES}, got attractors={attractors}."
        )
    if window.dimension == 1 and (depth or not isinstance(curves, Sequence) or len(curves)):
        raise MisuseError("A map over one parameter takes no curves and no depth; leave them out.")
    lines = traced_lines(curves, window, CHORDS * tolerance) if window.dimension == 2 else []
    ranges = box_of(system, box)
    collected = collect(
        system,
        window,
        start=start,
        events=events,
        box=box,
        tolerance=CHORDS * tolerance,
        seed=seed,
        depth=int(depth),
        # Runs from a given state say what training does where there is no equilibrium at all.
        needed=initial is None,
        report=lambda text: report(0, 0, text),
    )
    notes = cut_short(curves) if lines else []
    if depth and window.dimension == 2:
        from gan_bifurcation.regimes.oscillation_curves import curves_of_oscillations

        more, said = curves_of_oscillations(collected, window, CHORDS * tolerance, lambda text: report(0, 0, text))
        lines, notes = lines + more, notes + said
    samples = (_SAMPLES if lines or depth else 0) if attractors is None else int(attractors)
    sampler = make_sampler(
        system, window, collected.branches, collected.families, initial, steps, seed, samples=samples, box=ranges
    )
    units = None if work is None else WorkUnits(Path(work), sampler)
    evaluator = Evaluator(sampler, executor, report, units)
    if any("Interrupted" in note for note in collected.notes):
        evaluator.stopped = True
    if window.dimension == 1:
        made = interval_map(sampler, collected, evaluator, tolerance)
    else:
        collected = replace(collected, notes=(*collected.notes, *notes))
        made = plane_map(sampler, collected, lines, evaluator, tolerance)
    return with_attractors(made, evaluator) if samples else made
