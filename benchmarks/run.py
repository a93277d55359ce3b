"""Time per continuation point against peers: ``python benchmarks/run.py [--jaxcont PYTHON] [--auto FOLDER]``.

Peers that are not installed are left out: PyDSTool comes with the package, `xpplab` (XPPAUT's AUTO) and `jaxcont` with
the extra [bench]; jaxcont may live in an environment of its own, whose interpreter is then given; FOLDER is a built
source tree of AUTO-07p. Only ratios of one run mean anything. Nothing here is a test.
"""

import argparse
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

Run = Callable[[], int]

AB = {"u": "-u + p1*(1 - u)*exp(v)", "v": "-v + p1*p2*(1 - u)*exp(v) - p3*v"}
AB_VALUES = {"p1": 0.01, "p2": 14.0, "p3": 2.0}
ABC = {
    "u": "-u + p1*(1 - u)*exp(w)",
    "v": "-v + p1*exp(w)*(1 - u - p5*v)",
    "w": "-w - p3*w + p1*p4*exp(w)*(1 - u + p2*p5*v)",
}
ABC_VALUES = {"p1": 0.05, "p2": 1.0, "p3": 1.55, "p4": 8.0, "p5": 0.04}
# Seconds that each row is measured for: beside other work, five runs of some milliseconds may all be disturbed.
LEAST = 0.3
HENON = {"x": "a - x**2 + b*y", "y": "x"}


def per_point(run: Run, repeats: int = 5) -> float:
    """Best CPU time of a run over its points, seconds; the first run warms up. Short runs are repeated more often."""
    run()
    best, spent = np.inf, 0.0
    while repeats > 0 or spent < LEAST:
        start = time.process_time()
        points = run()
        seconds = time.process_time() - start
        best, spent, repeats = min(best, seconds / max(points, 1)), spent + seconds, repeats - 1
    return float(best)


def fresh(code: str, python: str = sys.executable) -> str:
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout


def own() -> dict[str, float]:
    import gan_bifurcation as gb
    from gan_bifurcation.models.kernel_gan import kernel_gan

    fine = gb.StepControl(first=1e-3, largest=2e-3)
    ab = gb.System.from_equations("flow", AB, AB_VALUES)
    abc = gb.System.from_equations("flow", ABC, ABC_VALUES)
    henon = gb.System.from_equations("map", HENON, {"a": 0.1, "b": 0.3})
    six = gb.System.from_equations(
        "flow", {f"x{i}": f"a*x{i} - x{i}**3 + (x{(i + 1) % 6} - x{i})/5 + 1/{i + 3}" for i in range(6)}, {"a": -0.5}
    )
    kernel = gb.system(kernel_gan(), "simultaneous", eta_d=0.1, eta_g=0.1)
    start = {
        "ab": (gb.point(ab, [0, 0]), {"p1": (0, 0.2)}),
        "abc": (gb.point(abc, [0, 0, 0]), {"p1": (0, 0.5)}),
        "henon": (gb.point(henon, [0.1, 0.1]), {"a": (-1, 2)}),
        "six states": (gb.point(six, np.zeros(6)), {"a": (-2, 0.5)}),
        "kernel GAN (26)": (gb.point(kernel), {"eta_g": (0.01, 60)}),
    }
    times = {}
    for name, (point, free) in start.items():
        for control, suffix in ((None, ""), (fine, ", small steps")):
            times[name + suffix] = per_point(
                lambda p=point, f=free, c=control: len(gb.trace(p, f, control=c, coefficients=False, max_points=20000))
            )
    branch = gb.trace(*start["ab"])
    for label, name in (("LP1", "ab fold curve"), ("H1", "ab Hopf curve")):
        point = branch[label]
        times[name] = per_point(lambda p=point: len(gb.trace(p, {"p1": (0, 0.3), "p2": (5, 20)}, coefficients=False)))
        times[name + " with coefficients"] = per_point(
            lambda p=point: len(gb.trace(p, {"p1": (0, 0.3), "p2": (5, 20)}))
        )
    flip = gb.trace(*start["henon"])["PD1"]
    times["henon flip curve"] = per_point(
        lambda: len(gb.trace(flip, {"a": (-1, 3), "b": (-0.9, 0.9)}, coefficients=False))
    )
    return times


def pycont() -> dict[str, float]:
    import gan_bifurcation as gb

    def runner(system: gb.System, kind: str, free: list[str], guess: list[float], points: int, start: str = "") -> Run:
        generator = gb.register(system, initial=gb.point(system, guess).state)
        from PyDSTool import ContClass, args

        def run() -> int:
            np.random.seed(3)  # noqa: NPY002 -- PyCont draws its borders at random
            curves = ContClass(generator)
            common = {
                "StepSize": 1e-2,
                "MaxStepSize": 0.05,
                "MinStepSize": 1e-6,
                "LocBifPoints": "all",
                "SaveEigen": True,
            }
            curves.newCurve(args(name="C", type=kind, freepars=free, MaxNumPoints=points, **common))
            curves["C"].forward()
            return len(curves["C"].sol)

        return run

    ab = gb.System.from_equations("flow", AB, AB_VALUES, name="ab")
    abc = gb.System.from_equations("flow", ABC, ABC_VALUES, name="abc")
    henon = gb.System.from_equations("map", HENON, {"a": 0.1, "b": 0.3}, name="henon")
    times = {
        "ab": per_point(runner(ab, "EP-C", ["p1"], [0, 0], 100), 2),
        "abc": per_point(runner(abc, "EP-C", ["p1"], [0, 0, 0], 100), 2),
        "henon": per_point(runner(henon, "FP-C", ["a"], [0.1, 0.1], 40), 2),
    }
    generator = gb.register(ab, initial=gb.point(ab, [0, 0]).state)
    from PyDSTool import ContClass, args

    np.random.seed(3)  # noqa: NPY002
    curves = ContClass(generator)
    common = {"StepSize": 1e-2, "MaxStepSize": 0.05, "MinStepSize": 1e-6}
    curves.newCurve(args(name="C", type="EP-C", freepars=["p1"], MaxNumPoints=150, LocBifPoints="all", **common))
    curves["C"].forward()
    for kind, label, name in (("LP-C", "LP1", "ab fold curve"), ("H-C2", "H1", "ab Hopf curve")):

        def run(kind: str = kind, label: str = label) -> int:
            curves.newCurve(
                args(name="D", type=kind, initpoint=f"C:{label}", freepars=["p1", "p2"], MaxNumPoints=40, **common)
            )
            curves["D"].forward()
            points = len(curves["D"].sol)
            curves.delCurve("D")
            return points

        times[name] = per_point(run, 1)
    return times


def xppaut() -> dict[str, float]:
    import xpplab

    def runner(field: dict[str, str], values: dict[str, float], high: float) -> Run:
        lines = [f"d{s}/dt={e.replace('**', '^')}" for s, e in field.items()]
        lines += [f"par {k}={v}" for k, v in values.items()] + [f"init {s}=0" for s in field] + ["done", ""]
        model = xpplab.Model.from_text("\n".join(lines))

        def run() -> int:
            model.auto.reset()
            settings = {"ds": 0.002, "dsmax": 0.005, "nmax": 3000, "npr": 100000, "parmin": 0.0, "parmax": high}
            return len(model.auto.equilibria("p1", **settings))

        return run

    return {"ab": per_point(runner(AB, AB_VALUES, 0.2)), "abc": per_point(runner(ABC, ABC_VALUES, 0.5))}


FORTRAN = """
SUBROUTINE FUNC(NDIM,U,ICP,PAR,IJAC,F,DFDU,DFDP)
  IMPLICIT NONE
  INTEGER, INTENT(IN) :: NDIM, ICP(*), IJAC
  DOUBLE PRECISION, INTENT(IN) :: U(NDIM), PAR(*)
  DOUBLE PRECISION, INTENT(OUT) :: F(NDIM)
  DOUBLE PRECISION, INTENT(INOUT) :: DFDU(NDIM,NDIM), DFDP(NDIM,*)
{field}
END SUBROUTINE FUNC
SUBROUTINE STPNT(NDIM,U,PAR,T)
  IMPLICIT NONE
  INTEGER, INTENT(IN) :: NDIM
  DOUBLE PRECISION, INTENT(INOUT) :: U(NDIM), PAR(*)
  DOUBLE PRECISION, INTENT(IN) :: T
  U = 0d0
{values}
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
CONSTANTS = """NDIM={n}, IPS=1, IRS=0, ILP=1, ICP=[1]
NTST=15, NCOL=4, IAD=3, ISP=1, ISW=1, IPLT=0, NBC=0, NINT=0
NMX={points}, NPR=1000000, MXBF=0, IID=0, ITMX=8, ITNW=5, NWTN=3, JAC=0
EPSL=1e-7, EPSU=1e-7, EPSS=1e-5
DS=0.001, DSMIN=1e-5, DSMAX=0.001, IADS=1
NPAR=5, THL={{11: 0.0}}, THU={{}}
"""


def auto(folder: Path) -> dict[str, float]:
    """AUTO-07p with steps of 0.001, by differences of two runs, so that its start and end do not count."""
    times = {}
    for name, field, values in (("ab", AB, AB_VALUES), ("abc", ABC, ABC_VALUES)):
        lines = []
        for k, expression in enumerate(field.values()):
            for i, state in enumerate(field):
                expression = re.sub(rf"\b{state}\b", f"U({i + 1})", expression)
            for i, parameter in enumerate(values):
                expression = re.sub(rf"\b{parameter}\b", f"PAR({i + 1})", expression)
            lines.append(f"  F({k + 1}) = {expression}")
        # From p1 = 0, where the origin is an equilibrium.
        set_all = [f"  PAR({i + 1}) = {0.0 if i == 0 else v}d0" for i, v in enumerate(values.values())]
        source = FORTRAN.format(field="\n".join(lines), values="\n".join(set_all))
        with tempfile.TemporaryDirectory() as work:
            (Path(work) / "demo.f90").write_text(source)
            objects = sorted(str(p) for p in (folder / "lib").glob("*.o"))
            flags = ["gfortran", "-O3", "-fopenmp", f"-I{folder}/include", f"-I{folder}/src", "demo.f90", "-o", "demo"]
            subprocess.run([*flags, *objects], cwd=work, check=True)
            best = []
            for points in (1000, 41000):
                (Path(work) / "fort.2").write_text(CONSTANTS.format(n=len(field), points=points))
                spent = []
                for _ in range(5):
                    begin = os.times()
                    subprocess.run(
                        ["./demo"],
                        cwd=work,
                        check=True,
                        capture_output=True,
                        env={**os.environ, "OMP_NUM_THREADS": "1"},
                    )
                    end = os.times()
                    spent.append(end.children_user - begin.children_user + end.children_system - begin.children_system)
                best.append(min(spent))
            times[f"{name}, small steps"] = (best[1] - best[0]) / 40000
    return times


JAXCONT = """
import json, time, warnings
warnings.simplefilter("ignore")
import jax
jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp, jaxcont as jc
def ab(u, p, args=None):
    e = jnp.exp(u[1])
    return jnp.array([-u[0] + p*(1 - u[0])*e, -u[1] + p*14.0*(1 - u[0])*e - 2.0*u[1]])
def abc(u, p, args=None):
    e = jnp.exp(u[2])
    return jnp.array([-u[0] + p*(1 - u[0])*e, -u[1] + p*e*(1 - u[0] - 0.04*u[1]),
                      -u[2] - 1.55*u[2] + p*8.0*e*(1 - u[0] + 0.04*u[1])])
out = {}
for name, f, n, high in (("ab", ab, 2, 0.2), ("abc", abc, 3, 0.5)):
    def run():
        problem = jc.BifProblem(f, jnp.zeros(n), 0.0)
        settings = jc.ContinuationPar(ds=0.01, ds_max=0.05, max_steps=400, newton_tol=1e-8)
        r = jc.continuation(problem, p_span=(0.0, high), settings=settings, events=[jc.Fold(), jc.Hopf()])
        return len(r.branch.params) if hasattr(r.branch, "params") else len(jax.tree_util.tree_leaves(r.branch)[0])
    run()
    start = time.process_time(); points = run(); out[name] = (time.process_time() - start)/points
print(json.dumps(out))
"""


def construction() -> list[tuple[str, float, str]]:
    """Times that are not per point: name, seconds, remark."""
    import sympy

    from gan_bifurcation.lowering import build

    x = [sympy.Symbol(f"x{i}", real=True) for i in range(10)]
    rows = []
    outputs = [
        sum(sympy.sin((i + 1) * a + (k + 2) * b) * b for a, b in pairwise(x)) for i in range(5) for k in range(3)
    ]
    start = time.process_time()
    tape = build([], outputs, [s.name for s in x], 10)
    rows.append(("tape build", time.process_time() - start, f"{tape.operations} operations; aim .3 s for 500"))
    code = "import time; t = time.perf_counter(); import gan_bifurcation; print(time.perf_counter() - t)"
    rows.append(("import gan_bifurcation", min(float(fresh(code)) for _ in range(3)), "aim .3 s"))
    return rows


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--jaxcont", default=sys.executable, help="interpreter of the environment that has jaxcont")
    options.add_argument("--auto", type=Path, help="a built source tree of AUTO-07p")
    given = options.parse_args()
    python = given.jaxcont
    table: dict[str, dict[str, float]] = {"ours": own(), "PyCont": pycont()}
    if importlib.util.find_spec("xpplab"):
        table["xpplab"] = xppaut()
    if given.auto:
        table["AUTO-07p"] = auto(given.auto)
    if python != sys.executable or importlib.util.find_spec("jaxcont"):
        table["jaxcont"] = json.loads(fresh(JAXCONT, python))
    print(f"{'microseconds per point':34s}" + "".join(f"{peer:>12s}" for peer in table) + "   peer/ours")
    for name in dict.fromkeys(name for column in table.values() for name in column):
        row = {peer: column.get(name) for peer, column in table.items()}
        text = "".join(f"{1e6 * v:12.1f}" if v is not None else f"{'-':>12s}" for v in row.values())
        ratios = ", ".join(
            f"{peer} {v / row['ours']:.3g}x"
            for peer, v in row.items()
            if peer != "ours" and v is not None and row["ours"]
        )
        print(f"{name:34s}{text}   {ratios}")
    for name, seconds, remark in construction():
        print(f"{name:34s}{seconds:10.3f} s   {remark}")


if __name__ == "__main__":
    main()
