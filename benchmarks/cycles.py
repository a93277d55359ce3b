"""Cycles against AUTO-07p: ``python benchmarks/cycles.py [--auto FOLDER]``, CPU time per continuation point.

n coupled states (a ring of Stuart-Landau oscillators, with a decaying one if n is odd), 4 Gauss points in each
interval, the same number of points with multipliers at each, one thread, best of repeats, by turns; the time of a short
run is taken off on both sides. FOLDER is a built source tree of AUTO-07p; without it only our own times are measured.
With --demos, the first branch of cycles of AUTO's own demos from its Hopf point on, with their special points, steps
and tolerances of each side's own. Only ratios of one run mean anything. Nothing here is a test.
"""

import argparse
import os
import re
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import gan_bifurcation as gb
from gan_bifurcation.continuation.starts import ProfileStart
from gan_bifurcation.profiles import Profile

REPEATS = 5
STEP = 0.02
MU, SHEAR, COUPLING = 0.5, 0.1, 0.1

FORTRAN = """
SUBROUTINE FUNC(NDIM,U,ICP,PAR,IJAC,F,DFDU,DFDP)
  IMPLICIT NONE
  INTEGER, INTENT(IN) :: NDIM, ICP(*), IJAC
  DOUBLE PRECISION, INTENT(IN) :: U(NDIM), PAR(*)
  DOUBLE PRECISION, INTENT(OUT) :: F(NDIM)
  DOUBLE PRECISION, INTENT(INOUT) :: DFDU(NDIM,NDIM), DFDP(NDIM,*)
  INTEGER k, l
  DOUBLE PRECISION x, y, r
  IF (MOD(NDIM,2) == 1) F(NDIM) = -U(NDIM) + U(1)*U(2)
  DO k = 1, NDIM/2
    l = MOD(k, NDIM/2) + 1
    x = U(2*k-1); y = U(2*k); r = x*x + y*y
    F(2*k-1) = PAR(1)*x - y - x*r + PAR(2)*r*y + PAR(3)*(U(2*l-1) - x)
    F(2*k) = x + PAR(1)*y - y*r - PAR(2)*r*x + PAR(3)*(U(2*l) - y)
  ENDDO
END SUBROUTINE FUNC
SUBROUTINE STPNT(NDIM,U,PAR,T)
  IMPLICIT NONE
  INTEGER, INTENT(IN) :: NDIM
  DOUBLE PRECISION, INTENT(INOUT) :: U(NDIM), PAR(*)
  DOUBLE PRECISION, INTENT(IN) :: T
  DOUBLE PRECISION TWOPI, w
  INTEGER k
  TWOPI = 2*ACOS(-1d0)
  PAR(1) = 0.5d0; PAR(2) = 0.1d0; PAR(3) = 0.1d0
  PAR(11) = TWOPI/(1 - PAR(1)*PAR(2))
  DO k = 1, NDIM/2
    U(2*k-1) = SQRT(PAR(1))*COS(TWOPI*T)
    U(2*k) = SQRT(PAR(1))*SIN(TWOPI*T)
  ENDDO
  ! z' = -z + x y on the circle, whose product has twice the frequency.
  w = 2*(1 - PAR(1)*PAR(2))
  IF (MOD(NDIM,2) == 1) U(NDIM) = PAR(1)/2*(SIN(2*TWOPI*T) - w*COS(2*TWOPI*T))/(1 + w*w)
END SUBROUTINE STPNT
SUBROUTINE BCND
END SUBROUTINE BCND
SUBROUTINE ICND
END SUBROUTINE ICND
SUBROUTINE FOPT
END SUBROUTINE FOPT
SUBROUTINE PVLS
END SUBROUTINE PVLS
"""

CONSTANTS = """NDIM={n}, IPS=2, IRS=0, ILP=1
ICP=[1,11]
NTST={intervals}, NCOL=4, IAD=3, ISP=2, ISW=1, IPLT=0, NBC=0, NINT=0
NMX={points}, NPR=100000, MXBF=0, IID=0, ITMX=8, ITNW=5, NWTN=3, JAC=0
EPSL=1e-7, EPSU=1e-7, EPSS=1e-5
DS={step}, DSMIN=1e-3, DSMAX={step}, IADS=1
NPAR=3, THL={{11: 0.0}}, THU={{}}
"""


def ring(n: int) -> gb.System:
    """The oscillators of a ring."""
    field = {} if n % 2 == 0 else {"z": "-z + x0*y0"}
    for k in range(n // 2):
        following = (k + 1) % (n // 2)
        x, y, r = f"x{k}", f"y{k}", f"(x{k}**2 + y{k}**2)"
        field[x] = f"mu*{x} - {y} - {x}*{r} + c*{r}*{y} + d*(x{following} - {x})"
        field[y] = f"{x} + mu*{y} - {y}*{r} - c*{r}*{x} + d*(y{following} - {y})"
    if n % 2:
        field["z"] = field.pop("z")
    return gb.System.from_equations("flow", field, {"mu": MU, "c": SHEAR, "d": COUPLING})


@dataclass(frozen=True)
class Runs:
    """CPU seconds, points and special points of a short run and a long one."""

    short: tuple[float, int, int]
    long: tuple[float, int, int]


def per_point(runs: list[Runs]) -> float:
    """Milliseconds per point, what runs begin with taken off: the shortest times, as others only add to them."""
    short, long = min(r.short[0] for r in runs), min(r.long[0] for r in runs)
    return 1e3 * (long - short) / (runs[0].long[1] - runs[0].short[1])


def own(n: int, intervals: int, points: int) -> Callable[[], Runs]:
    """What measures our own program."""
    system = ring(n)
    mesh = np.linspace(0.0, 1.0, intervals + 1)
    phases = np.append((mesh[:-1, None] + np.arange(4) / 4 / intervals).ravel(), 1.0)
    turn = 2 * np.pi * phases
    states = np.tile(np.sqrt(MU) * np.column_stack([np.cos(turn), np.sin(turn)]), n // 2)
    if n % 2:
        w = 2 * (1 - MU * SHEAR)
        states = np.column_stack([states, MU / 2 * (np.sin(2 * turn) - w * np.cos(2 * turn)) / (1 + w * w)])
    profile = Profile(phases, states, 2 * np.pi / (1 - MU * SHEAR), mesh=mesh)
    start = ProfileStart(system, profile, one_sided=True)
    control = gb.StepControl(first=STEP / 2, smallest=1e-6, largest=STEP / 2)

    def run(points: int) -> tuple[float, int, int]:
        begin = time.process_time()
        branch = gb.trace(start, {"mu": (0.1, 3.0)}, control=control, max_points=points, coefficients=False)
        return time.process_time() - begin, len(branch), 0

    run(points)
    return lambda: Runs(run(2), run(points))


def auto(folder: Path, work: Path, n: int, intervals: int, points: int) -> Callable[[], Runs]:
    """What measures AUTO's program."""
    work.mkdir()
    source = work / "ring.f90"
    source.write_text(FORTRAN)
    flags = ["gfortran", "-O3", "-fopenmp", f"-I{folder}/include", f"-I{folder}/src"]
    objects = sorted(str(p) for p in (folder / "lib").glob("*.o"))
    subprocess.run([*flags, str(source), "-o", "ring", *objects], cwd=work, check=True)

    def run(points: int) -> tuple[float, int, int]:
        (work / "fort.2").write_text(CONSTANTS.format(n=n, intervals=intervals, points=points, step=STEP))
        begin = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        subprocess.run(
            ["./ring"], cwd=work, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - begin, points, 0

    return lambda: Runs(run(2), run(points))


def measured(mine: Callable[[], Runs], theirs: Callable[[], Runs] | None) -> tuple[float, float, str]:
    """Milliseconds per point, ours and AUTO's, measured by turns; special points of both."""
    pairs = [(mine(), theirs() if theirs else None) for _ in range(REPEATS)]
    ours, peer = [p[0] for p in pairs], [p[1] for p in pairs if p[1] is not None]
    labels = "/".join(str(runs[0].long[2]) for runs in (ours, peer) if runs)
    return per_point(ours), per_point(peer) if peer else np.nan, labels


# Equations, parameters, a start, which parameter is free in which window, intervals; the demo's files of constants.
DEMOS = {
    "plp": (
        {"s": "s0 - s - rh*s*a/(1 + s + rk*s**2)", "a": "al*(a0 - a) - rh*s*a/(1 + s + rk*s**2)"},
        {"s0": 110.0, "a0": 500.0, "al": 0.2, "rh": 2.021628, "rk": 0.1}, [45.59, 177.8], "rh", (2, 6), 20,
        ("c.plp.ss", "c.plp.ps"),
    ),
    "tor": (
        {
            "x": "(-(be + nu)*x + be*y - a3*x**3 + b3*(y - x)**3)/r",
            "y": "be*x - (be + ga)*y - z - b3*(y - x)**3", "z": "y",
        },
        {"nu": -0.9, "be": 0.5, "ga": -0.6, "r": 0.6, "a3": 0.328578, "b3": 0.933578}, [0, 0, 0], "nu", (-1, -0.5), 25,
        ("c.tor.1", "c.tor.2"),
    ),
    "abc": (
        {
            "x": "-x + d*(1 - x)*exp(z)", "y": "-y + d*exp(z)*(1 - x - s*y)",
            "z": "-z - be*z + d*b*exp(z)*(1 - x + al*s*y)",
        },
        {"d": 0.0, "al": 1.0, "be": 1.55, "b": 8.0, "s": 0.04}, [0, 0, 0], "d", (0, 0.4), 25, ("c.abc.1", "c.abc.2"),
    ),
    "pp3": (
        {"x": "x*(1 - x) - 4*x*y", "y": "-y/4 + 4*x*y - 3*y*z - p1*(1 - exp(-5*y))", "z": "-z/2 + 3*y*z"},
        {"p1": 0.02}, [0.0625, 0.234375, 0.0], "p1", (0, 1), 20, ("c.pp3", "c.pp3"),
    ),
}  # fmt: skip


def own_demo(name: str, points: int) -> Callable[[], Runs]:
    """What measures our own program on the cycles of a demo."""
    field, parameters, x, free, window, intervals, _ = DEMOS[name]
    system = gb.System.from_equations("flow", field, parameters)
    start = gb.hopf_to_cycles(gb.trace(gb.point(system, x), {free: window})["H1"], intervals=intervals)

    def run(points: int) -> tuple[float, int, int]:
        begin = time.process_time()
        branch = gb.trace(start, {free: window}, max_points=points, coefficients=False)
        return time.process_time() - begin, len(branch), len(branch.special_points)

    run(points)
    return lambda: Runs(run(2), run(points))


def auto_demo(folder: Path, work: Path, name: str, points: int) -> Callable[[], Runs]:
    """What measures AUTO's program on the cycles of a demo."""
    shutil.copytree(folder / "demos" / name, work)
    flags = ["gfortran", "-O3", "-fopenmp", f"-I{folder}/include", f"-I{folder}/src"]
    objects = sorted(str(p) for p in (folder / "lib").glob("*.o"))
    subprocess.run([*flags, f"{name}.f90", "-o", "demo", *objects], cwd=work, check=True)
    first, second = ((work / file).read_text() for file in DEMOS[name][-1])

    def run(constants: str) -> list[list[str]]:
        (work / "fort.2").write_text(constants)
        one = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run(["./demo"], cwd=work, check=True, capture_output=True, env=one)
        return [line.split() for line in (work / "fort.7").read_text().splitlines() if line.split()[0] != "0"]

    label = next(line[3] for line in run(first) if line[2] in ("3", "-3"))
    shutil.copy(work / "fort.8", work / "fort.3")
    free = re.search(r"ICP *= *\[ *(\d+)", first)
    assert free is not None
    second = re.sub(r"IPS *= *\d+", "IPS=2", second)
    second = re.sub(r"IRS *= *\d+", f"IRS={label}", second)
    second = re.sub(r"ICP *= *\[[^]]*\]", f"ICP=[{free[1]}, 11]", second)
    second = re.sub(r"STOP *= *\['LP1'\]", "", second)

    def timed(points: int) -> tuple[float, int, int]:
        begin = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        lines = run(re.sub(r"NMX *= *\d+", f"NMX={points}", second))
        labels = sum(abs(int(line[2])) in (5, 6, 7, 8) for line in lines)
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - begin, len(lines), labels

    return lambda: Runs(timed(2), timed(points))


def demos(folder: Path, points: int) -> None:
    """Print a table of AUTO's demos."""
    print(f"{'demo':>6}{'ours, ms':>12}{'AUTO, ms':>12}{'AUTO/ours':>12}{'labels':>10}")
    for name in DEMOS:
        with tempfile.TemporaryDirectory() as work:
            mine, theirs = own_demo(name, points), auto_demo(folder, Path(work) / "run", name, points)
            ours, peer, labels = measured(mine, theirs)
        print(f"{name:>6}{ours:>12.3f}{peer:>12.3f}{peer / ours:>12.2f}{labels:>10}", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--auto", type=Path, help="a built source tree of AUTO-07p")
    parser.add_argument("--sizes", type=int, nargs="*", default=[2, 3, 6, 10, 20, 30])
    parser.add_argument("--intervals", type=int, nargs="*", default=[50, 100, 200])
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--demos", action="store_true", help="AUTO's own demos")
    arguments = parser.parse_args()
    if arguments.demos:
        demos(arguments.auto, min(arguments.points, 60))
        return
    print(f"{'n':>4}{'NTST':>6}{'ours, ms':>12}{'AUTO, ms':>12}{'AUTO/ours':>12}")
    for n in arguments.sizes:
        mine = []
        for intervals in arguments.intervals:
            run = own(n, intervals, arguments.points)
            with tempfile.TemporaryDirectory() as work:
                folder = Path(work) / "run"
                theirs = auto(arguments.auto, folder, n, intervals, arguments.points) if arguments.auto else None
                ours, peer, _ = measured(run, theirs)
            mine.append(ours)
            print(f"{n:>4}{intervals:>6}{ours:>12.3f}{peer:>12.3f}{peer / ours:>12.2f}", flush=True)
        if len(mine) > 2:
            slope = np.polyfit(np.log(arguments.intervals), np.log(mine), 1)[0]
            print(f"{n:>4}  cost grows like NTST^{slope:.2f}")


if __name__ == "__main__":
    main()
