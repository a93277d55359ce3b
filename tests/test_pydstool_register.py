"""Systems, branches and orbits as native PyDSTool objects, and back."""

import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gan_bifurcation as gb
from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.derived import iterate, tie
from gan_bifurcation.errors import MisuseError, Outcome, UnknownNameError
from gan_bifurcation.interop import _builder
from gan_bifurcation.interop.pydstool import (
    from_pydstool,
    from_pydstool_name,
    name_map,
    register,
    to_contclass,
    to_pointset,
    to_pydstool_name,
    to_trajectory,
)
from gan_bifurcation.system import System

# Every name here is one that PyDSTool keeps for itself, misreads, or silently takes for a function of math.
AWKWARD = System.from_equations(
    "flow",
    {"gamma": "e*tau - gamma*beta + e1", "psi": "gamma - t*psi + sample", "E": "_hidden - E*gamma_"},
    {"e": 2.0, "tau": 0.5, "beta": 0.3, "e1": 0.1, "t": 1.5, "sample": 0.2, "_hidden": 0.4, "gamma_": 0.7},
    name="awkward names",
)
FUNCTIONS = System.from_equations(
    "flow",
    {
        "x": "erf(x) + erfc(2*x) + logsigmoid(40*x) + softplus(30*x) + sigmoid(-50*x) + 1/3",
        "y": "abs(y) + min(x, y) + max(x, y, r) + sign(x) + where(x > 0, y, x**2) - 1e-7*x",
        "z": "where((x > 0 and y < 1) or not y > r, y, x**2) + piecewise(x > 1, 1, x > 0, x, sqrt(1 + x**2))",
        "w": "tan(0.3*w) + atan(x)*asin(0.1*tanh(x)) + acos(0.2*tanh(y))*sinh(x)*cosh(x) + log(1 + x**2)**2"
        " + (1 + x**2)**(-r) + exp(-x**2/2)/sqrt(1 + x**2) + pi*cos(y)*sin(y)/(1 + x**2)**3",
    },
    {"r": 0.3},
    name="functions",
)
HENON = System.from_equations("map", {"x": "a - x**2 + b*y", "y": "x"}, {"a": 0.1, "b": 0.3}, name="henon")
LONG = gb.system(gb.models.dirac_gan(), gb.Alternating(discriminator_steps=5))
SYSTEMS = {
    "awkward": AWKWARD,
    "functions": FUNCTIONS,
    "henon": HENON,
    "third iterate": iterate(HENON, 3),
    "twelfth iterate": iterate(HENON, 12),
    "one state": System.from_equations("flow", {"x": "r - x**3/3"}, {"r": 1.0}, name="one"),
    "tied": tie(gb.system(gb.models.dirac_gan(), gb.Alternating()), eta_g="2*eta_d"),
    "alternating": LONG,
    "alternating, iterated": iterate(LONG, 3),
    "kernel flow": gb.system(gb.models.kernel_gan(), gb.Flow()),
    "kernel alternating": gb.system(gb.models.kernel_gan(), gb.Alternating()),
}
_DONE = Outcome("end", "The end of the range was reached.", True)


def native(system: System, generator: Any, x: np.ndarray, p: np.ndarray) -> tuple[dict[str, float], dict[str, float]]:
    """A state and parameters under the generator's names."""
    names = name_map(generator)
    return (
        {names[key]: float(value) for key, value in zip(system.states, x, strict=True)},
        {names[key]: float(value) for key, value in zip(system.parameters, p, strict=True)},
    )


def order(system: System, generator: Any) -> list[int]:
    """Where our states are in PyDSTool's vectors."""
    names = name_map(generator)
    return [sorted(names[state] for state in system.states).index(names[state]) for state in system.states]


@pytest.mark.parametrize("label", SYSTEMS)
def test_the_registered_right_hand_side_is_the_systems(label: str) -> None:
    system = SYSTEMS[label]
    generator = register(system)
    rng = np.random.default_rng(len(label))
    where = order(system, generator)
    back = from_pydstool(generator)
    assert back.states == system.states
    assert dict(back.parameters) == pytest.approx(dict(system.parameters), abs=0)
    for _ in range(4):
        x = 0.5 * rng.normal(size=system.n)
        p = system.parameter_vector() * rng.uniform(0.7, 1.4, system.m)
        state, parameters = native(system, generator, x, p)
        # The tape is an independent evaluation of the same equations.
        expected = system.rhs(x, p)
        got = np.asarray(generator.Rhs(0, state, parameters, asarray=True))[where]
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(back.rhs(x, p), expected, rtol=1e-12, atol=1e-12)
        if system.kind == "flow":
            jacobian = np.asarray(generator.Jacobian(0, state, parameters, asarray=True)).reshape(system.n, system.n)
            np.testing.assert_allclose(
                jacobian[np.ix_(where, where)], system.jacobian(x, p)[:, : system.n], rtol=1e-12, atol=1e-12
            )


def test_flows_have_their_jacobian_and_maps_have_none() -> None:
    # PyDSTool recurses for ever with the Jacobian of a map.
    assert register(FUNCTIONS).haveJacobian()
    assert not register(HENON).haveJacobian()


@pytest.mark.parametrize(
    "name", ["gamma", "gamma_", "gamma__", "t", "e", "e1", "n_e1", "_x", "n__x", "sigma", "Exp", "x1_1"]
)
def test_names_go_over_the_border_and_back(name: str) -> None:
    assert from_pydstool_name(to_pydstool_name(name)) == name


def test_different_names_stay_different() -> None:
    names = ["gamma", "gamma_", "gamma__", "e1", "n_e1", "n_n_e1", "_e1", "_", "t", "t_", "tau", "sample"]
    assert len({to_pydstool_name(name) for name in names}) == len(names)
    assert name_map(register(AWKWARD))["gamma"] == "gamma_"


def test_a_generator_computes_with_initial_conditions_and_interval() -> None:
    decay = System.from_equations("flow", {"x": "-gamma*x"}, {"gamma": 2.0})
    run = register(decay, initial={"x": 3.0}, interval=(0.0, 1.0)).compute("run")
    # x(1) = 3 exp(-2); Vode's tolerance is 1e-9.
    assert float(run(1.0)["x"]) == pytest.approx(3.0 * np.exp(-2.0), abs=1e-7)
    doubling = System.from_equations("map", {"x": "2*x"})
    # 2**5 times 1.5.
    assert float(register(doubling, initial={"x": 1.5}, interval=(0, 5)).compute("run")(5)["x"]) == 48.0


def test_registered_generators_unpickle_in_a_fresh_process(tmp_path: Path) -> None:
    made = [register(LONG, initial={"psi": 0.1, "theta": 0.2}), register(AWKWARD)]
    (tmp_path / "made.pkl").write_bytes(pickle.dumps(made))
    code = """
import pathlib, pickle
alternating, awkward = pickle.loads(pathlib.Path("made.pkl").read_bytes())
from gan_bifurcation.interop import from_pydstool, name_map
print(name_map(awkward)["t"], *from_pydstool(alternating).rhs([0.1, 0.2]).tolist())
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(gb.__file__).parents[1]), "MPLBACKEND": "agg"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    name, *values = done.stdout.split()
    assert name == "t_"
    states = dict(zip(LONG.states, [0.1, 0.2], strict=True))
    np.testing.assert_allclose(list(map(float, values)), LONG.rhs(list(states.values())), rtol=1e-12)


def test_misuse_is_refused() -> None:
    with pytest.raises(MisuseError, match="MapSystem, without a target"):
        register(HENON, "vode")
    with pytest.raises(UnknownNameError, match="Did you mean 'dopri'"):
        register(AWKWARD, "dopr")  # type: ignore[arg-type]
    with pytest.raises(MisuseError, match="number of iterations"):
        register(HENON, interval=(0.5, 3.0))
    with pytest.raises(MisuseError, match="expected a PyDSTool MapSystem"):
        from_pydstool("henon")


def test_expectations_are_written_out_unless_they_are_too_long() -> None:
    from gan_bifurcation.expressions import Mean, gauss_hermite, symbol

    x, sigma = symbol("x"), symbol("sigma")

    def smoothed(order: int) -> System:
        table = gauss_hermite("z", order)
        return System(
            "flow", "smoothed", ("x",), {"sigma": 0.5}, (), (-Mean((x + sigma * table.columns[0]) ** 3, table),)
        )

    system = smoothed(20)
    generator = register(system)
    # E (x + s z)**3 = x**3 + 3 x s**2 for a standard normal z.
    assert float(np.asarray(generator.Rhs(0, {"x": 2.0}, {"sigma": 0.5}, asarray=True))[0]) == pytest.approx(
        -9.5, rel=1e-13
    )
    wide = System(
        "flow", "wide", ("x",), {"sigma": 0.5}, (), (sum(smoothed(150 - k).rhs_expressions[0] for k in range(80)),)
    )
    with pytest.raises(MisuseError, match="when written out for PyDSTool"):
        register(wide)


def test_foreign_generators_are_translated() -> None:
    from PyDSTool import Generator, args

    made = Generator.Vode_ODEsystem(
        args(
            name="foreign",
            varspecs={
                "v": "v - v^3/3 - gate(w, 2) + if(v > 0, k, -k) + heav(v)",
                "w": "pow(v, 2)*q - special_erf(w)",
                "s": "v+w",
            },
            auxvars=["s"],
            pars={"k": 0.3, "eps": 0.1},
            ics={"v": 0.0, "w": 0.0},
            tdomain=[0, 10],
            fnspecs={"gate": (["u", "n"], "half(u)*n + eps"), "half": (["z"], "z/2")},
            vfcodeinsert_start="q = eps*v",
            ignorespecial=["q"],
        )
    )
    system = from_pydstool(made)
    assert (system.kind, system.states, dict(system.parameters)) == ("flow", ("v", "w"), {"eps": 0.1, "k": 0.3})
    v, w, k, eps = 1.5, 0.25, 0.3, 0.1
    # Written out by hand from the specification above; erf(0.25) is from Abramowitz and Stegun, table 7.1.
    expected = [v - v**3 / 3 - (w / 2 * 2 + eps) + k + 1.0, v**2 * (eps * v) - 0.276326390168237]
    np.testing.assert_allclose(system.rhs([v, w]), expected, rtol=1e-13)


@pytest.mark.parametrize(
    ("specs", "more", "message"),
    [
        ({"x": "sin(t) - x"}, {}, "uses the time t"),
        ({"x": "-x + atan2(x, 1)"}, {}, "atan2"),
        ({"x": "f(x)"}, {"fnspecs": {"f": (["u"], "g(u)"), "g": (["u"], "f(u)")}}, "calls itself"),
        ({"x": "-x"}, {"vfcodeinsert_start": "import os"}, "'import os' is not an assignment"),
    ],
)
def test_what_cannot_be_translated_is_named(specs: dict[str, str], more: dict[str, Any], message: str) -> None:
    from PyDSTool import Generator, args

    made = Generator.Vode_ODEsystem(args(name="strange", varspecs=specs, ics={"x": 0.0}, tdomain=[0, 1], **more))
    with pytest.raises(MisuseError, match=f"'strange' cannot be translated.*{message}"):
        from_pydstool(made)


# -- curves ------------------------------------------------------------------------------------------------------------
def branch_of(
    system: System,
    free: tuple[str, ...],
    curve: str,
    states: Sequence[Any],
    parameters: Sequence[Any],
    special: Sequence[tuple[str, Sequence[float], Sequence[float], float, dict[str, Any]]] = (),
) -> Branch:
    """A branch from points known in closed form."""

    def at(values: Sequence[float]) -> System:
        return system.with_parameters(**dict(zip(free, map(float, values), strict=True)))

    def spectrum(here: System, x: Any) -> Any:
        return np.linalg.eigvals(here.jacobian(x)[:, : here.n]).astype(complex)

    points = tuple(
        Point(at(p), np.array(x, float), spectrum(at(p), x), label, f"{label}1", form, free=free, index=index)
        for label, x, p, index, form in special
    )
    spectra = np.array([spectrum(at(p), x) for x, p in zip(states, parameters, strict=True)])
    growth = spectra.real if system.kind == "flow" else np.abs(spectra) - 1.0
    return Branch(
        system, free, curve, np.array(parameters, float), np.array(states, float), spectra, (growth > 1e-9).sum(axis=1),
        points, (_DONE, _DONE),
    )  # fmt: skip


FOLD = System.from_equations("flow", {"x": "gamma - x**2", "y": "x - y"}, {"gamma": 1.0}, name="fold form")


def fold_branch() -> Branch:
    x = np.linspace(1.0, -0.8, 19)
    return branch_of(
        FOLD, ("gamma",), "equilibria", np.c_[x, x], np.c_[x**2], [("LP", [0, 0], [0.0], 10.0, {"a": -np.sqrt(0.5)})]
    )


def henon_branch() -> Branch:
    x, b = np.linspace(-0.6, 0.6, 40), 0.3
    # Fixed points: a = x**2 + (1 - b) x; fold at x = -(1 - b)/2, flip at x = (1 - b)/2.
    special = [
        ("LP", [-0.35, -0.35], [-0.25 * 0.49], 39 * 0.25 / 1.2, {}),
        ("PD", [0.35, 0.35], [0.75 * 0.49], 39 * 0.95 / 1.2, {"b": 1.0}),
    ]
    return branch_of(HENON, ("a",), "fixed points", np.c_[x, x], np.c_[x**2 + (1 - b) * x], special)


def test_an_equilibrium_branch_becomes_a_curve_that_pycont_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib.pyplot as plt
    from PyDSTool import args

    np.random.seed(1)  # noqa: NPY002 -- PyCont draws its borders at random
    curves = to_contclass(fold_branch())
    curve = curves["EQ"]
    fold = curve.getSpecialPoint("LP1")
    assert [float(fold[name]) for name in ("gamma_", "x", "y")] == [0.0, 0.0, 0.0]
    assert fold.labels["LP"]["data"].a == -np.sqrt(0.5)
    # With x > 0 both eigenvalues, -2 x and -1, are negative; with x < 0 one is positive.
    assert [curve.sol[index].labels["EP"]["stab"] for index in (0, -1)] == ["S", "N"]
    curve.MaxNumPoints = 8
    before = len(curve.sol)
    curve.forward()
    curve.backward()
    assert len(curve.sol) > before + 8
    for index in (0, -1):
        # PyCont's own points lie on gamma = x**2 (its tolerance is 1e-6), beyond our ends on both sides.
        assert float(curve.sol[index]["gamma_"]) == pytest.approx(float(curve.sol[index]["x"]) ** 2, abs=1e-6)
    assert float(curve.sol[0]["x"]) > 1.0
    assert float(curve.sol[-1]["x"]) < -0.8
    curves.newCurve(args(name="again", type="EP-C", freepars=["gamma_"], initpoint="EQ:LP1", MaxNumPoints=5))
    curves["again"].forward()
    last = curves["again"].sol[-1]
    assert float(last["gamma_"]) == pytest.approx(float(last["x"]) ** 2, abs=1e-6)
    curves.display(("gamma_", "x"), stability=True)
    curves.plot.clearall()
    curves.plot.deleteall()
    plt.close("all")


def test_a_fixed_point_branch_switches_to_the_doubled_period() -> None:
    from PyDSTool import args

    np.random.seed(1)  # noqa: NPY002
    curves = to_contclass(henon_branch())
    flip, fold = (curves["FP"].getSpecialPoint(name) for name in ("PD1", "LPC1"))
    assert float(flip["a"]) == pytest.approx(0.75 * 0.49, abs=1e-12)
    assert float(fold["a"]) == pytest.approx(-0.25 * 0.49, abs=1e-12)
    direction = flip.labels["PD"]["data"].branch
    curves.newCurve(
        args(name="P2", type="FP-C", period=2, initpoint="FP:PD1", initdirec=direction, freepars=["a"], MaxNumPoints=15)
    )
    curves["P2"].forward()
    x, y, a = (float(curves["P2"].sol[-1][name]) for name in ("x", "y", "a"))
    # The 2-cycle of Henon's map: x + y = 1 - b and x y = (1 - b)**2 - a.
    assert abs(x - y) > 0.1
    assert [x + y, x * y] == pytest.approx([0.7, 0.49 - a], abs=1e-5)


_T = np.linspace(0.1, 0.5, 15)
CUSP = System.from_equations("flow", {"x": "h + r*x - x**3", "y": "x - y"}, {"h": 0.0, "r": 1.0}, name="cusp form")
DELAYED = System.from_equations(
    "map", {"x": "y", "y": "a*y*(1 - x) - c*y"}, {"a": 2.0, "c": 0.0}, name="delayed logistic"
)
ROTOR = System.from_equations(
    "flow", {"x": "y", "y": "-k*x + (m - w)*y - x**2*y"}, {"m": 1.0, "w": 1.0, "k": 1.0}, name="rotor"
)


@pytest.mark.parametrize(
    ("points", "name", "left_over"),
    [
        # Folds of h + r x - x**3: r = 3 x**2, h = -2 x**3.
        (
            (CUSP, ("h", "r"), "LP", np.c_[_T, _T], np.c_[-2 * _T**3, 3 * _T**2]),
            "LP",
            lambda q: [q["h"] + 2 * q["x"] ** 3, q["r"] - 3 * q["x"] ** 2],
        ),
        # Henon: flips at a = 3 (1 - b)**2 / 4, folds at a = -(1 - b)**2 / 4.
        (
            (HENON, ("a", "b"), "PD", np.c_[(1 - _T) / 2, (1 - _T) / 2], np.c_[0.75 * (1 - _T) ** 2, _T]),
            "FL",
            lambda q: [q["a"] - 0.75 * (1 - q["b"]) ** 2],
        ),
        (
            (HENON, ("a", "b"), "LP", np.c_[(_T - 1) / 2, (_T - 1) / 2], np.c_[-0.25 * (1 - _T) ** 2, _T]),
            "FD",
            lambda q: [q["a"] + 0.25 * (1 - q["b"]) ** 2],
        ),
        # Delayed logistic map: at x = 1 - (1 + c)/a the determinant a x is 1 on a = 2 + c.
        (
            (DELAYED, ("a", "c"), "NS", np.c_[1 - (1 + _T) / (2 + _T), 1 - (1 + _T) / (2 + _T)], np.c_[2 + _T, _T]),
            "NS",
            lambda q: [q["a"] - 2 - q["c"]],
        ),
        # A damped oscillator whose damping m - w vanishes; PyCont's _k is the squared frequency k = 1.
        (
            (ROTOR, ("m", "w"), "H", np.zeros((15, 2)), np.c_[_T, _T]),
            "HC",
            lambda q: [q["m"] - q["w"], q["_k"] - 1.0],
        ),
    ],
    ids=["folds", "flips", "folds of maps", "Neimark-Sacker", "Hopf"],
)
def test_pycont_goes_on_along_two_parameter_curves(points: Any, name: str, left_over: Any) -> None:
    np.random.seed(1)  # noqa: NPY002
    curve = to_contclass(branch_of(*points))[name]
    before = len(curve.sol)
    np.testing.assert_allclose(left_over(curve.sol[0]), 0.0, atol=1e-12)
    curve.MaxNumPoints = 6
    curve.forward()
    assert len(curve.sol) > before + 3
    # PyCont's tolerance is 1e-6.
    np.testing.assert_allclose(left_over(curve.sol[-1]), 0.0, atol=1e-5)


def test_a_curve_that_pycont_lacks_is_refused() -> None:
    branch = branch_of(FOLD, ("gamma",), "BP", [[0.0, 0.0]], [[0.0]])
    with pytest.raises(MisuseError, match="PyCont has no curve of 'BP' for a flow; it has H, LP, equilibria"):
        to_contclass(branch)


def test_pointsets_and_trajectories_hold_the_numbers_and_pickle() -> None:
    table = pickle.loads(pickle.dumps(to_pointset(fold_branch())))  # noqa: S301 -- our own bytes
    assert len(table) == 20
    assert table.bylabel("LP")["gamma_"][0] == 0.0

    @dataclass(frozen=True)
    class Orbit:
        times: Any
        states: Any
        names: tuple[str, ...]

    times = np.linspace(0.0, 1.0, 201)
    flow = to_trajectory(Orbit(times, np.c_[np.sin(times), times], ("gamma", "x")))
    # Linear interpolation on steps of 0.005: the error is below 0.005**2 / 8.
    assert float(flow(0.5025)["gamma_"]) == pytest.approx(np.sin(0.5025), abs=4e-6)
    steps = to_trajectory(Orbit(np.arange(4), np.array([[1.0], [2.0], [4.0], [8.0]]), ("x",)))
    assert float(pickle.loads(pickle.dumps(steps))(3)["x"]) == 8.0  # noqa: S301 -- our own bytes
    with pytest.raises(MisuseError, match=r"expected \(4, 2\)"):
        to_trajectory(Orbit(np.arange(4), np.zeros((4, 1)), ("x", "y")))


@pytest.mark.usefixtures("built_in_haste")
@pytest.mark.skipif(bool(_builder.missing_tools()), reason="no swig or C compiler here")
def test_dopri_has_the_same_right_hand_side_and_new_equations_are_new() -> None:
    generator = register(FUNCTIONS, "dopri", interval=(0.0, 1e-3))
    rng = np.random.default_rng(3)
    where = order(FUNCTIONS, generator)
    for _ in range(4):
        x, p = 0.5 * rng.normal(size=FUNCTIONS.n), np.array([0.3])
        state, parameters = native(FUNCTIONS, generator, x, p)
        generator.set(ics=state)
        generator.compute("run")
        got = np.asarray(generator.Rhs(0, state, parameters, asarray=True))[where]
        np.testing.assert_allclose(got, FUNCTIONS.rhs(x, p), rtol=1e-12, atol=1e-12)
        jacobian = np.asarray(generator.Jacobian(0, state, parameters, asarray=True))[np.ix_(where, where)]
        np.testing.assert_allclose(jacobian, FUNCTIONS.jacobian(x, p)[:, : FUNCTIONS.n], rtol=1e-12, atol=1e-12)
    back = from_pydstool(generator)
    np.testing.assert_allclose(back.rhs(x, p), FUNCTIONS.rhs(x, p), rtol=1e-12, atol=1e-12)
    # PyDSTool alone goes on with the old vector field if the name is the same.
    finals = []
    for rate in ("1", "2"):
        decay = System.from_equations("flow", {"x": f"-{rate}*x"}, name="decay")
        finals.append(float(register(decay, "dopri", initial={"x": 1.0}, interval=(0.0, 1.0)).compute("run")(1.0)["x"]))
    # exp(-1) and exp(-2); Dopri's tolerance is 1e-9.
    assert finals == pytest.approx([np.exp(-1.0), np.exp(-2.0)], abs=1e-8)


@pytest.mark.slow
@pytest.mark.usefixtures("built_in_haste")
@pytest.mark.skipif(bool(_builder.missing_tools(fortran=True)), reason="no swig, C or Fortran compiler here")
def test_radau_integrates() -> None:
    decay = System.from_equations("flow", {"gamma": "-2*gamma"}, name="decay")
    run = register(decay, "radau", initial={"gamma": 1.0}, interval=(0.0, 1.0)).compute("run")
    # exp(-2); Radau's tolerance is 1e-9.
    assert float(run(1.0)["gamma_"]) == pytest.approx(np.exp(-2.0), abs=1e-7)
