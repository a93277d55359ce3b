"""Codimension-two points: curves that start there, the kernel GAN's closed forms, degeneracy and what is refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import gan_bifurcation as gb
from gan_bifurcation.continuation.codimension_two_words import words

equations = gb.System.from_equations


@pytest.mark.parametrize(("label", "kind"), [("LP", "flow"), ("H", "flow"), ("PD", "map"), ("NS", "map")])
def test_derivative_of_a_deciding_coefficient(label: str, kind: str) -> None:
    """Newton's matrix of CP, GH, GPD and CH: exact derivatives against differences of the coefficient itself."""
    from gan_bifurcation.continuation.codimension_two_extended import Deciding
    from gan_bifurcation.continuation.problem import CONDITION_OF, CurveProblem
    from gan_bifurcation.ranges import Range

    fields = {"x": "a*x - 1.1*y + x**2 - x*y**2 + b*x**3", "y": "x + b*y + exp(x*y) + a*x*z**2", "z": "y*x - z + x**3"}
    system = equations(kind, fields, parameters={"a": 0.3, "b": 0.4})  # type: ignore[arg-type]
    windows = {"a": Range(-1.0, 1.0), "b": Range(-2.0, 1.0)}
    problem = CurveProblem(system, windows, CONDITION_OF[kind][label], scale=np.array([1.0, 0.5, 2.0]))
    rng = np.random.default_rng(1)
    u = problem.pack(rng.uniform(-0.5, 0.5, 3), 0.4 if problem.has_kappa else 0.0)
    deciding = Deciding(problem, label, u)
    directions = rng.normal(size=(2, problem.size))
    h = 1e-5
    slopes = [(deciding.at(u + h * d, d[None])[0] - deciding.at(u - h * d, d[None])[0]) / (2 * h) for d in directions]
    assert deciding.at(u, directions)[1] == pytest.approx(slopes, rel=1e-6)


def test_generalised_flip_starts_the_folds_of_period_two() -> None:
    system = equations("map", {"x": "-(1 + a)*x + b*x**3 + x**5"}, parameters={"a": -0.1, "b": 0.3})
    branch = gb.trace(gb.point(system, {"x": 0.0}), {"a": (-0.3, 0.3)})
    window = {"a": (-0.3, 0.3), "b": (-0.5, 0.5)}
    flips = gb.trace(branch["PD"], window)
    assert flips["GPD"].parameters["b"] == pytest.approx(0, abs=1e-12)  # planted
    assert flips["GPD"].normal_form["c"] == pytest.approx(1.0, rel=1e-12)
    (folds,) = (s for s in gb.curves_from(flips["GPD"]) if s.system.iterations == 2)
    curve = gb.trace(folds, window)
    # x -> -x gives x^4 + b x^2 = a, which folds at b^2 = -4 a, b < 0.
    assert np.max(np.abs(curve.column("b") ** 2 + 4 * curve.column("a"))) < 1e-9
    assert np.all(curve.column("b") < 0)
    assert curve.column("b")[-1] == pytest.approx(-0.5) or curve.column("a")[-1] == pytest.approx(-0.3)


@pytest.mark.parametrize(("s", "theta", "e"), [(1, -1.5, 0.7), (1, -0.8, -0.6), (-1, 1.3, 0.5), (-1, 2.0, -0.9)])
def test_torus_of_a_fold_hopf_point(s: int, theta: float, e: float) -> None:
    # The torus is the Hopf cycle of the amplitudes' equilibrium: its sign by the Hopf coefficient of that plane system.
    r = 0.3
    plane = equations(
        "flow",
        {"x": "m + x**2 + s*y**2", "y": "y*(t*x + e*x**2)"},
        parameters={"m": -s * r * r, "s": s, "t": theta, "e": e},
    )
    omega = np.sqrt(-2 * s * theta) * r
    hopf = replace(gb.point(plane, {"x": 0.0, "y": r}), label="H", critical=1j * omega)
    kind = "unstable" if gb.normal_form(hopf)["l1"] > 0 else ", stable"
    assert kind in words("flow", "ZH", {"s": s, "theta": theta, "E": e})[1]


# -- kernel GAN (closed forms: kernel_gan.md 5.3, 5.4) -----------------------------------------------------------------


def test_kernel_gan_resonances() -> None:
    eta_g, lam, p, q = 0.1, 0.5, 1.0, 0.8
    gap = p - q
    game = gb.models.kernel_gan(sigma=0.5, p1=p, q1=q)
    system = gb.system(game, gb.Simultaneous(), eta_d=0.1, eta_g=eta_g, lam=lam)
    branch = gb.trace(gb.point(system), {"sigma": (0.02, 3)})
    window = {"eta_d": (0.01, 3.0), "sigma": (0.02, 3)}
    flips = gb.trace(branch["PD"], window)

    def closed(r: float, sign: float) -> tuple[float, float]:
        """(S + gap)^2 = r p S, h = (S + gap)/p, S = lam^2 sigma^2/(mu q)."""
        b = gap - r * p / 2
        s = -b + sign * np.sqrt(b * b - gap * gap)
        eta_d = (s + gap) / p / lam
        return eta_d, float(np.sqrt(s * eta_g / eta_d * q) / lam)

    corner = flips["R2"]
    assert [corner.parameters["eta_d"], corner.parameters["sigma"]] == pytest.approx(closed(4, -1), rel=1e-8)
    assert corner.normal_form["s"] == 1
    (start,) = (s for s in gb.curves_from(corner) if s.label == "NS")
    circles = gb.trace(start, window)
    found = {label: [p for p in circles.special_points if p.label == label] for label in ("R3", "R4")}
    assert all(found.values())
    for label, r in {"R3": 3.0, "R4": 2.0}.items():
        for point in found[label]:
            here = [point.parameters["eta_d"], point.parameters["sigma"]]
            # K2 of the Fourier kernel differs from 1/sigma^2 by 2e-9.
            assert any(here == pytest.approx(closed(r, sign), rel=1e-8) for sign in (1, -1))
    # The map is odd: no quadratic terms, so b vanishes, and the point says why.
    assert found["R3"][0].normal_form["b"] == 0
    assert found["R3"][0].normal_form["vanishes"] == "vanishes by symmetry"


@pytest.mark.parametrize(("q", "h"), [(1.0, 6 / 7), (0.8, 22 / 27)])
def test_kernel_gan_generalised_flip(q: float, h: float) -> None:
    game = gb.models.kernel_gan(sigma=0.5, p1=1.0, q1=q)
    system = gb.system(game, gb.Alternating(), eta_d=0.1, eta_g=0.1, lam=0.5)
    branch = gb.trace(gb.point(system), {"sigma": (0.02, 3)})
    flips = gb.trace(branch["PD"], {"eta_d": (0.01, 3.0), "sigma": (0.02, 3)})
    # Where the flip of alternating steps changes its criticality, from the cubic reduction: h = 6/7 and 22/27.
    assert 0.5 * flips["GPD"].parameters["eta_d"] == pytest.approx(h, rel=1e-8)
    assert flips["GPD"].normal_form["c"] > 0
    assert flips["GPD"].residual < 1e-12
    # The 24 structural multipliers are no crossings.
    assert {p.label for p in flips.special_points} == {"GPD"}


@pytest.mark.parametrize("x", [0.0, 1e-90, 1e-18])
@pytest.mark.parametrize("b", [-0.5, 0.3])
def test_null_vectors_where_a_column_of_the_jacobian_vanishes(x: float, b: float) -> None:
    from gan_bifurcation.continuation.normal_forms import Coefficients

    system = equations("flow", {"x": "y", "y": "a + b*y + x**2 - x*y"}, parameters={"a": 0.0, "b": 0.0})
    # A = [[0, 1], [0, b]] at the fold x = y = 0: q = (1, 0), p = (1, -1/b), so a = <p, B(q, q)> / 2 = -1/b.
    assert Coefficients(system, "LP").at(np.array([x, 0.0, 0.0, b]), 0j).value.real == pytest.approx(-1 / b, rel=1e-12)


# -- what is refused, or said ------------------------------------------------------------------------------------------


PAIRS = {"p11": 1.0, "p12": -1.7, "p21": 1.4, "p22": -0.8, "theta": 2.1, "delta": 1.4, "determinant": 1.6, "torus": 0.0}
UNDECIDED: dict[str, list[dict[str, Any]]] = {
    "CP": [{"c": 0.0}],
    "BT": [{"s": 0}],
    "GH": [{"l2": 0.0}],
    "GPD": [{"c": 0.0}],
    "CH": [{"c": 0.0}],
    "R1": [{"s": 0}],
    "R2": [{"s": 0, "D1": 1.0}, {"s": 1, "D1": 0.0}],
    "R3": [{"b": 1.0, "c1": 0j}, {"b": 0.0, "c1": 0j}],
    "R4": [{}, {"A0": 1j, "excess": 0.0}, {"A0": 2j, "excess": 1.0}],
    "ZH": [{"s": 0}, {"s": 1, "theta": 0.0, "E": 1.0}, {"s": 1, "theta": -1.0, "E": 0.0}],
    "LPPD": [{"s": 0}, {"s": -1, "theta": 0.0, "E": 1.0}, {"s": -1, "theta": 1.0, "E": 0.0}],
    "HH": [{"p11": 0.0, "p22": 1.0}, PAIRS, PAIRS | {"determinant": 0.0}],
}


@pytest.mark.parametrize("label", list(UNDECIDED))
def test_no_word_is_said_on_what_vanishes(label: str) -> None:
    for form in UNDECIDED[label]:
        _, sentence = words("flow" if label in ("BT", "GH", "ZH", "HH") else "map", label, form)
        assert "stable" not in sentence
        assert "vanish" in sentence or "rounding" in sentence or form.get("excess")


def test_symmetric_pairs_and_bad_input_are_said() -> None:
    # Two equal pairs cross together on the curve of a third one.
    eqs: dict[str, str] = {}
    for i in (1, 2):
        eqs |= {f"x{i}": f"-2*y{i} + b*x{i} - x{i}**3", f"y{i}": f"2*x{i} + b*y{i}"}
    eqs |= {"u": "-v + a*u - u**3", "v": "u + a*v"}
    system = equations("flow", eqs, parameters={"a": -0.5, "b": -0.2})
    branch = gb.trace(gb.point(system, np.zeros(6)), {"a": (-1, 1)})
    curve = gb.trace(branch["H"], {"a": (-1, 1), "b": (-1, 1)})
    (p,) = curve.special_points
    assert (p.label, p.multiplicity) == ("HH", 2)
    assert "together" in p.note
    assert not p.normal_form
    with pytest.raises(gb.MisuseError, match="2 critical eigenvalues or pairs cross together, so several curves pass"):
        gb.curves_from(p)
    with pytest.raises(gb.MisuseError, match="codimension two"):
        gb.curves_from(branch["H"])
    with pytest.raises(gb.MisuseError, match="more critical eigenvalue"):
        gb.normal_form(replace(p, multiplicity=1))


def test_a_bogdanov_takens_point_whose_states_are_measured_in_units_far_apart() -> None:
    # Planted w0' = w1, w1' = w0^2 - w0 w1, w2' = -w2 + w0^2 in turned coordinates and these units: a / b is in no unit.
    turned = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    units = np.array([1e-5, 1.0, 1e5])

    def field(x: Any, _: Any) -> list[Any]:
        w = [sum(float(turned[j, i] / units[j]) * x[j] for j in range(3)) for i in range(3)]
        image = [w[1], w[0] ** 2 - w[0] * w[1], w[0] ** 2 - w[2]]
        return [sum(float(units[i] * turned[i, j]) * image[j] for j in range(3)) for i in range(3)]

    system = gb.System.from_function(field, kind="flow", states=["x", "y", "z"], parameters={"p": 0.0})
    form = gb.normal_form(replace(gb.point(system, np.zeros(3)), label="BT"))
    assert form["a"] / form["b"] == pytest.approx(-1.0, rel=1e-8)
    assert form["s"] == -1
