"""Cycles of flows: closed forms, orders, linear cost, starts, ends, and refusals."""

from dataclasses import replace

import numpy as np
import pytest

import gan_bifurcation as gb
from gan_bifurcation.continuation.collocation import Collocation, tables

equations = gb.System.from_equations

# z' = (mu + i w) z - (1 + i c) |z|^2 z: the cycle |z|^2 = mu has the period 2 pi / (w - c mu) and the multiplier
# exp(-2 mu T), by hand.
STUART_LANDAU = {
    "x": "mu*x - w*y - (x - c*y)*(x**2 + y**2)",
    "y": "w*x + mu*y - (y + c*x)*(x**2 + y**2)",
}


def stuart_landau(**parameters: float) -> gb.System:
    return equations("flow", STUART_LANDAU, {"mu": -0.5, "w": 1.0, "c": 0.3} | parameters)


def hopf(system: gb.System, name: str = "mu", window: tuple[float, float] = (-1, 1)) -> gb.Point:
    return gb.trace(gb.point(system, np.zeros(system.n)), {name: window})["H1"]


def labels(branch: gb.Branch) -> list[str]:
    return [p.label for p in branch.special_points]


@pytest.fixture(scope="module")
def circle() -> gb.Branch:
    return gb.trace(gb.hopf_to_cycles(hopf(stuart_landau())), {"mu": (-1, 1)}, at=[0.25, 0.5])


def test_stuart_landau_against_its_closed_form(circle: gb.Branch) -> None:
    mu = circle.column("mu")
    period = 2 * np.pi / (1 - 0.3 * mu)
    assert circle.measures["period"] == pytest.approx(period, rel=1e-10)
    for side, sign in (("min", -1), ("max", 1)):
        for state in "xy":
            # Those of the cycle: those of the polynomials between nodes would be off by 1e-6.
            assert circle.measures[f"{side}_{state}"] == pytest.approx(sign * np.sqrt(mu), rel=1e-10)
    assert np.hypot(*circle.states.T) == pytest.approx(np.sqrt(mu), abs=1e-10)
    assert circle.spectrum[:, 1] == pytest.approx(np.exp(-2 * mu * period), abs=1e-10)
    assert circle.measures["trivial_error"].max() < 1e-9
    assert circle.stable.all()
    assert not circle.closed
    assert [p.parameters["mu"] for p in circle.special_points] == pytest.approx([0.25, 0.5], abs=1e-13)
    assert labels(circle) == ["UZ", "UZ"]


def test_back_to_the_hopf_point_without_false_labels(circle: gb.Branch) -> None:
    back = gb.trace(circle.point(20), {"mu": (-1, 1)})
    assert labels(back) == []
    assert back.outcome[0].code == "hopf"
    assert "Hopf point" in back.outcome[0].message
    assert back.outcome[1].code == "window"


def test_the_period_is_held(circle: gb.Branch) -> None:
    start = circle.point(20)
    branch = gb.trace(gb.fixed_period(start), {"mu": (-1, 1), "c": (0.1, 0.5)})
    assert branch.measures["period"] == pytest.approx(start.period, rel=1e-12)
    # T = 2 pi / (1 - c mu): c mu is constant.
    assert branch.column("mu") * branch.column("c") == pytest.approx(0.3 * start.parameters["mu"], rel=1e-7)


@pytest.mark.parametrize("degree", [2, 3, 4])
def test_superconvergence_at_mesh_points(degree: int) -> None:
    system = stuart_landau(mu=1.0, c=-1.0, w=0.5)
    sizes, errors = [4, 8, 16] if degree > 3 else [8, 16, 32], []
    for intervals in sizes:
        start = gb.orbit_to_cycle(
            gb.simulate(system, {"x": 1.0, "y": 0.0}, duration=30), intervals=intervals, degree=degree
        )
        branch = gb.trace(start, {"mu": (0.9, 1.1)}, max_points=1)
        # T = 2 pi / (w - c mu); a smooth cycle of constant speed: the mesh is uniform.
        errors.append(abs(branch.measures["period"][0] - 2 * np.pi / 1.5))
    slope = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    # de Boor and Swartz: 2 m at mesh points.
    assert slope == pytest.approx(-2 * degree, abs=0.35)


def test_tables_of_collocation() -> None:
    for degree in range(2, 8):
        d, w, omega, top = tables(degree)
        nodes = np.arange(degree + 1) / degree
        gauss = w @ nodes
        # Exact for polynomials of the degree, and Gauss's weights for twice the degree less one.
        assert d @ nodes**degree == pytest.approx(degree * gauss ** (degree - 1), rel=1e-10)
        assert omega @ gauss ** (2 * degree - 1) == pytest.approx(1 / (2 * degree), rel=1e-12)
        assert top @ nodes**degree == pytest.approx(float(np.prod(np.arange(1, degree + 1))), rel=1e-9)


def test_multipliers_of_very_different_size() -> None:
    # Beside the circle, states with x' = a x: multipliers exp(a T) with T = 2 pi.
    rates = {"a": -4.3, "b": 2.1, "d": -1.5, "e": 0.4}
    field = {"x": "x - y - x*(x**2 + y**2)", "y": "x + y - y*(x**2 + y**2)"}
    field |= {s: f"{r}*{s} + k*(x*{s})/10" for s, r in rates.items()}
    system = equations("flow", field, {"k": 1.0})
    start = gb.orbit_to_cycle(gb.simulate(system, {"x": 1.0} | dict.fromkeys("yabde", 0.0), duration=20), intervals=40)
    branch = gb.trace(start, {"k": (0.9, 1.1)}, max_points=1)
    # The mean of x over a turn is zero, so the coupling changes nothing.
    expected = np.exp(2 * np.pi * np.array([2.1, 0.4, -1.5, -2.0, -4.3]))
    assert expected.max() > 5e5
    assert expected.min() < 2e-12
    assert branch.spectrum[0, 1:].real == pytest.approx(expected, rel=1e-6)
    assert branch.measures["trivial_error"][0] < 1e-9
    assert branch.unstable[0] == 2


def test_refusals() -> None:
    system = stuart_landau()
    point = hopf(system)
    with pytest.raises(gb.MisuseError, match="labelled H"):
        gb.hopf_to_cycles(gb.point(system, [0.0, 0.0]))
    with pytest.raises(gb.MisuseError, match="intervals"):
        gb.hopf_to_cycles(point, intervals=2)
    with pytest.raises(gb.MisuseError, match="degree"):
        gb.hopf_to_cycles(point, degree=1)
    with pytest.raises(gb.MisuseError, match="computed for the parameter 'mu'"):
        gb.trace(gb.hopf_to_cycles(point), {"w": (0.5, 2)})
    with pytest.raises(gb.MisuseError, match="two free parameters"):
        gb.trace(gb.fixed_period(gb.hopf_to_cycles(point)), {"mu": (-1, 1)})
    with pytest.raises(gb.MisuseError, match="neutral saddle"):
        gb.hopf_to_cycles(replace(point, critical=complex(0.7)))
    # r' = mu r: no cubic term at all.
    centre = equations("flow", {"x": "mu*x - y", "y": "x + mu*y"}, {"mu": -0.5})
    with pytest.raises(gb.MisuseError, match="vanishes"):
        gb.hopf_to_cycles(hopf(centre))
    decay = equations("flow", {"x": "-x", "y": "-2*y"})
    with pytest.raises(gb.MisuseError, match=r"come back|equilibrium"):
        gb.orbit_to_cycle(gb.simulate(decay, {"x": 1.0, "y": 1.0}, duration=5))
    # A spiral into the origin, down to what the integrator leaves there.
    with pytest.raises(gb.MisuseError, match="ends at an equilibrium"):
        gb.orbit_to_cycle(gb.simulate(stuart_landau(mu=-0.5), {"x": 0.1, "y": 0.0}, duration=300))
    # Van der Pol's relaxation oscillation on four intervals.
    stiff = equations("flow", {"x": "y", "y": "mu*(1 - x**2)*y - x"}, {"mu": 8.0})
    coarse = gb.orbit_to_cycle(gb.simulate(stiff, {"x": 2.0, "y": 0.0}, duration=100), intervals=4)
    with pytest.raises(gb.MisuseError, match="more intervals"):
        gb.trace(coarse, {"mu": (1, 10)})


def test_families_of_conservative_cycles_are_said_to_be_no_branch() -> None:
    # The energy of a pendulum is conserved whatever its length, that of x'' = -x - x^3 + mu x' at mu = 0 only.
    pendulum = equations("flow", {"x": "y", "y": "-k*sin(x)"}, {"k": 1.0})
    start = gb.orbit_to_cycle(gb.simulate(pendulum, [1.0, 0.0], duration=30))
    with pytest.raises(gb.MisuseError, match="family of them, as where a quantity is conserved"):
        gb.trace(start, {"k": (0.5, 2)})
    system = equations("flow", {"x": "y", "y": "-x - x**3 + mu*y"}, {"mu": 0.0})
    start = gb.orbit_to_cycle(gb.simulate(system, [1.0, 0.0], duration=30))
    family = gb.trace(start, {"mu": (-1, 1)})
    assert {o.code for o in family.outcome} == {"family"}
    assert labels(family) == []


def test_the_homoclinic_end_and_the_fold_of_ab() -> None:
    system = equations(
        "flow", {"u": "-u + p1*(1 - u)*exp(v)", "v": "-v + p1*p2*(1 - u)*exp(v) - p3*v"},
        {"p1": 0.01, "p2": 14.0, "p3": 2.0},
    )  # fmt: skip
    point = gb.trace(gb.point(system, [0, 0]), {"p1": (0, 0.2)})["H1"]
    branch = gb.trace(gb.hopf_to_cycles(point, intervals=50), {"p1": (0, 0.2)})
    assert branch.outcome[1].code == "homoclinic"
    assert "without bound" in branch.outcome[1].message
    assert labels(branch) == []
    # AUTO's demo ab at p2 = 14, NTST = 70, tolerances 1e-10: HB 0.16504204532, LP 0.16169612890 with the period
    # 7.1137549309, and at p1 = 0.25 the period 2.2203418897.
    point = gb.trace(gb.point(system.with_parameters(p3=3.0), [0, 0]), {"p1": (0, 0.3)})["H1"]
    assert point.parameters["p1"] == pytest.approx(0.16504204532, rel=1e-8)
    branch = gb.trace(gb.hopf_to_cycles(point, intervals=70), {"p1": (0, 0.25)})
    assert labels(branch) == ["LPC"]
    assert branch["LPC1"].parameters["p1"] == pytest.approx(0.16169612890, rel=1e-8)
    assert branch["LPC1"].period == pytest.approx(7.1137549309, rel=1e-6)
    assert branch.measures["period"][-1] == pytest.approx(2.2203418897, rel=1e-7)


def test_the_collocation_system_is_linear_in_the_intervals() -> None:
    # No array grows faster than the number of intervals.
    system = stuart_landau()
    scale = np.ones(2)
    sizes = []
    for intervals in (50, 100, 200):
        c = Collocation(system, {"mu": gb.Range(-1, 1)}, np.linspace(0, 1, intervals + 1), 4, scale)
        sizes.append(c.points.nbytes + c.rows.nbytes)
    assert (sizes[2] - sizes[1]) / (sizes[1] - sizes[0]) == pytest.approx(2.0, rel=1e-12)


def test_a_branch_of_cycles_is_kept_on_disk(tmp_path: object, circle: gb.Branch) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "cycles"
    circle.save(path)
    again = gb.Branch.load(path)
    assert again.curve == "cycles"
    assert len(again.profiles) == len(again)
    assert np.array_equal(again.profiles[3].states, circle.profiles[3].states)
    assert labels(gb.trace(again.point(3), {"mu": (-1, 1)}, max_points=5)) == []


def test_ends_meet_all_along_a_symmetric_ring() -> None:
    # Three oscillators in step: an exact circle of radius sqrt(mu) and period 2 pi / (1 - c mu). Newton's corrections
    # close, so a gap between the ends would stay, and a predictor that extrapolates makes it grow.
    field = {}
    for k in range(3):
        x, y, r = f"x{k}", f"y{k}", f"(x{k}**2 + y{k}**2)"
        field[x] = f"mu*{x} - {y} - {x}*{r} + c*{r}*{y} + d*(x{(k + 1) % 3} - {x})"
        field[y] = f"{x} + mu*{y} - {y}*{r} - c*{r}*{x} + d*(y{(k + 1) % 3} - {y})"
    system = gb.System.from_equations("flow", field, {"mu": 0.5, "c": 0.1, "d": 0.1})
    orbit = gb.simulate(system, [0.7, 0.0] * 3, duration=80)
    control = gb.StepControl(first=0.02, smallest=1e-6, largest=0.02)
    branch = gb.trace(gb.orbit_to_cycle(orbit, intervals=30), {"mu": (0.45, 3.0)}, control=control, coefficients=False)
    assert max(np.ptp(p.states[[0, -1]], axis=0).max() for p in branch.profiles) < 1e-14
    exact = 2 * np.pi / (1 - 0.1 * branch.column("mu"))
    np.testing.assert_allclose(branch.measures["period"], exact, rtol=1e-10)


def test_symmetric_cycles_lose_stability_by_two_multipliers_at_once() -> None:
    # Three oscillators, each coupled to both others: differences decay with the rate k, twice.
    field = {}
    for i in range(3):
        x, y, j, k = f"x{i}", f"y{i}", (i + 1) % 3, (i + 2) % 3
        field[x] = f"{x}*(1 - {x}**2 - {y}**2) - {y} + k*(x{j} + x{k} - 2*{x})/3"
        field[y] = f"{y}*(1 - {x}**2 - {y}**2) + {x} + k*(y{j} + y{k} - 2*{y})/3"
    start = gb.orbit_to_cycle(gb.simulate(equations("flow", field, {"k": 0.3}), [1.0, 0.0] * 3, duration=30))
    branch = gb.trace(start, {"k": (-0.5, 0.5)})
    assert [(p.label, p.multiplicity) for p in branch.special_points] == [("BPC", 2)]
    assert branch["BPC1"].parameters["k"] == pytest.approx(0, abs=1e-9)
    with pytest.raises(gb.MisuseError, match="2 critical eigenvalues or pairs cross together"):
        gb.branch_point_to_branch(branch["BPC1"])


def test_multipliers_of_a_dense_spectrum() -> None:
    # x' = M x beside the circle with M similar to a diagonal matrix of rates from -4.4 to 2.2, no neighbours
    # further apart than a factor of 9, over eighteen orders of magnitude.
    random = np.random.default_rng(3)
    rates = np.linspace(-4.4, 2.2, 20)
    frame = np.linalg.qr(random.standard_normal((20, 20)))[0] @ (np.eye(20) + 0.05 * np.triu(np.ones((20, 20)), 1))
    matrix = frame @ np.diag(rates) @ np.linalg.inv(frame)
    field = {"x": "x - c*y - x*(x**2 + y**2)", "y": "c*x + y - y*(x**2 + y**2)"}
    for i in range(20):
        field[f"z{i}"] = " + ".join(f"({float(matrix[i, j])!r})*z{j}" for j in range(20))
    orbit = gb.simulate(equations("flow", field, {"c": 1.0}), [1.0] + [0.0] * 21, duration=15)
    branch = gb.trace(gb.orbit_to_cycle(orbit, intervals=40), {"c": (0.9, 1.1)}, max_points=1)
    expected = np.exp(2 * np.pi * np.sort(np.append(rates, -2))[::-1])
    assert branch.spectrum[0, 1:] == pytest.approx(expected, rel=1e-6)
