"""Second opinion: PyCont on the registered systems, and XPPAUT's AUTO (`xpplab`), find the same points."""

from typing import Any

import numpy as np
import pytest

import gan_bifurcation as gb

equations = gb.System.from_equations

AB = equations(
    "flow",
    {"u": "-u + p1*(1 - u)*exp(v)", "v": "-v + p1*p2*(1 - u)*exp(v) - p3*v"},
    {"p1": 0.01, "p2": 14.0, "p3": 2.0},
    name="ab",
)
ABC = equations(
    "flow",
    {
        "u": "-u + p1*(1 - u)*exp(w)",
        "v": "-v + p1*exp(w)*(1 - u - p5*v)",
        "w": "-w - p3*w + p1*p4*exp(w)*(1 - u + p2*p5*v)",
    },
    {"p1": 0.05, "p2": 1.0, "p3": 1.55, "p4": 8.0, "p5": 0.04},
    name="abc",
)  # AUTO's demo abc
HENON = equations("map", {"x": "a - x**2 + b*y", "y": "x"}, {"a": 0.1, "b": 0.3}, name="henon")


def pycont(system: gb.System, kind: str, parameter: str, start: gb.Point, **options: Any) -> dict[str, list[float]]:
    """Special points of PyCont by label, from one start in both directions."""
    generator = gb.register(system, initial=start.state)
    from PyDSTool import ContClass, args

    np.random.seed(3)  # noqa: NPY002 -- PyCont draws its borders at random
    curves = ContClass(generator)
    curves.newCurve(
        args(
            name="C", type=kind, freepars=[parameter], StepSize=1e-2, MaxNumPoints=150, MaxStepSize=0.05,
            MinStepSize=1e-6, LocBifPoints="all", SaveEigen=True, FuncTol=1e-10, VarTol=1e-10, TestTol=1e-10, **options,
        )
    )  # fmt: skip
    curves["C"].forward()
    curves["C"].backward()
    found: dict[str, list[float]] = {}
    for label in ("LP", "H", "BP", "PD", "NS", "LPC"):
        k = 1
        while (point := curves["C"].getSpecialPoint(f"{label}{k}")) is not None and k < 20:
            found.setdefault(label, []).append(float(point[parameter]))
            k += 1
    return found


def ours(branch: gb.Branch, label: str) -> list[float]:
    return [p.parameters[branch.free[0]] for p in branch.special_points if p.label == label]


def agree(theirs: list[float], own: list[float], tolerance: float) -> bool:
    """Each of their points is one of ours: PyCont may stop before the end of a branch, and misses points."""
    return bool(theirs) and all(min(abs(t - o) for o in own) < tolerance for t in theirs)


@pytest.mark.parametrize("system", [AB, ABC], ids=["ab", "abc"])
def test_pycont_equilibria(system: gb.System) -> None:
    start = gb.point(system, np.zeros(system.n))
    branch = gb.trace(start, {"p1": (0, 0.5)})
    found = pycont(system, "EP-C", "p1", start)
    if system is AB:  # abc has four Hopf points and no fold here
        assert agree(found["LP"], ours(branch, "LP"), 1e-6)
    assert agree(found["H"], ours(branch, "H"), 1e-6)


def test_pycont_fixed_points() -> None:
    start = gb.point(HENON, [0.1, 0.1])
    branch = gb.trace(start, {"a": (-1, 2)})
    found = pycont(HENON, "FP-C", "a", start)
    assert agree(found["PD"], ours(branch, "PD"), 1e-6)
    assert agree(found.get("LPC", found.get("LP", [])), ours(branch, "LP"), 1e-6)


def xpp_text(system: gb.System) -> str:
    lines = [
        f"d{s}/dt={str(e).replace('**', '^')}" for s, e in zip(system.states, system.equations().values(), strict=True)
    ]
    lines += [f"par {k}={v}" for k, v in system.parameters.items()]
    return "\n".join([*lines, *(f"init {s}=0" for s in system.states), "done", ""])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("system", [AB, ABC], ids=["ab", "abc"])
def test_xppaut(system: gb.System) -> None:
    xpplab = pytest.importorskip("xpplab", reason="the extra [bench] is not installed")
    model = xpplab.Model.from_text(xpp_text(system))
    diagram = model.auto.equilibria(
        "p1", ds=0.005, dsmax=0.02, nmax=2000, parmin=0.0, parmax=0.5, epsl=1e-9, epsu=1e-9, epss=1e-9
    )
    branch = gb.trace(gb.point(system, np.zeros(system.n)), {"p1": (0, 0.5)})
    theirs = {label: [p.value for p in diagram.special() if p.type == label] for label in ("LP", "HB")}
    # AUTO places its points to about 1e-6.
    assert len(theirs["LP"]) == len(ours(branch, "LP"))
    if system is AB:
        assert agree(theirs["LP"], ours(branch, "LP"), 1e-5)
    assert agree(theirs["HB"], ours(branch, "H"), 1e-5)
    assert len(theirs["HB"]) == len(ours(branch, "H"))
