"""The bridge that lets PyDSTool 0.91.0 run on current Python, NumPy and SciPy."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gan_bifurcation
from gan_bifurcation.interop import _builder, _grammar, install


def run_fresh(code: str, folder: Path) -> str:
    """Standard output of `code` in a new interpreter that treats warnings as errors."""
    root = str(Path(gan_bifurcation.__file__).parents[1])
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "agg", "PYTHONPATH": root}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


UNCHANGED = """
import builtins, sys, numpy, scipy, scipy.special, scipy.optimize
def picture():
    modules = ("numpy", "scipy.special", "scipy.optimize", "builtins")
    return ({name: sorted(vars(sys.modules[name])) for name in modules},
            {name: id(value) for name, value in vars(builtins).items() if name != "_"})
import matplotlib.pyplot, scipy.integrate, scipy.interpolate, scipy.io, scipy.linalg, scipy.signal
before = picture()
import gan_bifurcation.interop
assert "PyDSTool" not in sys.modules
import PyDSTool, PyDSTool.Toolbox.phaseplane
after = picture()
assert before == after
assert not hasattr(numpy, "Inf") and not hasattr(scipy, "who")
assert not {"parser", "symbol", "distutils", "numpy.distutils"} & set(sys.modules)
assert repr(numpy.float64(0.5)) == "np.float64(0.5)"
from PyDSTool import *
assert (abs, max, min, round, bool) == tuple(getattr(builtins, name) for name in ("abs", "max", "min", "round", "bool"))
assert Inf == float("inf")
print("unchanged")
"""


def test_numpy_scipy_and_builtins_stay_as_they_were(tmp_path: Path) -> None:
    assert run_fresh(UNCHANGED, tmp_path) == "unchanged"


def test_install_is_idempotent() -> None:
    before = list(sys.meta_path)
    install()
    assert sys.meta_path == before


def test_objects_unpickle_in_a_process_that_never_heard_of_the_bridge(tmp_path: Path) -> None:
    from PyDSTool import Generator, Point, Pointset, args

    table = Pointset({"coordarray": [[1.0, 2.0], [3.0, 4.0]], "coordnames": ["x", "y"]})
    table.addlabel(1, "LP", {"name": "LP1"})
    step = Generator.MapSystem(args(name="halve", varspecs={"x": "x/2"}, ics={"x": 1.0}, tdomain=[0, 3], ttype=int))
    decay = Generator.Vode_ODEsystem(args(name="decay", varspecs={"x": "-2*x"}, ics={"x": 1.0}, tdomain=[0, 1]))
    (tmp_path / "made.pkl").write_bytes(pickle.dumps([table, Point({"x": 1.5}), step, step.compute("run"), decay]))
    # Importing PyDSTool alone fails and leaves nothing behind; the pickle brings the bridge.
    code = """
import pathlib, pickle, sys
try:
    import PyDSTool
except Exception as problem:
    assert "PyDSTool" not in sys.modules, problem
else:
    raise AssertionError("PyDSTool runs by itself: the bridge is needed no longer")
table, point, step, run, decay = pickle.loads(pathlib.Path("made.pkl").read_bytes())
print(table[1]["y"], table.bylabel("LP")["x"][0], point["x"], step.compute("again")(3)["x"], run(2)["x"])
print(decay.compute("run")(1.0)["x"])
"""
    values = run_fresh(code, tmp_path).split()
    # Halving three times and twice: 1/8 and 1/4; the rest is what was put in.
    assert values[:5] == ["4.0", "2.0", "1.5", "0.125", "0.25"]
    # x(1) = exp(-2) for x' = -2 x, x(0) = 1; the integrator's tolerance is 1e-9.
    assert float(values[5]) == pytest.approx(np.exp(-2.0), abs=1e-7)


def test_stiff_vode_with_a_jacobian_does_not_meet_scipys_defect() -> None:
    from PyDSTool import Generator, args

    made = Generator.Vode_ODEsystem(
        args(
            name="stiff_oscillator",
            varspecs={"x": "y", "y": "mu*(1 - x**2)*y - x"},
            pars={"mu": 100.0},
            ics={"x": 2.0, "y": 0.0},
            tdomain=[0, 300],
            fnspecs={"Jacobian": (["t", "x", "y"], "[[0, 1], [-2*mu*x*y - 1, mu*(1 - x**2)]]")},
            algparams={"stiff": True, "init_step": 1.0, "rtol": 1e-7},
        )
    )
    calls = 0
    solver = made._solver
    original = solver.f

    def counted(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        return original(*arguments)

    solver.f = counted
    run = made.compute("run")
    # SciPy 1.16's VODE takes 3 875 calls, 1.17's 191 408 (measured for this oscillator up to its period).
    assert 0 < calls < 10_000
    # Relaxation oscillation between the branches of the slow manifold: |x| never leaves [0, 2.1].
    assert np.abs(run.sample()["x"]).max() < 2.1


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        # What Python 3.8.18 gives for parser.expr(text).tolist() with single children collapsed and numbers named.
        ("x**2", ["power", ["NAME", "x"], ["DOUBLESTAR", "**"], ["NUMBER", "2"]]),
        (
            "-f(x)**2",
            [
                "factor",
                ["MINUS", "-"],
                [
                    "power",
                    ["atom_expr", ["NAME", "f"], ["trailer", ["LPAR", "("], ["NAME", "x"], ["RPAR", ")"]]],
                    ["DOUBLESTAR", "**"],
                    ["NUMBER", "2"],
                ],
            ],
        ),
        (
            "a+b*c-d",
            [
                "arith_expr",
                ["NAME", "a"],
                ["PLUS", "+"],
                ["term", ["NAME", "b"], ["STAR", "*"], ["NAME", "c"]],
                ["MINUS", "-"],
                ["NAME", "d"],
            ],
        ),
        ("x^2", ["xor_expr", ["NAME", "x"], ["CIRCUMFLEX", "^"], ["NUMBER", "2"]]),
        ("not a<b", ["not_test", ["NAME", "not"], ["comparison", ["NAME", "a"], ["LESS", "<"], ["NAME", "b"]]]),
    ],
)
def test_syntax_trees_are_those_of_the_old_parser(text: str, tree: list[object]) -> None:
    from PyDSTool.parseUtils import string2ast

    assert string2ast(text) == tree


@pytest.mark.parametrize("text", ["if(x, 1, 2)", "1 +", " x", "f(x", "a b", "x[]", "a + not b", "2**", "01"])
def test_what_was_no_expression_is_a_syntax_error(text: str) -> None:
    with pytest.raises(SyntaxError):
        _grammar.expr(text)


def test_differences_are_in_double_precision() -> None:
    from PyDSTool import diff

    # d/dx of sin and of log at points where the exact derivative is cos(x), 1/x; log is undefined 2e-4 to the left.
    assert float(diff(np.sin, 1.0)) == pytest.approx(np.cos(1.0), abs=1e-11)
    with np.errstate(invalid="ignore", divide="ignore"):
        assert float(diff(np.log, 1e-4)) == pytest.approx(1e4, rel=1e-9)


def test_equilibrium_curve_finds_the_fold_of_the_normal_form() -> None:
    from PyDSTool import ContClass, Generator, args

    made = Generator.Vode_ODEsystem(
        args(
            name="fold_form",
            varspecs={"x": "r - x**2", "y": "-y + x"},
            pars={"r": 1.0},
            ics={"x": 1.0, "y": 1.0},
            tdomain=[0, 1],
        )
    )
    np.random.seed(1)  # PyCont borders its test functions at random  # noqa: NPY002
    curves = ContClass(made)
    # A name that is not interned: PyDSTool compares with "is".
    label = "".join(["L", "P"])
    curves.newCurve(
        args(
            name="EQ1",
            type="EP-C",
            freepars=["r"],
            StepSize=0.05,
            MaxStepSize=0.1,
            MaxNumPoints=40,
            LocBifPoints=[label],
        )
    )
    curves["EQ1"].backward()
    fold = curves["EQ1"].getSpecialPoint("LP1")
    # r = x**2 folds at the origin; PyCont's tolerance on its test function is 1e-4.
    assert [float(fold[name]) for name in ("r", "x")] == pytest.approx([0.0, 0.0], abs=1e-4)
    # a = <p, B(q, q)> / 2 with q = (1, 1) / sqrt(2), p = (sqrt(2), 0), B = (-2 q1**2, 0); PyCont reports its size.
    assert abs(fold.labels["LP"]["data"].a) == pytest.approx(np.sqrt(0.5), abs=1e-5)


def test_fixed_point_curve_of_the_henon_map() -> None:
    from PyDSTool import ContClass, Generator, args

    b = 0.3
    made = Generator.MapSystem(
        args(
            name="henon_form",
            varspecs={"x": "a - x**2 + b*y", "y": "x"},
            pars={"a": 0.1, "b": b},
            ics={"x": 0.1, "y": 0.1},
            tdomain=[0, 10],
            ttype=int,
        )
    )
    np.random.seed(1)  # noqa: NPY002
    curves = ContClass(made)
    curves.newCurve(
        args(
            name="FP1",
            type="FP-C",
            freepars=["a"],
            initpoint={"x": 0.1, "y": 0.1},
            StepSize=0.05,
            MaxStepSize=0.1,
            MaxNumPoints=30,
            LocBifPoints="all",
        )
    )
    curves["FP1"].forward()
    curves["FP1"].backward()
    flip, fold = (curves["FP1"].getSpecialPoint(name) for name in ("PD1", "LPC1"))
    # Henon: fold at a = -(1 - b)**2 / 4, flip at a = 3 (1 - b)**2 / 4.
    assert float(flip["a"]) == pytest.approx(0.75 * (1 - b) ** 2, abs=1e-7)
    assert float(fold["a"]) == pytest.approx(-0.25 * (1 - b) ** 2, abs=1e-7)


def test_phase_plane_tools_find_fixed_points_and_nullclines() -> None:
    from PyDSTool import Generator, args
    from PyDSTool.Toolbox.phaseplane import find_fixedpoints, find_nullclines

    made = Generator.Vode_ODEsystem(
        args(
            name="plane",
            varspecs={"x": "x - x**3/3 - y", "y": "0.1*(x + 0.7 - 0.8*y)"},
            ics={"x": 0.0, "y": 0.0},
            tdomain=[0, 1],
            xdomain={"x": [-3, 3], "y": [-3, 3]},
        )
    )
    (point,) = find_fixedpoints(made, n=4, eps=1e-8)
    # FitzHugh-Nagumo without current: x solves x - x**3/3 = (x + 0.7)/0.8, of which -1.19941 is the only real root.
    assert float(point["x"]) == pytest.approx(-1.19941, abs=1e-5)
    nullcline, _ = find_nullclines(made, "x", "y", n=3, max_step=0.1, max_num_points=500)
    assert np.abs(nullcline[:, 0] - nullcline[:, 0] ** 3 / 3 - nullcline[:, 1]).max() < 1e-6


def test_a_missing_tool_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_builder.shutil, "which", lambda _name: None)
    with pytest.raises(_builder.MissingToolError, match=r"need swig and a C compiler.*target='vode'"):
        _builder.setup(ext_modules=[_builder.Extension("_none", ["none.c"])])


@pytest.mark.slow
@pytest.mark.skipif(bool(_builder.missing_tools()), reason="no swig or C compiler here")
def test_dopri_is_built_and_integrates(tmp_path: Path) -> None:
    code = """
import sys; sys.path.insert(0, "")
import gan_bifurcation.interop
from PyDSTool import Generator, args
made = Generator.Dopri_ODEsystem(args(name="decay", varspecs={"x": "-2*x"}, ics={"x": 1.0}, tdomain=[0, 1]))
print(made.compute("run")(1.0)["x"])
"""
    # x(1) = exp(-2); the integrator's tolerance is 1e-9.
    assert float(run_fresh(code, tmp_path).splitlines()[-1]) == pytest.approx(np.exp(-2.0), abs=1e-8)
