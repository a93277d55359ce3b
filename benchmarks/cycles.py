"""Cycles against AUTO-07p: ``python benchmarks/cycles.py [--auto FOLDER]``, CPU time per continuation point.

n coupled states (a ring of Stuart-Landau oscillators, with a decaying one if n is odd), 4 Gauss points in each
interval, the same number of points with multipliers at each, one thread, by turns; the time of a run of two points is
taken off on both sides. Medians, and the middle half of the ratios of runs that followed each other; a straight line
through our cost over the number of intervals. FOLDER is a built source tree of AUTO-07p; without it only our own times
are measured. AUTO's own demos: `cycle_demos.py`. Only ratios of one run mean anything. Nothing here is a test.
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


def own(n: int, intervals: int) -> Callable[[int], float]:
    """Our own program: CPU seconds of a run of so many points."""
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

    def run(points: int) -> float:
        begin = time.process_time()
        branch = gb.trace(start, {"mu": (0.1, 3.0)}, control=control, max_points=points, coefficients=False)
        assert len(branch) == points
        return time.process_time() - begin

    return run


def auto(folder: Path, work: Path, n: int, intervals: int) -> Callable[[int], float]:
    """AUTO's program: CPU seconds of a run of so many points."""
    work.mkdir()
    source = work / "ring.f90"
    source.write_text(FORTRAN)
    flags = ["gfortran", "-O3", "-fopenmp", f"-I{folder}/include", f"-I{folder}/src"]
    objects = sorted(str(p) for p in (folder / "lib").glob("*.o"))
    subprocess.run([*flags, str(source), "-o", "ring", *objects], cwd=work, check=True)

    def run(points: int) -> float:
        (work / "fort.2").write_text(CONSTANTS.format(n=n, intervals=intervals, points=points, step=STEP))
        one = {**os.environ, "OMP_NUM_THREADS": "1"}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(["./ring"], cwd=work, check=True, capture_output=True, env=one)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return run


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--auto", type=Path, help="a built source tree of AUTO-07p")
    parser.add_argument("--sizes", type=int, nargs="*", default=[2, 3, 6, 10, 20, 30])
    parser.add_argument("--intervals", type=int, nargs="*", default=[50, 100, 200])
    parser.add_argument("--points", type=int, default=100, help="of small systems; 400/n where that is less")
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    print(f"{'n':>4}{'NTST':>6}{'ours, ms':>12}{'AUTO, ms':>12}{'AUTO/ours':>12}{'middle half':>15}")
    for n in arguments.sizes:
        points = max(12, min(arguments.points, 400 // n))
        medians = []
        for intervals in arguments.intervals:
            with tempfile.TemporaryDirectory() as work:
                runs = [own(n, intervals)]
                if arguments.auto:
                    runs.append(auto(arguments.auto, Path(work) / "run", n, intervals))
                runs[0](points)
                found = [
                    [1e3 * (run(points) - run(2)) / (points - 2) for run in runs] for _ in range(arguments.repeats)
                ]
            times = np.array(found).T
            medians.append(float(np.median(times[0])))
            line = f"{n:>4}{intervals:>6}{medians[-1]:>12.3f}"
            if len(times) == 2:
                low, middle, high = np.quantile(times[1] / times[0], [0.25, 0.5, 0.75])
                line += f"{np.median(times[1]):>12.3f}{middle:>12.2f}{low:>9.2f} ..{high:>5.2f}"
            print(line, flush=True)
        if len(medians) > 2:
            # A straight line whose errors are parts of the values.
            x, y = np.array(arguments.intervals, dtype=float), np.array(medians)
            slope, constant = np.polyfit(x, y, 1, w=1 / y)
            off = np.max(np.abs((constant + slope * x) / y - 1))
            print(f"{n:>4}  ours = {constant:.3f} ms + {1e3 * slope:.2f} us NTST, off by {100 * off:.0f} % at most")


if __name__ == "__main__":
    main()
