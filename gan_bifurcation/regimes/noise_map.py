"""A window of parameters under the noise of minibatches: linear theory, held against simulation."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.errors import MisuseError, ResultsError
from gan_bifurcation.records import read_files, system_from_record, system_record, write_atomically, write_files
from gan_bifurcation.regimes.noise import as_point, chosen_states
from gan_bifurcation.regimes.noise_border import NoisyBorder, noisy_border
from gan_bifurcation.regimes.noise_draws import Draws, whole_batch
from gan_bifurcation.regimes.noise_places import Place, Report, Seen, spreads_at
from gan_bifurcation.regimes.noise_runs import whole
from gan_bifurcation.tables import Table

__all__ = ["NoiseMap", "noise_map"]

FloatArray = NDArray[np.float64]
# Parts of the window that are looked at by simulation, and how many sampling errors count as chance.
_MOST_PARTS: Final = 12
_CHANCE: Final = 3.0
# Runs are watched for their first exit from so many radii.
_BEYOND: Final = 3.0
_TABLES: Final = ("parts", "spreads", "check")


@dataclass(frozen=True, eq=False)
class NoiseMap:
    """Where training on minibatches converges to within a radius, with what simulation says of it.

    Made by :func:`gan_bifurcation.noise_map`.

    Attributes
    ----------
    border : NoisyBorder
        The theory: both borders, and the parts of the window.
    at : mapping of str to float
        The place at which several sizes of minibatches are compared.
    crossings : mapping of str to list of float
        Where the borders lie with one parameter as in `at`: ``noisy_eta_d`` and ``exact_eta_d`` for each parameter.
    parts : Table
        A row for each of the largest parts of the window: ``kind``, ``share`` of the area, a place in it, ``predicted``
        and ``measured`` spread with its ``measured_error``, ``exits`` (the share of runs that went beyond three radii),
        and whether that is ``confirmed``: "yes", "no" or "not measured" (of a flow, or too close to the border).
    spreads : Table
        At `at`, a row for each size of minibatches: ``batch``, ``predicted``, ``measured``, ``measured_error``,
        ``relative_error`` and ``sampling_error``. Of a flow, theory alone.
    check : Table
        On the border, as of :meth:`NoisyBorder.check`; empty where there is none.
    runs, steps, seed : int
        Of each simulation; `steps` None for sixty time constants of the slowest mode.
    """

    border: NoisyBorder
    at: Mapping[str, float]
    crossings: Mapping[str, list[float]]
    parts: Table
    spreads: Table
    check: Table
    runs: int
    steps: int | None
    seed: int

    @cached_property
    def numbers(self) -> dict[str, float]:
        """What a claim may refer to: parameters at `at`, parts of the area, where the borders lie, how theory fares."""
        own = self.spreads.columns
        index = own["batch"].tolist().index(float(self.border.batch))
        found = dict(self.border.to_table().numbers)
        found |= {name: values[0] for name, values in self.crossings.items() if values}
        found |= {**self.border.system.parameters, **self.at}
        found |= {
            "batch": float(self.border.batch), "radius": self.border.radius,
            "predicted": float(own["predicted"][index]),
        }  # fmt: skip
        if "measured" in own:
            found |= {name: float(own[name][index]) for name in ("measured", "measured_error")}
            found |= dict(self.spreads.numbers)
        if self.check.columns:
            off = np.abs(self.check.columns["ratio"] - 1.0)
            found |= {"check_worst": float(off.max()), "check_error": float(self.check.columns["sampling_error"].max())}
        said = self.parts.columns["confirmed"].tolist()
        found |= {"parts": float(len(said)), "confirmed": float(said.count("yes")), "refuted": float(said.count("no"))}
        return {name: value for name, value in found.items() if math.isfinite(value)}

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was found, in words."""
        border, names = self.border, self.border.names
        shares = {kind: f"{100 * share:.3g} %" for kind, share in border.shares.items()}
        over = f"{names[0]} and {names[1]}"
        of = f" in {', '.join(border.states)}" if border.states else ""
        found = [
            f"On minibatches of {border.batch} rows training stays within {border.radius:g} of the fixed point{of} in "
            f"{shares['within']} of the window of {over}; in {shares['beyond']} the fixed point attracts, but noise "
            f"drives training further away; in {shares['unstable']} it does not attract."
        ]
        numbers = self.numbers
        for held, moved in (names, names[::-1]):
            ends = [numbers.get(f"{kind}_{moved}") for kind in ("noisy", "exact")]
            if None not in ends:
                found.append(
                    f"With {held} = {self.at[held]:.6g} the border lies at {moved} = {ends[0]:.6g} under noise, and at "
                    f"{ends[1]:.6g} without."
                )
        if "smallest_distance" in numbers:
            # Where noise does not reach the mode that is lost, the two borders are one but for rounding.
            low, high = (round(numbers[f"{which}_distance"], 12) for which in ("smallest", "largest"))
            found.append(
                f"Along the border under noise the one without noise is {low:.4g} to {high:.4g} away, in units of the "
                "window."
            )
        place = ", ".join(f"{name} = {value:.6g}" for name, value in self.at.items())
        spread = f"At {place} the spread is {numbers['predicted']:.4g} by linear theory"
        if "measured" in numbers:
            spread += (
                f" and {numbers['measured']:.4g} +- {numbers['measured_error']:.2g} in {self.runs} simulated runs "
                f"(seed {self.seed})"
            )
        found.append(f"{spread}.")
        if self.check.columns:
            low, high = self.check.columns["ratio"].min(), self.check.columns["ratio"].max()
            found.append(
                f"At {len(self.check.rows)} places on the border under noise the simulated spread is {low:.4g} to "
                f"{high:.4g} times the radius, with standard errors of at most {numbers['check_error']:.2g}."
            )
        if numbers.get("refuted"):
            found.append(
                f"Simulation contradicts linear theory in {numbers['refuted']:g} of {numbers['parts']:g} parts: noise "
                "that grows with the distance from the fixed point, or nonlinear terms, count there."
            )
        return tuple(found)

    def save(self, folder: str | Path) -> Path:
        """Write ``noise.npz`` and ``noise.json``, and the tables as CSV files, into a folder.

        Raises
        ------
        ResultsError
            If it cannot be written.
        """
        border, where = self.border, Path(folder)
        text, arrays = system_record(border.system)
        lines = {"lines": border.lines, "exact": border.exact, "fixed_points": border.fixed_points}
        arrays = {**arrays, "spreads": border.spreads}
        for name, parts in lines.items():
            arrays |= {f"{name}_{k}": part for k, part in enumerate(parts)}
        record = {
            "system": text, "window": border.window.record(), "batch": border.batch, "radius": border.radius,
            "states": list(border.states), "draws": border.draws, "counts": {k: len(v) for k, v in lines.items()},
            "faces": [[kind, shapely.to_wkb(polygon, hex=True)] for kind, polygon in border.faces],
            "at": dict(self.at), "crossings": dict(self.crossings), "runs": self.runs, "steps": self.steps,
            "seed": self.seed,
        }  # fmt: skip
        for name in _TABLES:
            table: Table = getattr(self, name)
            columns = {k: v.tolist() for k, v in table.columns.items()}
            record[name] = {"columns": columns, "numbers": dict(table.numbers)}
        for name, table in (("border", border.to_table()), *((name, getattr(self, name)) for name in _TABLES)):
            if table.columns:
                write_atomically(where / f"{name}.csv", table.to_csv().encode())
        write_files(where / "noise", json.dumps(record), arrays)
        return where

    @staticmethod
    def load(folder: str | Path) -> "NoiseMap":
        """Read what :meth:`save` wrote; nothing in the files is run.

        Raises
        ------
        ResultsError
            If a file is missing or damaged.
        """
        record, arrays = read_files(Path(folder) / "noise")
        try:
            lines = {
                name: tuple(np.asarray(arrays[f"{name}_{k}"], float) for k in range(int(count)))
                for name, count in record["counts"].items()
            }
            faces = tuple((str(kind), shapely.from_wkb(str(polygon))) for kind, polygon in record["faces"])
            border = NoisyBorder(
                system_from_record(record["system"], arrays), Window.from_record(record["window"]),
                int(record["batch"]), float(record["radius"]), tuple(map(str, record["states"])), lines["lines"],
                lines["exact"], np.asarray(arrays["spreads"], float), lines["fixed_points"], faces, record["draws"],
            )  # fmt: skip
            steps = record["steps"]
            parts, spreads, check = (Table(**record[name]) for name in _TABLES)
            return NoiseMap(
                border, {str(k): float(v) for k, v in record["at"].items()},
                {str(k): [float(v) for v in values] for k, values in record["crossings"].items()},
                parts, spreads, check, int(record["runs"]), None if steps is None else int(steps), int(record["seed"]),
            )  # fmt: skip
        except ResultsError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, MisuseError, shapely.errors.ShapelyError) as error:
            raise ResultsError(f"The noise map in '{folder}' is damaged; make it again.") from error


def noise_map(
    system: Any,
    window: Mapping[str, Any],
    *,
    batch: int,
    radius: float,
    states: Sequence[str] = (),
    draws: Draws = "terms",
    step: float = 1.0,
    cells: int = 24,
    tolerance: float = 1e-4,
    at: Mapping[str, float] | None = None,
    batches: Sequence[int] = (),
    points: int = 3,
    runs: int = 16,
    steps: int | None = None,
    seed: int = 0,
    executor: Executor | None = None,
    workers: int | None = None,
    work: str | Path | None = None,
    progress: Report | None = None,
) -> NoiseMap:
    """Where training on minibatches converges to within a radius: by linear theory, with simulation beside it.

    Parameters
    ----------
    system, window, batch, radius, states, draws, step, cells, tolerance
        As of :func:`noisy_border`.
    at : mapping of str to float, optional
        Where sizes of minibatches are compared; by default inside the largest part of the window that stays within.
    batches : sequence of int, optional
        These sizes; by default a quarter of `batch`, `batch`, and four times `batch`.
    points : int
        Places on the border at which runs are made.
    runs : int
        At each place.
    steps : int, optional
        Of each run; by default sixty time constants of the slowest mode.
    seed : int
        Each place has random numbers of its own, each run at it too: the same for any number of workers.
    executor : concurrent.futures.Executor, optional
        Where places are simulated.
    workers : int, optional
        Threads for the runs at one place, without an executor; by default one for each processor.
    work : path, optional
        A folder in which finished places are kept, so that a killed run goes on from there.
    progress : callable, optional
        Called with what is done, the total and a text.

    Returns
    -------
    NoiseMap

    Raises
    ------
    MisuseError
        If the game has no sampled form, a number does not fit, or the fixed point does not attract where it should.

    Examples
    --------
    >>> from gan_bifurcation.models import dirac_gan
    >>> from gan_bifurcation.ranges import log_range
    >>> from gan_bifurcation.rules import Simultaneous, system
    >>> from gan_bifurcation.derived import tie
    >>> train = tie(system(dirac_gan(gamma=1.0, sigma=0.5), Simultaneous()), eta_g="eta_d")
    >>> window = {"gamma": (0.5, 2), "eta_d": log_range(0.01, 4)}
    >>> found = noise_map(train, window, batch=16, radius=0.03, cells=6, points=1, runs=4)
    >>> found.parts.columns["confirmed"].tolist()
    ['yes', 'yes', 'yes']
    """
    runs, seed = whole(runs, "runs", 2, 100_000), whole(seed, "seed", 0)
    steps = None if steps is None else whole(steps, "steps", 2, 1_000_000_000)
    points = whole(points, "points", 0, 1000)
    size = whole_batch(batch)
    sizes = sorted({size, *(whole_batch(b) for b in batches or (max(1, size // 4), 4 * size))})
    start = as_point(system)
    free = Window.of(start.system, window)
    wanted = None if at is None else free.point(at)
    border = noisy_border(
        start, dict(free.ranges), batch=size, radius=radius, states=states, draws=draws, step=step, cells=cells,
        tolerance=tolerance,
    )  # fmt: skip
    where = free.values(_inside(border) if wanted is None else wanted)
    if not math.isfinite(border.predicted(where, size)):
        shown = ", ".join(f"{name} = {value:.6g}" for name, value in where.items())
        raise MisuseError(f"At {shown} there is no fixed point that attracts; choose another place for 'at'.")
    chosen = chosen_states(border.system, border.states)

    def place(values: Mapping[str, float], x: FloatArray, rows: int) -> Place:
        here = border.system.with_parameters(**values)
        return Place(here, x, rows, chosen, _BEYOND * border.radius, draws, runs, steps, seed, 0)

    faces = sorted(border.faces, key=lambda face: -float(face[1].area))[:_MOST_PARTS]
    spots = [free.values(shapely.get_coordinates(polygon.representative_point())[0]) for _, polygon in faces]
    fixed = border.fixed_point(where)
    asked = [
        [place(spot, border.fixed_point(spot), size) for spot in spots],
        [place(where, fixed, rows) for rows in sizes],
        border.places(points, runs=runs, steps=steps, seed=seed, beyond=_BEYOND) if points and border.lines else [],
    ]
    predicted = [border.predicted(where, rows) for rows in sizes]
    seen: list[list[Seen]] = [[] for _ in asked]
    if border.system.kind == "map":
        places = [one for several in asked for one in several]
        found = iter(
            spreads_at(
                [one._replace(number=k) for k, one in enumerate(places)], executor, workers,
                None if work is None else Path(work), progress or (lambda done, total, text: True),
            )
        )  # fmt: skip
        seen = [[next(found) for _ in several] for several in asked]
    return NoiseMap(
        border, where, _crossings(border, where), _parts(border, faces, spots, seen[0]),
        _spreads(sizes, predicted, seen[1]), border.checked(asked[2], seen[2]) if seen[2] else Table(),
        runs, steps, seed,
    )  # fmt: skip


def _inside(border: NoisyBorder) -> FloatArray:
    """A place in the largest part of the window in which training stays within, or else in which it is attracted."""
    for kind in ("within", "beyond"):
        parts = [polygon for name, polygon in border.faces if name == kind]
        if parts:
            largest = max(parts, key=lambda polygon: float(polygon.area))
            return np.asarray(shapely.get_coordinates(largest.representative_point())[0])
    raise MisuseError("The fixed point attracts nowhere in the window; choose another window.")


def _crossings(border: NoisyBorder, at: Mapping[str, float]) -> dict[str, list[float]]:
    found = {}
    for held, moved in (border.names, border.names[::-1]):
        for kind, values in border.crossings(**{held: at[held]}).items():
            found[f"{kind}_{moved}"] = values
    return found


def _parts(
    border: NoisyBorder, faces: Sequence[Any], spots: Sequence[Mapping[str, float]], seen: Sequence[Seen]
) -> Table:
    columns: dict[str, list[Any]] = {"kind": [kind for kind, _ in faces]}
    columns["share"] = [float(polygon.area) for _, polygon in faces]
    columns |= {name: [spot[name] for spot in spots] for name in border.names}
    columns["predicted"] = [border.predicted(spot, border.batch) for spot in spots]
    columns["measured"] = [s.measured for s in seen] or [math.nan] * len(faces)
    columns["measured_error"] = [s.error for s in seen] or [math.nan] * len(faces)
    columns["exits"] = [s.exits for s in seen] or [math.nan] * len(faces)
    said = [_confirmed(kind, border.radius, s) for (kind, _), s in zip(faces, seen, strict=bool(seen))]
    columns["confirmed"] = said or ["not measured"] * len(faces)
    return Table({name: np.array(values) for name, values in columns.items()})


def _confirmed(kind: str, radius: float, seen: Seen) -> str:
    """Whether runs do what theory says of a part of the window, but for chance."""
    if kind == "unstable":
        return "yes" if seen.exits == 1.0 else "no"
    if math.isnan(seen.measured):
        # All runs that were lost were lost to noise.
        return "yes" if kind == "beyond" and seen.left > 0.5 else "not measured"
    away = (seen.measured - radius) * (1.0 if kind == "beyond" else -1.0)
    return "yes" if away > -_CHANCE * seen.error else "no"


def _spreads(sizes: Sequence[int], predicted: Sequence[float], seen: Sequence[Seen]) -> Table:
    columns: dict[str, Iterable[float]] = {"batch": sizes, "predicted": predicted}
    numbers: dict[str, float] = {}
    if seen:
        measured, error, theory = (
            np.array(values) for values in ([s.measured for s in seen], [s.error for s in seen], predicted)
        )  # fmt: skip
        columns |= {"measured": measured, "measured_error": error}
        with np.errstate(divide="ignore", invalid="ignore"):
            columns |= {"relative_error": measured / theory - 1.0, "sampling_error": error / theory}
        numbers = {"worst": float(np.max(np.abs(measured / theory - 1.0))) if np.all(theory > 0) else math.nan}
        if len(sizes) > 1 and np.all(measured > 0):
            numbers["slope"] = float(np.polyfit(np.log(sizes), np.log(measured), 1)[0])
    return Table({name: np.array(list(values), dtype=float) for name, values in columns.items()}, numbers)
