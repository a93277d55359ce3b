"""Runs of the R/S/E/E least-squares GAN against the numbers of `rsee_lsgan.md`, and its plateaux against theory."""

import math
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad

import gan_bifurcation as gb
from gan_bifurcation.errors import MisuseError, UnknownNameError
from gan_bifurcation.models.rsee_lsgan import CASES, draws, rsee_lsgan, rsee_start
from gan_bifurcation.models.rsee_stochastic import PUBLISHED, rsee_stochastic, stochastic_runs
from gan_bifurcation.models.rsee_tables import (
    rsee_formulas,
    rsee_panels,
    rsee_plateau,
    rsee_run,
    rsee_signs,
    rsee_surface,
)
from gan_bifurcation.models.rsee_theory import (
    cost,
    integrals,
    kullback_leibler,
    logistic_mean_square,
    optimal_discriminator,
    plateau_shift,
)
from gan_bifurcation.regimes.verdicts import classify


def at(case: str, **changes: float) -> dict[str, float]:
    """The start of a case with its c, some values changed."""
    return {**CASES[case].start, "c": CASES[case].c, **changes}


def steps(case: str, moving: str = "bh", rule: Any = None) -> Any:
    rate = CASES[case].rate
    return gb.system(rsee_lsgan(case=case, moving=moving), rule or gb.Simultaneous(), eta_d=rate, eta_g=rate)


# -- orbits ------------------------------------------------------------------------------------------------------------

# rsee_lsgan.md, "exact-gradient trajectories": k, b, h, J with simultaneous steps of 0.4; k = 1 is the start.
PATHS = {
    "A": [
        (2, -2.972401471938614, -1.967532319465782, 1.343391043),
        (10, -2.7604359503774694, -1.6673701965230385, 1.328569071),
        (25, -2.4704116322489407, -0.776642421288001, 1.202385720),
        (50, -2.285988827156555, 1.4193582698268652, 0.548769858),
        (100, 0.5664252014954307, 1.4333417959321049, 0.966383261),
        (150, 1.2582278715193858, 1.4333417959321084, 0.995480743),
        (250, 1.6028697570879746, 1.4333417959321084, 0.998770461),
        (1000, 2.09008160968405, 1.43334179593, None),
        (5000, 2.46869082664, 1.43334179593, None),
    ],
    "B": [
        (2, -0.9446870612710162, -3.999991671413993, 1.055807295),
        (10, 0.1023832432722098, -3.999787200511407, 1.498235591),
        (25, 1.4861691572763254, -3.977882292280087, 1.980548146),
        (50, 1.742172108246527, -3.838498798446362, 1.986433885),
        (100, 1.2745692943660505, -2.397389894621534, 1.836468813),
        (150, 1.8276316033723117, -0.1337726140554537, 0.995784928),
        (250, 2.164620232620993, -0.13180568149724692, 0.999112830),
        (1000, 2.57568937420701, -0.131291937105, None),
        (5000, 2.89798768346717, -0.131227277106, None),
    ],
}


@pytest.mark.parametrize("case", ["A", "B"])
def test_trajectories(case: str) -> None:
    orbit = gb.simulate(steps(case), rsee_start(case=case), steps=4999)
    for k, b, h, value in PATHS[case]:
        assert orbit["b"][k - 1] == pytest.approx(b, abs=1e-11)
        assert orbit["h"][k - 1] == pytest.approx(h, abs=1e-11)
        if value is not None:
            here = sum(cost(**at(case, b=float(orbit["b"][k - 1]), h=float(orbit["h"][k - 1]))))
            assert here == pytest.approx(value, abs=6e-10)  # ten digits in the table


@pytest.mark.parametrize(
    ("case", "b", "h"),
    [("A", 1.6028760634, 1.4333418957), ("B", 2.1646103964, -0.1316678193)],
)
def test_the_authors_stored_means(case: str, b: float, h: float) -> None:
    end = gb.simulate(steps(case), rsee_start(case=case), steps=249).final_state
    # Their key integral is a Monte Carlo mean: they differ from exact runs by up to 1.8e-4.
    assert (end["b"], end["h"]) == pytest.approx((b, h), abs=2e-4)


# rsee_lsgan.md, "Continuous flow": time, b, h, by DOP853 with tolerance 1e-11.
FLOWS = {
    "A": [
        (4, -2.737487231706517, -1.616738366796731), (10, -2.479161217915, -0.648966026199),
        (20, -2.237186305931, 1.414022091209), (40, 0.590402503898, 1.423999884680),
        (99.6, 1.599637104888, 1.423999884680), (1000, 2.316756488342, 1.423999884680),
    ],
    "B": [
        (4, 0.509219596255, -3.999424760103), (10, 1.496966504903, -3.972925167223),
        (20, 1.738594689128, -3.827595577673), (40, 1.134469988763, -2.082412855057),
        (99.6, 2.162207901640, -0.193073531610), (1000, 2.767388601618, -0.191940956241),
    ],
}  # fmt: skip


@pytest.mark.parametrize("case", ["A", "B"])
def test_flow(case: str) -> None:
    flow = gb.system(rsee_lsgan(case=case), gb.Flow())
    for time, b, h in FLOWS[case]:
        end = gb.simulate(flow, rsee_start(case=case), duration=time, samples=2, tolerance=1e-11).final_state
        assert (end["b"], end["h"]) == pytest.approx((b, h), abs=2e-9)


@pytest.mark.parametrize(
    ("case", "b", "h"),
    [("A", 1.6027254236, 1.4220256322), ("B", 2.1618895322, -0.1649063490)],
)
def test_alternating_steps(case: str, b: float, h: float) -> None:
    end = gb.simulate(steps(case, rule=gb.Alternating()), rsee_start(case=case), steps=249).final_state
    assert (end["b"], end["h"]) == pytest.approx((b, h), abs=6e-11)  # rsee_lsgan.md, below the flows


def test_shape_of_figures_1_and_5() -> None:
    """Where the runs have their extrema, from rsee_lsgan.md, "Shape of the figures"."""
    a, b = rsee_run(case="A"), rsee_run(case="B")
    assert (a.numbers["cost_min"], a.numbers["step_min"]) == (pytest.approx(0.51839, abs=5e-6), 42)
    assert (b.numbers["cost_max"], b.numbers["step_max"]) == (pytest.approx(1.98708, abs=5e-6), 42)
    assert (b.numbers["cost_min"], b.numbers["step_min"]) == (pytest.approx(0.87204, abs=5e-6), 110)
    shift, h = a.columns["b"], a.columns["h"]
    top, dip = int(shift[:35].argmax()), 30 + int(shift[30:60].argmin())
    assert (top + 1, shift[top], h[top]) == (29, pytest.approx(-2.451225, abs=1e-6), pytest.approx(-0.3974, abs=1e-4))
    assert (dip + 1, shift[dip], h[dip]) == (39, pytest.approx(-2.661351, abs=1e-6), pytest.approx(1.1040, abs=1e-4))
    shift, h = b.columns["b"], b.columns["h"]
    top, dip = int(shift[:80].argmax()), 80 + int(shift[80:150].argmin())
    assert (top + 1, shift[top], h[top]) == (60, pytest.approx(1.758859, abs=1e-6), pytest.approx(-3.7403, abs=1e-4))
    assert (dip + 1, shift[dip], h[dip]) == (109, pytest.approx(0.632579, abs=1e-6), pytest.approx(-0.5118, abs=1e-4))
    # rsee_lsgan.md, B3: final means of the generated points, beside 1/c.
    assert (a.numbers["mean_end"], a.numbers["mean_data"]) == (pytest.approx(2.933, abs=5e-4), 2.0)
    assert (b.numbers["mean_end"], b.numbers["mean_data"]) == pytest.approx((0.218, 0.2475), abs=5e-4)


def test_tables_for_the_study() -> None:
    panels = rsee_panels(case="A")
    assert len(set(panels.columns["panel"])) == 4  # figure 1 has four panels
    for case in ("A", "B"):
        surface = rsee_surface(case=case)
        assert 0.0 < surface.numbers["lowest"] < surface.numbers["highest"] < 2.0  # rsee_lsgan.md, B3: inf 0, sup 2
        assert surface.numbers["largest_slope"] < 0.0
    field, axes = rsee_surface(case="A").fields["J"], rsee_surface(case="A").axes
    j, k = 10, 12
    expected = sum(cost(**at("A", b=float(axes["b"][j]), h=float(axes["h"][k]))))
    assert field[j, k] == pytest.approx(expected, rel=1e-14)
    formulas = rsee_formulas(steps=100)
    assert formulas.numbers["paper_cost"] < 1e-13
    assert formulas.numbers["owen_gradient"] < 1e-10


# -- no equilibrium, only plateaux -------------------------------------------------------------------------------------


def test_no_critical_point() -> None:
    # rsee_lsgan.md, B3: J_g and J_h are negative everywhere; none of 300 random states violates it.
    assert rsee_signs(points=300).numbers["violations"] == 0


@pytest.mark.parametrize("case", ["A", "B"])
@pytest.mark.parametrize("moving", ["bh", "abgh"])
def test_plateau_is_a_stall(case: str, moving: str) -> None:
    start = rsee_start(case=case, moving=moving)
    verdict = gb.simulate(steps(case, moving), start, steps=249).verdict
    assert str(verdict) == "stalls (drifts)"
    assert "no equilibrium" in verdict.reason
    flow = gb.system(rsee_lsgan(case=case, moving=moving), gb.Flow())
    assert gb.simulate(flow, start, duration=100.0).verdict.kind == "stalls"


def test_the_other_plateau_is_a_stall_too() -> None:
    # For a < 1 b and eta fall for ever, by the logarithm of time: eta' = 4 k1 A(b) - (1 - a**2) 4 k2 B(eta), B ~ exp.
    verdict = classify(steps("A"), rsee_start(case="A"), parameters={"a": 0.5}, steps=2000)
    assert verdict.kind == "stalls"
    assert verdict.limit["b"] < -5.0


def test_what_drifts_evenly_or_like_a_root_does_not_stall() -> None:
    for text in ("0.01", "1/(x + 1)"):  # x = t/100; x = sqrt(2t)
        flow = gb.System.from_equations("flow", {"x": text})
        assert classify(flow, {"x": 0.0}, duration=1000.0).kind == "diverges"
    # x = log(1 + t): no limit either, but ever more slowly than any power.
    logarithm = gb.System.from_equations("flow", {"x": "exp(-x)"})
    assert classify(logarithm, {"x": 0.0}, duration=1000.0).kind == "stalls"


@pytest.mark.parametrize("case", ["A", "B"])
def test_law_of_the_plateau(case: str) -> None:
    table = rsee_plateau(case=case, decades=7)
    # b**2 grows like log t, and h is frozen (rsee_lsgan.md, B3).
    assert table.numbers["slope"] == pytest.approx(1.0, abs=0.02)
    assert abs(table.numbers["h_moves"]) < 1e-5
    assert table.columns["b"] == pytest.approx(table.columns["law"], abs=0.35)
    gap = table.columns["law"] - table.columns["b"]
    assert abs(gap[-1]) < abs(gap[0])


def test_regime_map_without_any_equilibrium(tmp_path: Any) -> None:
    system = gb.tie(steps("A", "abgh"), eta_g="eta_d")
    start = rsee_start(case="A", moving="abgh")
    rmap = gb.regime_map(system, {"c": gb.log_range(0.2, 10.0)}, initial=start, steps=300, tolerance=0.05)
    assert not rmap.branches
    assert "No equilibrium was found" in rmap.notes[0]
    assert rmap.at(c=0.5).verdict == "stalls"
    # At a rate of data as large as this the discriminator's slope a falls below c/50 (found by the run itself).
    assert rmap.at(c=5.0).verdict == "diverges"
    assert gb.simulate(system.with_parameters(c=5.0), start, steps=300).outcome.code == "left the domain"
    again = gb.regimes.RegimeMap.load(rmap.save(tmp_path / "map"))
    assert again.at(c=0.5).verdict == "stalls"
    assert [f.verdict for f in again.faces] == [f.verdict for f in rmap.faces]
    with pytest.raises(MisuseError, match="initial=state"):
        gb.regime_map(system, {"c": (0.4, 0.6)})


# -- samples -----------------------------------------------------------------------------------------------------------


def test_sampled_game_is_one_of_the_stochastic_runs() -> None:
    system = gb.system(rsee_lsgan(case="A", samples=200, seed=8), gb.Simultaneous(), eta_d=0.4, eta_g=0.4)
    orbit = gb.simulate(system, rsee_start(case="A"), steps=60)
    # Two codes: SymPy's derivative on the tape, and the formulas of the paper's section V-B in NumPy.
    path = stochastic_runs(case="A", runs=2, samples=200, seed=7)
    np.testing.assert_allclose(orbit.states, path[:61, 1], atol=1e-12)
    assert [len(values) for values in draws(200, 8)] == [200, 200]


@pytest.mark.parametrize("case", ["A", "B"])
def test_analytic_run_predicts_stochastic_ones(case: str) -> None:
    found = rsee_stochastic(case=case, runs=25, samples=1000, seed=3).numbers
    for name in ("b", "h"):
        assert abs(found[f"{name}_from_exact"]) < 4.0  # standard errors of the mean
        assert abs(found[f"{name}_from_published"]) < 4.0
        # rsee_lsgan.md, own 2000 runs: standard deviations at the end.
        sd = {"A": {"b": 0.02627, "h": 0.06235}, "B": {"b": 0.01091, "h": 0.00928}}[case][name]
        assert found[f"{name}_sd"] == pytest.approx(sd, rel=4.0 / math.sqrt(2 * 24))
    assert PUBLISHED[case].runs == 100


# -- the logistic follow-up --------------------------------------------------------------------------------------------

# rsee_lsgan.md, B5: exact ends of the four cases.
LOGISTIC = {
    "1": (1.28434988, -1.93403725, 0.05305088, -1.54807062),
    "2": (0.24194192, 2.77889944, 1.81861931, 0.78326532),
    "3": (0.59464338, 2.14659204, 2.17407605, 0.70307329),
    "4": (2.11223019, 3.36349898, 2.19922775, 0.79052058),
}


@pytest.mark.parametrize("case", list(LOGISTIC))
def test_logistic_follow_up(case: str) -> None:
    orbit = gb.simulate(steps(case, "abgh"), rsee_start(case=case, moving="abgh"), steps=CASES[case].updates)
    end = [orbit.final_state[name] for name in "abgh"]
    assert end == pytest.approx(LOGISTIC[case], abs=6e-9 if case != "4" else 2e-8)  # case 4 amplifies rounding


def test_logistic_mean_square() -> None:
    for a, b, c in ((0.7, 1.5, 0.5), (1.9, 3.0, 1.1)):
        direct = quad(lambda x, a=a, b=b, c=c: c * math.exp(-c * x) / (1 + a * math.exp(-b * x)) ** 2, 0, 80)[0]
        assert logistic_mean_square(a=a, b=b, c=c) == pytest.approx(direct, abs=1e-10)
    start = rsee_run(case="2", moving="abgh", steps=1).columns
    known = logistic_mean_square(a=1.5, b=1.0, c=0.3)  # case 2 starts at a = 1.5, b = 1
    assert start["data"][0] == pytest.approx(known, rel=1e-13)


def test_optimal_discriminator_and_divergence() -> None:
    x = np.array([0.5, 2.0])
    g, h, c = 1.5, -0.5, 0.8
    true, made = c * np.exp(-c * x), np.exp(-(x - h) / g) / g
    assert optimal_discriminator(x, g=g, h=h, c=c) == pytest.approx(true / (true + made), rel=1e-14)
    # The textbook form, whose exponent has the other sign than the authors' code (rsee_lsgan.md, B5).
    textbook = 1 / (1 + np.exp((c - 1 / g) * x + h / g) / (g * c))
    assert optimal_discriminator(x, g=g, h=h, c=c) == pytest.approx(textbook, rel=1e-14)
    assert optimal_discriminator([-0.2], g=g, h=h, c=c).tolist() == [0.0]
    direct = quad(lambda t: c * math.exp(-c * t) * (math.log(c * g) - c * t + (t - h) / g), 0, 60)[0]
    assert kullback_leibler(g=g, h=h, c=c) == pytest.approx(direct, abs=1e-10)  # the definition
    assert kullback_leibler(g=g, h=0.1, c=c) == math.inf


# -- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"case": "C"}, UnknownNameError, "Unknown case"),
        ({"moving": "bx"}, UnknownNameError, "Unknown state"),
        ({"moving": "ab"}, MisuseError, "Both players"),
        ({"c": -1.0}, MisuseError, "positive"),
        ({"c": float("nan")}, MisuseError, "positive"),
        ({"samples": 1}, MisuseError, "from 2 to"),
        ({"samples": 10, "seed": -1}, MisuseError, "seed"),
    ],
)
def test_bad_settings(settings: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        rsee_lsgan(**settings)


def test_bad_settings_of_tables() -> None:
    for call, message in (
        (lambda: rsee_run(steps=0), "steps"),
        (lambda: rsee_surface(case="1"), "Unknown case"),
        (lambda: rsee_signs(points=-3), "random states"),
        (lambda: rsee_formulas(steps=10**6), "steps"),
        (lambda: rsee_plateau(case="1"), "cases A and B"),
        (lambda: rsee_plateau(decades=20), "decades"),
        (lambda: rsee_stochastic(case="2"), "Unknown case"),
        (lambda: rsee_stochastic(runs=1), "runs"),
        (lambda: integrals(0.0, -1.0), "positive k"),
        (lambda: cost(**at("A", a=-1.0)), "'a' is a positive number"),
        (lambda: plateau_shift(0.1, k1=0.1), "later"),
    ):
        with pytest.raises(MisuseError, match=message):
            call()
