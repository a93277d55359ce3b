"""Regime maps: ``python benchmarks/maps.py [--kernel] [--kills N]``; CPU times, and nothing here is a test.

* A brute-force check of a map with six states: 200 x 200 points, 2000 steps each.
* The error of a border against what it costs: a regime map, and a uniform grid of runs. What a map costs is given as
  the number of steps of the system that compiled code makes in the same CPU time, so that nothing is left out.
* With --kernel, every map of the study kernel-gan-maps against a dense grid.
* With --kills N, the study killed.toml, killed N times at random moments and taken up again, against one that is not.
"""

import argparse
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import shapely

import gan_bifurcation as gb
from gan_bifurcation.regimes.comparison import COMES, brute_force

STEPS = 2000


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def six_states() -> gb.System:
    """Three Dirac-GANs with R1 penalty, each discriminator pulled by the next one."""
    equations = {}
    for i in range(3):
        rest = f"h*t{i}/(1 + exp(-p{i}*t{i}))"
        equations[f"p{i}"] = f"p{i} + {rest} - h*g*p{i} + 0.05*h*p{(i + 1) % 3}"
        equations[f"t{i}"] = f"t{i} - h*p{i}/(1 + exp(-p{i}*t{i}))"
    return gb.System.from_equations("map", equations, parameters={"h": 0.1, "g": 0.5})


def check_of_six_states() -> None:
    window = {"h": gb.log_range(0.05, 3), "g": gb.log_range(0.2, 2)}
    rmap = gb.regime_map(six_states(), window, steps=STEPS, start=[[0.0] * 6], tolerance=1e-3)
    gb.compare(rmap, cells=20, steps=STEPS)
    began, clock = cpu(), time.perf_counter()
    found = gb.compare(rmap, cells=200, steps=STEPS, workers=2)
    print(f"six states, 200 x 200 points: {cpu() - began:.1f} s CPU, {time.perf_counter() - clock:.1f} s on 2 threads")
    print(f"  {found}")


def turning() -> gb.System:
    """Multipliers 1 - a +- b i: the border is the unit circle about (1, 0)."""
    return gb.System.from_equations(
        "map", {"x": "(1-a)*x - b*y", "y": "b*x + (1-a)*y"}, parameters={"a": 0.5, "b": 0.6}
    )


WINDOW = {"a": (0.0, 2.0), "b": (0.1, 2.1)}


def step_time() -> float:
    """CPU seconds of one step of the system in compiled code."""
    rmap = gb.regime_map(turning(), WINDOW, steps=200, tolerance=1e-2)
    units = np.full((4096, 2), [0.5, 0.45])
    brute_force(rmap.sampler, units[:512], 200.0, 1)
    began = cpu()
    brute_force(rmap.sampler, units, 20000.0, 1)
    # Next to the centre of the disc runs end soon: the steps that were made, not those allowed for.
    spent = cpu() - began
    began = cpu()
    brute_force(rmap.sampler, units, 40000.0, 1)
    return max((cpu() - began - spent) / (4096 * 20000 / 8), 1e-10)


def slope(costs: list[float], errors: list[float]) -> float:
    return float(np.polyfit(np.log(costs), np.log(errors), 1)[0])


def error_against_cost() -> None:
    one = step_time()
    print(f"one step of the system in compiled code: {1e9 * one:.1f} ns")
    rows: list[tuple[str, float, float]] = []
    sizes, chords = [], []
    for tolerance in (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6, 3e-7, 1e-7):
        began = cpu()
        rmap = gb.regime_map(turning(), WINDOW, steps=200, tolerance=tolerance)
        spent = cpu() - began
        line = np.vstack([b.unit for b in rmap.borders if b.label == "NS"])
        middles = rmap.window.from_unit(0.5 * (line[:-1] + line[1:]))
        error = float(np.max(np.abs(np.hypot(middles[:, 0] - 1.0, middles[:, 1]) - 1.0))) / 2.0
        rows.append((f"map, tolerance {tolerance:g}", spent / one, error))
        sizes.append(float(len(line)))
        chords.append(error)
    grid: list[tuple[float, float]] = []
    for cells in (16, 32, 64, 128, 256):
        side = (np.arange(cells) + 0.5) / cells
        units = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)
        found = brute_force(rmap.sampler, units, float(STEPS), 1).reshape(cells, cells)
        natural = rmap.window.from_unit(units).reshape(cells, cells, 2)
        inside = found == COMES
        away = np.abs(np.hypot(natural[..., 0] - 1.0, natural[..., 1]) - 1.0) / 2.0
        # Cells whose neighbour differs hold the border; it is known to be somewhere between them.
        edge = np.zeros_like(inside)
        edge[:-1] |= inside[:-1] != inside[1:]
        edge[:, :-1] |= inside[:, :-1] != inside[:, 1:]
        grid.append((float(cells * cells * STEPS), float(away[edge].max())))
        rows.append((f"grid {cells} x {cells}", *grid[-1]))
    for name, cost, error in rows:
        print(f"{name:24} {cost:12.3g} steps   error {error:.2g} of the window")
    power = slope([c for c, _ in grid], [e for _, e in grid])
    # Below some 1e-7, where a curve is joined to others by a vertex, nothing is gained.
    kept = [k for k, e in enumerate(chords) if e > 2e-7]
    fine = slope([sizes[k] for k in kept], [chords[k] for k in kept])
    print(f"exponents: grid {power:.2f} in steps; map {fine:.2f} in points of the curve")
    needed = grid[-1][0] * (1e-4 / grid[-1][1]) ** (1.0 / power)
    cost = next(c for n, c, e in rows if n.startswith("map") and e <= 1e-4)
    print(f"to 1e-4: grid {needed:.2g} steps, map at most {cost:.2g}: {needed / cost:.0f} times fewer")


def borders_by_runs() -> None:
    """A border that no curve explains, here a circle: runs that are asked for, and how far the line is from it."""
    from gan_bifurcation.regimes.contours import contours

    square = shapely.box(0, 0, 1, 1)
    asked = [0]

    def keys(units: np.ndarray, _: str) -> list[Any]:
        asked[0] += len(units)
        return (np.hypot(units[:, 0] - 0.51, units[:, 1] - 0.47) < 0.3).tolist()

    runs, errors = [], []
    for tolerance in (1e-2, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6):
        asked[0] = 0
        (line,), _ = contours(keys, square, tolerance, 1e-2, bend=True)
        places = np.vstack([line[:-1] + t * np.diff(line, axis=0) for t in (0.0, 0.25, 0.5, 0.75)])
        errors.append(float(np.max(np.abs(np.hypot(*(places - [0.51, 0.47]).T) - 0.3))))
        runs.append(float(asked[0]))
        side = 0.5 / errors[-1]
        times = side * side / asked[0]
        said = f"{asked[0]:6d} runs, error {errors[-1]:.2g}; a grid {times:.2g} times as many"
        print(f"border by runs, tolerance {tolerance:<6g} {said}")
    print(f"exponent: {slope(runs[3:], errors[3:]):.2f} in runs; of a grid -0.50")


def kernel_maps() -> None:
    from gan_bifurcation.studies.reading import read_study
    from gan_bifurcation.studies.systems import all_systems

    file = read_study("kernel-gan-maps")
    systems: Any = all_systems(file.study, file.folder)
    for section in file.study.map:
        system = systems[section.system].with_parameters(**section.parameters)
        rmap = gb.regime_map(system, dict(section.free), steps=section.steps)
        print(f"{section.name}: {gb.compare(rmap, cells=200, steps=section.steps)}")


def killed(times: int) -> None:
    random.seed(1)
    with tempfile.TemporaryDirectory() as name:
        whole, broken = Path(name) / "whole", Path(name) / "broken"
        study = str(Path(__file__).parent / "killed.toml")
        command = [sys.executable, "-m", "gan_bifurcation.cli", "run", study, "--no-report", "--out"]
        began = time.perf_counter()
        subprocess.run([*command, str(whole)], check=True, capture_output=True)
        length = time.perf_counter() - began
        kills = 0
        while kills < times:
            # In a session of its own, so that its workers go with it.
            run = subprocess.Popen(
                [*command, str(broken)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
            )
            try:
                run.wait(random.uniform(0.0, length))
                # It came to its end: one of its parts is taken away, so that there is something left to do.
                random.choice(sorted((broken / "parts").glob("*.json"))).unlink()
            except subprocess.TimeoutExpired:
                os.killpg(run.pid, signal.SIGKILL)
                run.wait()
                kills += 1
        subprocess.run([*command, str(broken)], check=True, capture_output=True)
        names = sorted(p.relative_to(whole) for p in whole.rglob("graph.json"))
        same = all((whole / n).read_bytes() == (broken / n).read_bytes() for n in names)
        print(f"killed {kills} times: {len(names)} graphs {'are the same' if same else 'DIFFER'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--kernel", action="store_true")
    parser.add_argument("--kills", type=int, default=0)
    given = parser.parse_args()
    if given.kernel:
        kernel_maps()
    if given.kills:
        killed(given.kills)
    if not (given.kernel or given.kills):
        check_of_six_states()
        error_against_cost()
        borders_by_runs()
