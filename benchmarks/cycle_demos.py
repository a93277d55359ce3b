"""AUTO-07p's demos with cycles, by both programs: ``python benchmarks/cycle_demos.py [--auto FOLDER]``.

The first branch of cycles of each demo from its start on, the same number of intervals and of points, multipliers at
each point and all special points located, one thread; steps and tolerances are each side's own. CPU time of a run less
that of a run of two points, per point, by turns; medians, and the middle half of the ratios of runs that followed each
other. FOLDER is a built source tree of AUTO-07p; without it only our own times are measured. (The system of adaptive
control, `adapt` in tables of others, is not among AUTO's demos; its period doubling is in tests/test_poincare.py.)
"""

import argparse
import os
import re
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import gan_bifurcation as gb

Run = Callable[[int], tuple[float, int, str]]


@dataclass(frozen=True)
class Demo:
    """A demo.

    Attributes
    ----------
    field, parameters
        Of the flow.
    start
        An equilibrium before the first Hopf point, or, with `orbit`, a state that is attracted by the first cycle.
    free, window
        The parameter of the branch.
    intervals
        Of the mesh, as the demo has them.
    files
        The demo's constants: of the runs before the cycles, and of the cycles.
    changes
        Other values of constants in the last run.
    """

    field: Mapping[str, str]
    parameters: Mapping[str, float]
    start: tuple[float, ...]
    free: str
    window: tuple[float, float]
    intervals: int
    files: tuple[str, ...]
    changes: Mapping[str, str] | None = None
    orbit: bool = False


DEMOS = {
    "ab": Demo(
        {"u": "-u + p1*(1 - u)*exp(v)", "v": "-v + p1*p2*(1 - u)*exp(v) - p3*v"}, {"p1": 0.0, "p2": 14.0, "p3": 3.0},
        (0.0, 0.0), "p1", (0.0, 0.25), 70, ("c.ab.1", "c.ab.2", "c.ab.3"), {"ILP": "1"},
    ),
    "abc": Demo(
        {
            "x": "-x + d*(1 - x)*exp(z)", "y": "-y + d*exp(z)*(1 - x - s*y)",
            "z": "-z - be*z + d*b*exp(z)*(1 - x + al*s*y)",
        },
        {"d": 0.0, "al": 1.0, "be": 1.55, "b": 8.0, "s": 0.04}, (0, 0, 0), "d", (0, 0.4), 25, ("c.abc.1", "c.abc.2"),
    ),
    "lor": Demo(
        {"x": "sigma*(y - x)", "y": "rho*x - y - x*z", "z": "x*y - beta*z"},
        {"rho": 280.0, "beta": 8 / 3, "sigma": 10.0}, (5.0, 35.0, 300.0), "rho", (200, 280), 20, ("c.lor.1",),
        {"ILP": "1"}, True,
    ),
    "plp": Demo(
        {"s": "s0 - s - rh*s*a/(1 + s + rk*s**2)", "a": "al*(a0 - a) - rh*s*a/(1 + s + rk*s**2)"},
        {"s0": 110.0, "a0": 500.0, "al": 0.2, "rh": 2.021628, "rk": 0.1}, (45.59, 177.8), "rh", (2, 6), 20,
        ("c.plp.ss", "c.plp.ps"),
    ),
    "pp2": Demo(
        {"x": "3*x*(1 - x) - x*y - q*(1 - exp(-5*x))", "y": "-y + 3*x*y"}, {"q": 0.0}, (1 / 3, 2.0), "q", (0, 1), 90,
        ("c.pp2", "c.pp2"), {"IPS": "2", "ICP": "['quota', 'PERIOD']"},
    ),
    "pp3": Demo(
        {"x": "x*(1 - x) - 4*x*y", "y": "-y/4 + 4*x*y - 3*y*z - p1*(1 - exp(-5*y))", "z": "-z/2 + 3*y*z"},
        {"p1": 0.02}, (1 / 3, 1 / 6, 1 / 3), "p1", (0, 1), 20, ("c.pp3", "c.pp3"), {"IPS": "2", "ICP": "[1, 11]"},
    ),
    "tor": Demo(
        {
            "x": "(-(be + nu)*x + be*y - a3*x**3 + b3*(y - x)**3)/r",
            "y": "be*x - (be + ga)*y - z - b3*(y - x)**3", "z": "y",
        },
        {"nu": -0.9, "be": 0.5, "ga": -0.6, "r": 0.6, "a3": 0.328578, "b3": 0.933578}, (0, 0, 0), "nu", (-1, -0.5), 25,
        ("c.tor.1", "c.tor.2"),
    ),
}  # fmt: skip


def demo_start(name: str) -> tuple[object, str, tuple[float, float]]:
    """The first cycle of a demo, its free parameter and the window."""
    d = DEMOS[name]
    system = gb.System.from_equations("flow", d.field, d.parameters)
    if d.orbit:
        return gb.orbit_to_cycle(gb.simulate(system, d.start, duration=60), intervals=d.intervals), d.free, d.window
    equilibria = gb.trace(gb.point(system, d.start), {d.free: d.window})
    return gb.hopf_to_cycles(equilibria["H1"], intervals=d.intervals), d.free, d.window


def own(name: str) -> Run:
    """What measures our own program: CPU seconds, points, and labels of a run."""
    start, free, window = demo_start(name)

    def run(points: int) -> tuple[float, int, str]:
        begin = time.process_time()
        branch = gb.trace(start, {free: window}, max_points=points, coefficients=False)
        return time.process_time() - begin, len(branch), " ".join(p.label for p in branch.special_points)

    return run


_NAMES = {5: "LPC", 6: "BPC", 7: "PD", 8: "NS"}


def auto(folder: Path, work: Path, name: str) -> Run:
    """What measures AUTO's program on the same branch."""
    d = DEMOS[name]
    shutil.copytree(folder / "demos" / name, work)
    flags = ["gfortran", "-O3", "-fopenmp", f"-I{folder}/include", f"-I{folder}/src"]
    objects = sorted(str(p) for p in (folder / "lib").glob("*.o"))
    subprocess.run([*flags, f"{name}.f90", "-o", "demo", *objects], cwd=work, check=True)

    def call(constants: str) -> list[list[str]]:
        (work / "fort.2").write_text(constants)
        one = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run(["./demo"], cwd=work, check=True, capture_output=True, env=one)
        return [line.split() for line in (work / "fort.7").read_text().splitlines() if line.split()[0] != "0"]

    def changed(constants: str, key: str, value: str) -> str:
        pattern = rf"\b{key} *= *(\[[^]]*\]|-?[\w.]+)"
        return (
            re.sub(pattern, f"{key}={value}", constants)
            if re.search(pattern, constants)
            else f"{constants}\n{key}={value}\n"
        )

    label = "0"
    texts = [(work / file).read_text() for file in d.files]
    for k, text in enumerate(texts[:-1]):
        lines = call(changed(text, "IRS", label))
        # From an asked-for value of a parameter to the next run, from a Hopf point to the cycles.
        kinds = ("3", "-3") if k == len(texts) - 2 else ("-4",)
        label = next(line[3] for line in lines if line[2] in kinds)
        shutil.copy(work / "fort.8", work / "fort.3")
    last = changed(texts[-1], "IRS", label)
    for key, value in (d.changes or {}).items():
        last = changed(last, key, value)
    last = re.sub(r"STOP *= *\['LP1'\]", "", last)
    last = changed(changed(last, "NPR", "100000"), "IPLT", "0")

    def run(points: int) -> tuple[float, int, str]:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        lines = call(changed(last, "NMX", str(points)))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        labels = [_NAMES[abs(int(line[2]))] for line in lines if abs(int(line[2])) in _NAMES]
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, len(lines), " ".join(labels)

    return run


def per_point(run: Run, points: int) -> tuple[float, int, str]:
    """Milliseconds per point, what runs begin with taken off."""
    short, long = run(2), run(points)
    return 1e3 * (long[0] - short[0]) / (long[1] - short[1]), long[1], long[2]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--auto", type=Path, help="a built source tree of AUTO-07p")
    parser.add_argument("--points", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=31)
    parser.add_argument("--only", nargs="*", default=list(DEMOS))
    arguments = parser.parse_args()
    print(f"{'demo':>6}{'ours, ms':>10}{'AUTO, ms':>10}{'AUTO/ours':>11}{'middle half':>14}   points, labels")
    for name in arguments.only:
        with tempfile.TemporaryDirectory() as work:
            mine = own(name)
            theirs = auto(arguments.auto, Path(work) / "run", name) if arguments.auto else None
            per_point(mine, arguments.points)
            pairs = []
            for _ in range(arguments.repeats):
                a = per_point(mine, arguments.points)
                pairs.append((a, per_point(theirs, arguments.points) if theirs else (np.nan, 0, "")))
        ours, peer = np.array([[a[0], b[0]] for a, b in pairs]).T
        low, middle, high = np.quantile(peer / ours, [0.25, 0.5, 0.75])
        (_, count, labels), (_, peer_count, peer_labels) = pairs[-1]
        print(
            f"{name:>6}{np.median(ours):>10.3f}{np.median(peer):>10.3f}{middle:>11.2f}{low:>8.2f} ..{high:>5.2f}"
            f"   {count} {labels or '-'} / {peer_count} {peer_labels or '-'}",
            flush=True,
        )


if __name__ == "__main__":
    main()
