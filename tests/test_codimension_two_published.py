"""Codimension-two points with published values, or values of another program."""

import numpy as np
import pytest

import gan_bifurcation as gb
from gan_bifurcation.continuation.codimension_two import same_point

equations = gb.System.from_equations


def test_lorenz_84() -> None:
    equations_ = {"x": "-y**2 - z**2 - a*x + a*F", "y": "x*y - b*x*z - y + G", "z": "b*x*y + x*z - z"}
    system = equations("flow", equations_, parameters={"a": 0.25, "b": 4.0, "F": 3.0, "G": 0.5})
    (start,) = gb.find_equilibria(system).points
    branch = gb.trace(start, {"F": (0, 6)})
    window = {"F": (-1, 6), "G": (-0.1, 6)}
    folds, hopf = gb.trace(branch["LP1"], window), gb.trace(branch["H1"], window)
    # Shilnikov, Nicolis, Nicolis 1995: fold-Hopf at (G, F) = (1.683, 1.684), cusp at (0.292, 0.466).
    for p in (folds["ZH"], hopf["ZH"]):
        assert (p.parameters["G"], p.parameters["F"]) == pytest.approx((1.682969, 1.684052), abs=1e-6)
        assert p.normal_form["s"] == 1
        assert p.normal_form["theta"] < 0
    assert same_point(folds["ZH"], hopf["ZH"], 1e-11)
    assert (folds["CP"].parameters["G"], folds["CP"].parameters["F"]) == pytest.approx((0.292, 0.466), abs=5e-4)


def test_catalytic_oscillator() -> None:
    z = "(1 - x - y - s)"
    system = equations(
        "flow",
        {
            "x": f"2*q1*{z}**2 - 2*q5*x**2 - q3*x*y",
            "y": f"q2*{z} - q6*y - q3*x*y",
            "s": f"q4*{z} - k*q4*s",
        },
        parameters={"q1": 2.5, "q2": 2.204678, "q3": 10, "q4": 0.0675, "q5": 1.0, "q6": 0.1, "k": 0.4},
    )
    branch = gb.trace(gb.point(system, {"x": 0.00295, "y": 0.76211, "s": 0.16781}), {"q2": (0.5, 2.5)})
    window = {"q2": (0.2, 3), "k": (1e-4, 5)}
    folds = gb.trace(branch["LP1"], window)
    # From the defining polynomials, extended by null vectors, by mpmath with 40 digits.
    cusp = folds["CP"]
    assert cusp.x == pytest.approx([0.03594063654889181, 0.3520054309466027, 0.4513701117384073], rel=1e-12)
    assert cusp.parameters["k"] == pytest.approx(0.3559912732086765, rel=1e-12)
    assert cusp.normal_form["c"] == pytest.approx(0.3627886568894506, rel=1e-10)
    double = min((p for p in folds.special_points if p.label == "BT"), key=lambda p: -p.parameters["q2"])
    where = [double.parameters["q2"], double.parameters["k"]]
    assert where == pytest.approx([1.417627637600646, 0.9713975734853134], rel=1e-12)
    form = double.normal_form
    assert [abs(form["a"]), abs(form["b"])] == pytest.approx([0.08378444142286327, 2.136279925116788], rel=1e-10)
    assert form["a"] * form["b"] > 0
    # The Hopf curve that starts there ends in the other BT point and meets two Bautin points on its way.
    (hopf,) = (s for s in gb.curves_from(double) if s.label == "H")
    curve = gb.trace(hopf, window)
    assert sorted(p.label for p in curve.special_points) == ["BT", "BT", "GH", "GH"]
    # Its Bautin points: BifurcationKit.jl, test/hopf_codim_2/COModel.jl (G21 = 2 c1, G32 = 12 c2, l2 = Re c2 there).
    first, second = sorted((p for p in curve.special_points if p.label == "GH"), key=lambda p: -p.parameters["k"])
    assert [first.parameters[name] for name in ("k", "q2")] == pytest.approx([0.305879, 0.924255], rel=1e-4)
    assert 2 * second.normal_form["c1"].imag == pytest.approx(-24.9125, rel=1e-5)
    assert 12 * second.normal_form["c2"] == pytest.approx(-9322.74711 + 51539.23090j, rel=3e-5)
    # What issue 5 demands of an extended system.
    assert max(p.residual for p in (*folds.special_points, *curve.special_points)) < 1e-12


def test_extended_lorenz_84() -> None:
    fields = {"x": "-y**2 - z**2 - x/4 + f/4 - g*u**2", "y": "x*y - x*z - y + 1/4", "z": "x*y + x*z - z"}
    system = equations(
        "flow", fields | {"u": "-d*u + g*u*x + t"}, parameters={"f": 3.0, "t": 0.04, "g": 0.987, "d": 1.04}
    )
    start = gb.point(system, [2.97870044, -0.03868303, 0.05823274, -0.02105288])
    window = {"f": (0.5, 3.2), "t": (-0.1, 0.1)}
    branch = gb.trace(start, {"f": (-1.5, 3.0)})
    # BifurcationKit.jl, test/hopf_codim_2/lorenz84.jl: brackets of three Hopf points and the fold, then the
    # coefficients of Bogdanov-Takens after Newton's method, and of Bautin where its events leave the point.
    brackets = [(2.859863, 2.859898), (2.467211, 2.467247), (1.619657, 1.619666)]
    found = [p.parameters["f"] for p in branch.special_points]
    assert all(low <= f <= high for f, (low, high) in zip(found[:3], brackets, strict=True))
    assert found[3] == pytest.approx(1.5466483727, abs=1e-9)
    hopf = gb.trace(branch["H2"], window)
    form = hopf["BT"].normal_form
    assert [form["a"], form["b"]] == pytest.approx([0.2144233509273467, 0.6065145518280868], rel=1e-12)
    form = hopf["GH"].normal_form
    assert form["omega"] == pytest.approx(0.69036367, abs=1e-5)
    assert 12 * form["c2"] == pytest.approx(1.86946 - 49.45636j, abs=4e-3)
    assert hopf["HH"].parameters["t"] == pytest.approx(0.02627393, rel=1e-5)
    assert sorted(p.label for p in gb.trace(branch["LP1"], window).special_points) == ["BT", "BT", "CP", "ZH", "ZH"]


def henon() -> gb.System:
    """Kuznetsov and Meijer's generalised Henon map, which has every resonance."""
    return equations(
        "map",
        {"x": "y", "y": "alpha - beta*x - y**2 + R*x*y + S*y**3"},
        parameters={"alpha": -0.2, "beta": 0.2, "R": -0.1, "S": 0.12},
    )


def test_generalised_henon() -> None:
    start = min(gb.find_equilibria(henon(), {"x": (-3, 3), "y": (-3, 3)}).points, key=lambda p: -p.x[0])
    branch = gb.trace(start, {"alpha": (-3, 6)})
    window = {"alpha": (-4, 8), "beta": (-2, 2.5)}
    flips = gb.trace(branch["PD"], window)
    folds = gb.trace(branch["LP"], window)
    # Trace t = (R - 2) y + 3 S y^2 and determinant d = beta - R y of the Jacobian.
    for p, (t, d) in {
        folds["R1"]: (2, 1), flips["R2"]: (-2, 1), folds["LPPD"]: (0, -1), flips["LPPD"]: (0, -1)
    }.items():  # fmt: skip
        y = p.x[1]
        assert [-2.1 * y + 0.36 * y * y, p.parameters["beta"] + 0.1 * y] == pytest.approx([t, d], abs=1e-12)
    assert same_point(folds["LPPD"], flips["LPPD"])
    starts = {s.name: s for s in gb.curves_from(flips["R2"])}
    assert set(starts) == {"PD", "NS", "NS of the second iterate"}
    circles = gb.trace(starts["NS"], window)
    assert {p.label for p in circles.special_points} == {"R1", "R2", "R3", "R4"}
    assert "saddle orbit of period three" in circles["R3"].normal_form["meaning"]
    # AUTO-07p (IPS = -1, two-parameter curves of PD and TR) labels and prints them so.
    printed = {
        "R1": (-9.02778e-01, 1.08333e00), "R2": (3.62762e00, 8.80129e-01), "R3": (1.30265e00, 9.47690e-01),
        "R4": (0.0, 1.0),
    }  # fmt: skip
    for label, where in printed.items():
        p = circles[label]
        assert [p.parameters[name] for name in ("alpha", "beta")] == pytest.approx(where, rel=1e-5, abs=1e-8)
    # MatContM (see below): nf_R2m, nf_R3m, nf_R4m.
    form = circles["R2"].normal_form
    assert [4 * form["c"], form["D1"]] == pytest.approx([-0.5063068312315, -0.01671164609607], rel=1e-9)
    assert circles["R3"].normal_form["a"] == pytest.approx(-0.02585620811812, rel=1e-9)
    assert circles["R4"].normal_form["A0"] == pytest.approx(-0.06566023378623 - 1.796702760878j, rel=1e-10)
    # Curves of iterates: |multiplier| = 1 for a point that the map itself moves.
    second = gb.trace(starts["NS of the second iterate"], window, max_points=40)
    for p in (second.point(0), second.point(len(second) // 2)):
        assert np.min(np.abs(np.abs(p.multipliers) - 1)) < 1e-9
        assert np.linalg.norm(henon().with_parameters(**p.parameters).rhs(p.x) - p.x) > 1e-3
    # What R2 and LPPD say of those circles, the Neimark-Sacker coefficient of the second iterate says beside them.
    assert "its circles unstable" in flips["R2"].normal_form["meaning"]
    assert second.column("coefficient")[0] > 0
    corner = {s.name: s for s in gb.curves_from(folds["LPPD"])}
    assert list(corner) == ["LP", "PD", "NS of the second iterate"]
    assert "its circles stable" in folds["LPPD"].normal_form["meaning"]
    assert gb.trace(corner["NS of the second iterate"], window, max_points=20).column("coefficient")[0] < 0
    (third,) = (s for s in gb.curves_from(circles["R3"]) if not s.label)
    assert third.system.iterations == 3
    assert np.sort(np.abs(third.multipliers))[0] < 1 < np.sort(np.abs(third.multipliers))[1]
    fourth = [s for s in gb.curves_from(circles["R4"]) if s.system.iterations == 4]
    assert (abs(circles["R4"].normal_form["A0"]) > 1) == (len(fourth) == 2)
    for s in fourth:
        assert np.min(np.abs(s.multipliers - 1)) < 1e-6


def test_harvested_delayed_logistic() -> None:
    # x' = r x (1 - y) + eps, y' = x: at the fixed point trace r (1 - x), determinant r x, so NS has r = 1 + t.
    system = equations("map", {"x": "r*x*(1 - y) + eps", "y": "x"}, parameters={"r": 1.5, "eps": 0.0})
    branch = gb.trace(gb.point(system, {"x": 1 / 3, "y": 1 / 3}), {"r": (1.2, 2.4)})
    curve = gb.trace(branch["NS"], {"r": (0.2, 4), "eps": (-1, 2)})
    for label, r, eps in (("R4", 1.0, 1.0), ("R1", 3.0, -1 / 3)):
        p = curve[label]
        assert [p.parameters["r"], p.parameters["eps"]] == pytest.approx([r, eps], abs=1e-11)  # closed form


# -- MatContM ---------------------------------------------------------------------------------------------------------
# Its formulas nf_*.m (multilinear forms by automatic differentiation, no series: another code) at these points.
# Where it prints 4 c, a/(2 e) and b e/2, so is compared.


def test_generalised_henon_against_matcontm() -> None:
    branch = gb.trace(gb.point(henon(), [0.3, 0.3]), {"alpha": (-3, 6)})
    folds = gb.trace(branch["LP"], {"alpha": (-10, 12), "beta": (-6, 2.5)})
    # nf_CPm, nf_LPPDm, nf_R1m. At the cusp D^2 f(q, q) = 0 with q = (1, 1): y = (2 - 2 R)/(6 S) in closed form.
    assert folds["CP"].x == pytest.approx([2.2 / 0.72] * 2, rel=1e-12)
    assert folds["CP"].residual < 1e-12
    assert folds["CP"].normal_form["c"] == pytest.approx(0.01186813186813, rel=1e-11)
    first, second = sorted((p for p in folds.special_points if p.label == "LPPD"), key=lambda p: p.x[0])
    for p, half, product in ((first, 0.55, 0.225), (second, 0.4545454545455, 0.33)):
        assert [p.normal_form["a/e"] / 2, p.normal_form["be"] / 2] == pytest.approx([half, product], rel=1e-11)
    assert folds["R1"].normal_form["s"] == -1


def test_adaptive_control_against_matcontm() -> None:
    # The first example of Kuznetsov and Meijer 2005, c = 1/10.
    fields = {"x": "y", "y": "b*x + k + z*y", "z": "z - k*y/(c + y**2)*(b*x + k + z*y - 1)"}
    system = equations("map", fields, parameters={"b": 0.1, "k": 0.6, "c": 0.1})
    branch = gb.trace(gb.point(system, [1.0, 1.0, 0.3]), {"b": (-2, 1)})
    window = {"b": (-2, 2), "k": (0.05, 2.5)}
    circles = gb.trace(branch["NS"], window)
    # Its fixed point is (1, 1, 1 - b - k) and its Neimark-Sacker curve b = -11/21; the trace gives k.
    for label, k in (("R2", 44 / 21), ("R3", 33 / 21), ("R4", 22 / 21)):
        p = circles[label]
        assert [p.parameters["b"], p.parameters["k"]] == pytest.approx([-11 / 21, k], rel=1e-11)
    # nf_R2m, nf_R3m, nf_R4m, nf_CHm.
    form = circles["R2"].normal_form
    assert [4 * form["c"], form["D1"]] == pytest.approx([0.963751112028, -2.79844076356], rel=1e-10)
    assert circles["R3"].normal_form["a"] == pytest.approx(-0.141630039545, rel=1e-10)
    assert circles["R4"].normal_form["A0"] == pytest.approx(0.9481845095072 - 2.3058457532j, rel=1e-10)
    assert circles["CH"].normal_form["c"] == pytest.approx(0.008657835140514, rel=1e-9)
    assert circles["CH"].parameters["k"] == pytest.approx(1.3006392388, rel=1e-9)


def test_two_pairs_against_matcontm() -> None:
    # A delayed logistic map beside a logistic map, and beside another delayed one, harvested.
    flip = equations(
        "map", {"x": "r*x*(1 - y) + c*z", "y": "x", "z": "m*z*(1 - z) + c*x"}, {"r": 1.9, "m": 2.5, "c": 0.1}
    )
    branch = gb.trace(gb.point(flip, [0.5, 0.5, 0.6]), {"m": (2.0, 3.6)})
    form = gb.trace(branch["PD"], {"m": (2, 4), "r": (1.2, 3.0)})["PDNS"].normal_form
    # nf_PDNSm, where the factors 2 of h021 stand with the right terms as in nf_CHm, and h110 meets the conjugate.
    expected = [-8.085584687624, -0.2883670892919, -0.1380335078816, -0.7797076518532]
    assert [form[name] for name in ("p11", "p12", "p21", "p22")] == pytest.approx(expected, rel=1e-10)
    two = equations(
        "map",
        {"x": "r*x*(1 - y) + c*u", "y": "x", "u": "s*u*(1 - v) + 3/10 + c*x", "v": "u"},
        {"r": 1.7, "s": 1.2, "c": 0.05},
    )
    branch = gb.trace(gb.point(two, [0.45, 0.45, 0.7, 0.7]), {"r": (1.5, 2.4)})
    form = gb.trace(branch["NS"], {"r": (1.2, 2.6), "s": (0.5, 3)})["NSNS"].normal_form
    # nf_NSNSm with the same, and without its half of h1011 and h1110.
    expected = [-0.859697278694, 2 * -0.01938576197503, 2 * -0.02920346090745, -0.3709425993799]
    assert [form[name] for name in ("p11", "p12", "p21", "p22")] == pytest.approx(expected, rel=1e-10)


def test_lorenz_84_in_steps_against_matcontm() -> None:
    # Explicit Euler steps turn the fold-Hopf point into a fold-Neimark-Sacker one.
    flow = {"x": "-y**2 - z**2 - x/4 + f/4", "y": "x*y - 4*x*z - y + g", "z": "4*x*y + x*z - z"}
    steps = equations("map", {k: f"{k} + ({v})/50" for k, v in flow.items()}, {"f": 3.0, "g": 0.5})
    (start,) = gb.find_equilibria(equations("flow", flow, {"f": 3.0, "g": 0.5})).points
    branch = gb.trace(gb.point(steps, start.x), {"f": (0, 6)})
    folds = gb.trace(branch["LP1"], {"f": (-1, 6), "g": (-0.1, 6)})
    form = folds["LPNS"].normal_form
    ratio = form["G110"] / np.exp(1j * form["angle"]) / (form["G200"] / 2)
    # nf_LPNSm, which divides by the square of the fold's coefficient; nf_CPm. Its a is not divided by the multiplier.
    assert form["s"] == 1
    assert ratio.real == pytest.approx(form["theta"], rel=1e-12)
    assert (ratio * np.exp(1j * form["angle"])).real == pytest.approx(-3.699480017604, rel=1e-9)
    assert folds["CP"].normal_form["c"] == pytest.approx(-0.02468327727231, rel=1e-10)
