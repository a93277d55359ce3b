"""Cycles against AUTO-07p: ``python benchmarks/cycles.py [--auto FOLDER]``, CPU time per continuation point.

n coupled states (a ring of Stuart-Landau oscillators, with a decaying one if n is odd), 4 Gauss points in each
interval, the same number of points with multipliers at each, one thread, best of repeats, by turns; the time of a short
run is taken off on both sides. FOLDER is a built source tree of AUTO-07p; without it only our own times are measured.
Only ratios of one run mean anything. Nothing here is a test.
"""

import argparse
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import gan_bifurcation as gb
from gan_bifurcation.continuation.starts import ProfileStart
from gan_bifurcation.profiles import Profile

REPEATS = 3
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


def own(n: int, intervals: int, points: int) -> Callable[[], float]:
    """What measures CPU seconds per point."""
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

    def run(points: int) -> tuple[float, int]:
        begin = time.process_time()
        branch = gb.trace(start, {"mu": (0.1, 3.0)}, control=control, max_points=points, coefficients=False)
        return time.process_time() - begin, len(branch)

    def measure() -> float:
        (short, few), (long, many) = run(2), run(points)
        return (long - short) / (many - few)

    measure()
    return measure


def auto(folder: Path, work: Path, n: int, intervals: int, points: int) -> Callable[[], float]:
    """What measures CPU seconds per point of AUTO's program."""
    work.mkdir()
    source = work / "ring.f90"
    source.write_text(FORTRAN)
    flags = ["gfortran", "-O3", "-fopenmp", f"-I{folder}/include", f"-I{folder}/src"]
    objects = sorted(str(p) for p in (folder / "lib").glob("*.o"))
    subprocess.run([*flags, str(source), "-o", "ring", *objects], cwd=work, check=True)

    def run(points: int) -> float:
        (work / "fort.2").write_text(CONSTANTS.format(n=n, intervals=intervals, points=points, step=STEP))
        begin = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        subprocess.run(
            ["./ring"], cwd=work, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - begin

    return lambda: (run(points) - run(2)) / (points - 2)


def measured(folder: Path | None, n: int, intervals: int, points: int) -> tuple[float, float]:
    """Milliseconds per point, ours and AUTO's: the best of some, by turns."""
    with tempfile.TemporaryDirectory() as work:
        mine = own(n, intervals, points)
        theirs = auto(folder, Path(work) / "run", n, intervals, points) if folder else lambda: np.nan
        pairs = [(mine(), theirs()) for _ in range(REPEATS)]
    return 1e3 * min(p[0] for p in pairs), 1e3 * min(p[1] for p in pairs)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--auto", type=Path, help="a built source tree of AUTO-07p")
    parser.add_argument("--sizes", type=int, nargs="*", default=[2, 3, 6, 10, 20, 30])
    parser.add_argument("--intervals", type=int, nargs="*", default=[50, 100, 200])
    parser.add_argument("--points", type=int, default=100)
    arguments = parser.parse_args()
    print(f"{'n':>4}{'NTST':>6}{'ours, ms':>12}{'AUTO, ms':>12}{'AUTO/ours':>12}")
    for n in arguments.sizes:
        mine = []
        for intervals in arguments.intervals:
            ours, peer = measured(arguments.auto, n, intervals, arguments.points)
            mine.append(ours)
            print(f"{n:>4}{intervals:>6}{ours:>12.3f}{peer:>12.3f}{peer / ours:>12.2f}", flush=True)
        if len(mine) > 2:
            slope = np.polyfit(np.log(arguments.intervals), np.log(mine), 1)[0]
            print(f"{n:>4}  cost grows like NTST^{slope:.2f}")


if __name__ == "__main__":
    main()
