"""Special points of cycles, their curves and what starts there, against numbers that AUTO-07p printed for its demos."""

import numpy as np
import pytest

import gan_bifurcation as gb

equations = gb.System.from_equations


def named(branch: gb.Branch, name: str) -> list[tuple[str, float, float]]:
    return [(p.label, p.parameters[name], p.period) for p in branch.special_points]


@pytest.fixture(scope="module")
def plp() -> gb.Branch:
    system = equations(
        "flow",
        {"s": "s0 - s - rh*s*a/(1 + s + rk*s**2)", "a": "al*(a0 - a) - rh*s*a/(1 + s + rk*s**2)"},
        {"s0": 110.0, "a0": 500.0, "al": 0.2, "rh": 2.021628, "rk": 0.1},
    )
    point = gb.trace(gb.point(system, [45.59, 177.8]), {"rh": (2, 6)})["H1"]
    return gb.trace(gb.hopf_to_cycles(point, intervals=20), {"rh": (2, 6)})


def test_folds_of_plp(plp: gb.Branch) -> None:
    # AUTO's demo plp, NTST = 20: LP at 2.75969 and 5.00784, periods 10.0064 and 5.67658.
    found = named(plp, "rh")
    assert [f[0] for f in found] == ["LPC", "LPC"]
    assert [f[1] for f in found] == pytest.approx([2.75969, 5.00784], rel=2e-6)
    assert [f[2] for f in found] == pytest.approx([10.0064, 5.67658], rel=1e-5)
    for p in plp.special_points:
        assert np.min(np.abs(p.multipliers[1:] - 1)) < 1e-4
    # Its second Hopf point, 4.65046, without a false label.
    assert plp.outcome[1].code == "hopf"


def test_curve_of_folds_of_plp(plp: gb.Branch) -> None:
    curve = gb.trace(plp["LPC1"], {"rh": (2, 6), "s0": (109, 111)})
    assert curve.curve == "LPC"
    # AUTO's demo plp, end of the curve at s0 = 109: 2.58264, period 10.5394; at 111: 2.98629, 9.39099.
    ends = {round(float(s0)): k for k, s0 in ((0, curve.column("s0")[0]), (-1, curve.column("s0")[-1]))}
    for s0, rh, period in ((109, 2.58264, 10.5394), (111, 2.98629, 9.39099)):
        assert curve.column("rh")[ends[s0]] == pytest.approx(rh, rel=3e-6)
        assert curve.measures["period"][ends[s0]] == pytest.approx(period, rel=1e-5)


def test_folds_at_fixed_period_lie_on_the_curve_of_folds(plp: gb.Branch) -> None:
    start = plp.point(int(np.argmin(np.abs(plp.measures["period"] - 8.0))))
    branch = gb.trace(gb.fixed_period(start), {"rh": (2, 6), "s0": (105, 115)})
    # Where a parameter turns at fixed period the cycle need not be a fold: its second multiplier is to be 1.
    assert [p.label for p in branch.special_points] == ["LPC"]
    fold = branch["LPC1"]
    assert np.min(np.abs(fold.multipliers[1:] - 1)) < 1e-4
    curve = gb.trace(plp["LPC1"], {"rh": (2, 6), "s0": (105, 115)}, coefficients=False)
    order = np.argsort(curve.measures["period"])
    for name in ("rh", "s0"):
        there = np.interp(start.period, curve.measures["period"][order], curve.column(name)[order])
        assert fold.parameters[name] == pytest.approx(there, rel=1e-3)


@pytest.fixture(scope="module")
def tor() -> tuple[gb.Branch, gb.Branch]:
    system = equations(
        "flow",
        {
            "x": "(-(be + nu)*x + be*y - a3*x**3 + b3*(y - x)**3)/r",
            "y": "be*x - (be + ga)*y - z - b3*(y - x)**3",
            "z": "y",
        },
        {"nu": -0.9, "be": 0.5, "ga": -0.6, "r": 0.6, "a3": 0.328578, "b3": 0.933578},
    )
    point = gb.trace(gb.point(system, [0, 0, 0]), {"nu": (-1, -0.5)})["H1"]
    symmetric = gb.trace(gb.hopf_to_cycles(point, intervals=20), {"nu": (-1, -0.5)}, stop="BPC1")
    other = gb.trace(gb.branch_point_to_branch(symmetric["BPC1"]), {"nu": (-0.7, -0.5)})
    return symmetric, other


def test_points_of_tor(tor: tuple[gb.Branch, gb.Branch]) -> None:
    symmetric, other = tor
    # AUTO's demo tor: LP -0.584335 (8.42647), BP -0.587029 (8.68967); on the other branch TR -0.591650 (8.79415), PD
    # -0.614955 (9.26630). The branch passes through its birth and goes over its mirror image.
    assert [f[0] for f in named(symmetric, "nu")] == ["LPC", "BPC"]
    assert [f[1] for f in named(symmetric, "nu")] == pytest.approx([-0.584335, -0.587029], abs=1e-6)
    assert [f[2] for f in named(symmetric, "nu")] == pytest.approx([8.42647, 8.68967], abs=1e-5)
    assert [f[0] for f in named(other, "nu")] == ["PD", "NS", "BPC", "NS", "PD"]
    assert [f[1] for f in named(other, "nu")][:2] == pytest.approx([-0.614955, -0.591650], abs=1e-6)
    assert [f[2] for f in named(other, "nu")][:2] == pytest.approx([9.26630, 8.79415], abs=1e-5)
    assert [f[1] for f in named(other, "nu")][3:] == pytest.approx([-0.591650, -0.614955], abs=1e-6)
    assert abs(other["NS1"].critical) == pytest.approx(1, abs=1e-9)
    assert other["PD1"].critical.real == pytest.approx(-1, abs=1e-9)


@pytest.mark.parametrize("name", ["NS1", "PD1"])
def test_curves_of_tor(tor: tuple[gb.Branch, gb.Branch], name: str) -> None:
    curve = gb.trace(tor[1][name], {"nu": (-1, -0.5), "be": (0.47, 0.53)})
    assert curve.curve == name[:-1]
    assert [o.code for o in curve.outcome] == ["window", "window"]
    if name == "NS1":
        moduli = np.abs(curve.spectrum[:, 1])
        assert moduli == pytest.approx(np.ones(len(curve)), abs=1e-7)
        assert np.angle(curve.spectrum[:, 1]) == pytest.approx(curve.measures["theta"], abs=1e-6)
    else:
        assert np.min(np.abs(curve.spectrum[:, 1:] + 1), axis=1).max() < 1e-6


def test_period_doublings_of_lor() -> None:
    system = equations(
        "flow", {"x": "sigma*(y - x)", "y": "rho*x - y - x*z", "z": "x*y - beta*z"},
        {"rho": 280.0, "beta": 8 / 3, "sigma": 10.0},
    )  # fmt: skip
    start = gb.orbit_to_cycle(gb.simulate(system, [5.0, 35.0, 300.0], duration=60), intervals=40)
    branch = gb.trace(start, {"rho": (210, 300)})
    # AUTO's demo lor, NTST = 20, 40, 60: PD at 229.407 (0.480867), 218.210 (0.987949), 215.966 (1.98675).
    assert named(branch, "rho") == [("PD", pytest.approx(229.407, rel=2e-6), pytest.approx(0.480867, rel=2e-6))]
    for value, period in ((218.210, 0.987949), (215.966, 1.98675)):
        branch = gb.trace(gb.flip_to_period_two(branch["PD1"]), {"rho": (210, 300)})
        assert named(branch, "rho") == [("PD", pytest.approx(value, rel=2e-6), pytest.approx(period, rel=2e-6))]


def test_the_branch_point_of_pp3() -> None:
    system = equations(
        "flow",
        {"x": "x*(1 - x) - 4*x*y", "y": "-y/4 + 4*x*y - 3*y*z - p1*(1 - exp(-5*y))", "z": "-z/2 + 3*y*z"},
        {"p1": 0.02},
    )
    point = gb.trace(gb.point(system, [1 / 3, 1 / 6, 1 / 3]), {"p1": (0, 0.4)})["H1"]
    branch = gb.trace(gb.hopf_to_cycles(point, intervals=20), {"p1": (0, 1)})
    # AUTO's demo pp3: BP at 0.301235, period 8.27624, and nine more that are none.
    assert named(branch, "p1") == [("BPC", pytest.approx(0.301235, abs=1e-6), pytest.approx(8.27624, abs=1e-5))]
    assert branch.outcome[1].code == "hopf"


def test_refusals() -> None:
    circle = equations(
        "flow", {"x": "mu*x - y - x*(x**2 + y**2)", "y": "x + mu*y - y*(x**2 + y**2)"}, {"mu": -0.5, "c": 1.0}
    )
    point = gb.trace(gb.point(circle, [0, 0]), {"mu": (-1, 1)})["H1"]
    branch = gb.trace(gb.hopf_to_cycles(point), {"mu": (-1, 1)}, max_points=8)
    with pytest.raises(gb.MisuseError, match="LPC, PD or NS"):
        gb.trace(branch.point(5), {"mu": (-1, 1), "c": (0, 2)})
    with pytest.raises(gb.MisuseError, match="labelled PD"):
        gb.flip_to_period_two(branch.point(5))
    with pytest.raises(gb.MisuseError, match="Events"):
        gb.trace(branch.point(5), {"mu": (-1, 1)}, events=[gb.Event.rate("0.5")])


def test_folds_of_abc() -> None:
    system = equations(
        "flow",
        {
            "x": "-x + d*(1 - x)*exp(z)",
            "y": "-y + d*exp(z)*(1 - x - s*y)",
            "z": "-z - be*z + d*b*exp(z)*(1 - x + al*s*y)",
        },
        {"d": 0.0, "al": 1.0, "be": 1.55, "b": 8.0, "s": 0.04},
    )
    points = gb.trace(gb.point(system, [0, 0, 0]), {"d": (0, 0.4)})
    # AUTO's demo abc, NTST = 25, with tolerances of 1e-9 in place of its own 1e-4: four Hopf points, ...
    assert named_parameters(points, "H", "d") == pytest.approx(
        [0.20418453, 0.22983903, 0.25995784, 0.34620850], rel=1e-7
    )
    first, second, third, fourth = (
        gb.trace(gb.hopf_to_cycles(points[f"H{k}"], intervals=25), {"d": window})
        for k, window in ((1, (0.1, 0.25)), (2, (0.1, 0.25)), (3, (0.25, 0.4)), (4, (0.25, 0.4)))
    )
    # ... three folds with these periods, and the cycles at d = 0.25, met from two Hopf points each.
    assert named(first, "d") == [
        ("LPC", pytest.approx(0.213697357, rel=2e-7), pytest.approx(7.61103971, rel=2e-7)),
        ("LPC", pytest.approx(0.211903267, rel=2e-7), pytest.approx(8.28920528, rel=2e-7)),
    ]
    assert named(second, "d") == [("LPC", pytest.approx(0.224962059, rel=2e-7), pytest.approx(6.52531058, rel=2e-7))]
    assert named(third, "d") == named(fourth, "d") == []
    ends = [float(b.measures["period"][-1]) for b in (first, second, third, fourth)]
    assert ends == pytest.approx([6.53496380, 7.92715400, 7.92715400, 6.53496380], rel=1e-6)


def named_parameters(branch: gb.Branch, label: str, name: str) -> list[float]:
    return [p.parameters[name] for p in branch.special_points if p.label == label]


def test_the_homoclinic_orbit_of_pp2() -> None:
    system = equations("flow", {"x": "3*x*(1 - x) - x*y - q*(1 - exp(-5*x))", "y": "-y + 3*x*y"}, {"q": 0.0})
    points = gb.trace(gb.point(system, [1 / 3, 2.0]), {"q": (0, 0.8)})
    # AUTO's demo pp2, NTST = 90, tolerances 1e-9: HB at 0.671594; periods of cycles at values of the quota.
    assert points["H1"].parameters["q"] == pytest.approx(0.671594, abs=1e-6)
    known = {0.70644315057: 24.539738546, 0.70782972705: 33.226342239, 0.70794090166: 36.0}
    branch = gb.trace(gb.hopf_to_cycles(points["H1"], intervals=90), {"q": (0, 1)}, at=list(known))
    for p in branch.special_points:
        assert (p.label, p.period) == ("UZ", pytest.approx(known[round(p.parameters["q"], 11)], rel=1e-6))
    assert len(branch.special_points) == 3
    # It goes on to the homoclinic orbit, and says so.
    assert branch.outcome[1].code == "homoclinic"


def test_the_kernel_gan_from_its_hopf_point_to_the_torus_that_a_simulation_shows() -> None:
    # Twelve Fourier features, more generated than true mass: features that the Hopf point does not move grow with the
    # square of the amplitude from nothing, and features that do not oscillate move with the parameter.
    system = gb.system(gb.models.kernel_gan(p=0.5, q=0.8, sigma=0.5, lam=2.0), gb.Flow())
    window = {"lam": gb.log_range(0.3, 2.0)}
    points = gb.trace(gb.point(system), window)
    wide = gb.StepControl(first=1e-2, smallest=1e-6, largest=0.2)
    branch = gb.trace(gb.hopf_to_cycles(points["H1"], intervals=16), window, stop="NS1", control=wide)
    # With sizes from the Hopf point alone 500 points did not get half as far.
    assert len(branch) < 80
    assert branch.stable[:-1].all()
    torus = branch["NS1"]
    assert np.abs(torus.multipliers[1:3]) == pytest.approx([1, 1], abs=1e-9)
    assert np.max(np.abs(torus.multipliers[3:])) < 0.3
    assert torus.criticality == "supercritical"
    # Simulated: at larger lam the height of the maxima settles, at smaller lam it goes on varying, as much as the root
    # of the distance; of a subcritical torus neither side would show anything near.
    spreads = []
    for distance in (0.004, -0.001, -0.002):
        at = system.with_parameters(lam=torus.parameters["lam"] + distance)
        orbit = gb.simulate(at, np.append(np.zeros(system.n - 1), 0.1), duration=2000, samples=20001)
        x = orbit.states[-4000:, -1]
        spreads.append(np.ptp(x[1:-1][(x[1:-1] > x[:-2]) & (x[1:-1] > x[2:])]))
    assert spreads[0] < 0.01
    assert spreads[2] / spreads[1] == pytest.approx(np.sqrt(2), rel=0.1)


def test_a_canard_explosion_is_crossed_and_is_no_homoclinic_orbit() -> None:
    # FitzHugh and Nagumo: between two folds, on a mesh that is refined where it was too coarse. (v, w, i) ->
    # (-v, 2 w0 - w, 1.75 - i) with w0 = a / b is a symmetry, which maps the folds onto each other.
    field = {"v": "v - v**3/3 - w + i", "w": "eps*(v + a - b*w)"}
    system = equations("flow", field, {"i": 0.0, "eps": 0.08, "a": 0.7, "b": 0.8})
    point = gb.trace(gb.point(system, [-1.2, -0.6]), {"i": (0, 2)})["H1"]
    branch = gb.trace(gb.hopf_to_cycles(point, intervals=60), {"i": (0, 2)}, max_points=600)
    folds = named_parameters(branch, "LPC", "i")
    assert len(folds) == len(branch.special_points) == 2
    assert sum(folds) == pytest.approx(1.75, abs=1e-10)
    assert branch.outcome[1].code == "hopf"
    # With eps = 0.01 the period grows eightfold at one value of i, as if it had no bound.
    system = system.with_parameters(eps=0.01)
    point = gb.trace(gb.point(system, [-1.2, -0.6]), {"i": (0, 2)})["H1"]
    branch = gb.trace(gb.hopf_to_cycles(point, intervals=80), {"i": (0, 2)}, max_points=120)
    assert branch.measures["period"].max() > 8 * branch.measures["period"].min()
    assert branch.outcome[1].code == "points"


def test_orbits_that_settle_slowly_give_one_turn() -> None:
    # Roessler's cycle close to its flip at c = 2.832: after two turns an orbit comes closer to itself than after one.
    system = equations("flow", {"x": "-y - z", "y": "x + y/5", "z": "1/5 + z*(x - c)"}, {"c": 2.5})
    start = gb.orbit_to_cycle(gb.simulate(system, [1.0, 1.0, 1.0], duration=200))
    branch = gb.trace(start, {"c": (2, 4)})
    # The flip is where a branch of twice the period has its own multiplier at 1, traced from an orbit beyond.
    assert [p.label for p in branch.special_points] == ["PD"]
    beyond = gb.orbit_to_cycle(gb.simulate(system.with_parameters(c=3.2), [1.0, 1.0, 1.0], duration=400))
    double = gb.trace(beyond, {"c": (2, 3.4)})
    assert beyond.profile.period > 1.8 * start.profile.period
    assert named_parameters(double, "BPC", "c") == pytest.approx([branch["PD1"].parameters["c"]], abs=1e-5)
