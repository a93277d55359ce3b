"""Verdicts against systems whose long run is known in closed form."""

import math
from typing import Any

import numpy as np
import pytest

import gan_bifurcation as gb
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.regimes.limits import spectra
from gan_bifurcation.regimes.recurrence import irregularity, periods, returns, rotation_numbers
from gan_bifurcation.regimes.verdicts import Verdict, classify, classify_many, local_verdict
from gan_bifurcation.system import System


def a_map(parameters: dict[str, float] | None = None, domain: Any = (), **equations: str) -> System:
    return System.from_equations("map", equations, parameters, domain=domain)


def a_flow(parameters: dict[str, float] | None = None, **equations: str) -> System:
    return System.from_equations("flow", equations, parameters)


SIMULTANEOUS = a_map({"h": 0.1}, theta="theta - h*psi", psi="psi + h*theta")
ALTERNATING = a_map({"h": 0.1}, theta="theta - h*psi", psi="psi + h*(theta - h*psi)")
# Dirac-GAN with R1, both players at once (Mescheder et al. 2018), f(t) = -log(1 + exp(-t)).
R1 = a_map(
    {"h": 0.2, "gamma": 0.3},
    psi="psi + h*(theta*sigmoid(-theta*psi) - gamma*psi)",
    theta="theta - h*psi*sigmoid(-theta*psi)",
)
LOGISTIC = a_map({"r": 3.2}, x="r*x*(1 - x)")
HENON = a_map({"a": 1.4, "b": 0.3}, x="1 - a*x**2 + y", y="b*x")
DELAYED = a_map({"r": 2.1}, x="r*x*(1 - y)", y="x")


def run(system: System, start: Any, **keywords: Any) -> Verdict:
    return classify(system, start, **keywords)


# -- converging -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gamma", "detail", "multiplier"),
    [
        # Eigenvalues of the flow -gamma/2 +- sqrt(gamma^2/4 - 1/4): critical gamma = 1. Multipliers 1 + h times them.
        (0.3, "spiralling", 1 + 0.2 * complex(-0.15, math.sqrt(0.25 - 0.0225))),
        (1.5, "monotone", 1 + 0.2 * (-0.75 + math.sqrt(0.5625 - 0.25))),
    ],
)
def test_r1_converges_spiralling_below_and_monotone_above_critical_damping(
    gamma: float, detail: str, multiplier: complex
) -> None:
    verdict = run(R1, {"psi": 1.0, "theta": 1.0}, parameters={"gamma": gamma})
    assert (verdict.kind, verdict.detail, verdict.confidence) == ("converges", detail, 1.0)
    assert abs(verdict.multiplier) == pytest.approx(abs(multiplier), rel=1e-9)
    assert verdict.rate == pytest.approx(-math.log(abs(multiplier)), rel=1e-8)
    assert verdict.iterations_to_1_e == pytest.approx(1 / verdict.rate)
    assert verdict.has_rotating_modes == (detail == "spiralling")
    assert verdict.limit == pytest.approx({"psi": 0.0, "theta": 0.0}, abs=1e-9)
    assert verdict.steps < 4000


def test_slow_convergence_is_told_from_oscillation_by_the_spectrum() -> None:
    # Linear: |multiplier|^2 = 1 - h gamma + h^2/4, so 4000 steps shrink the orbit by 14 % only.
    slow = a_map({"h": 0.01, "gamma": 0.01}, psi="psi + h*(theta/2 - gamma*psi)", theta="theta - h*psi/2")
    verdict = run(slow, [1.0, 1.0])
    assert (verdict.kind, verdict.detail) == ("converges", "spiralling")
    assert verdict.rate == pytest.approx(-math.log(1 - 1e-4 + 2.5e-5) / 2, rel=1e-6)
    assert verdict.confidence < 1.0


def test_alternation_in_sign_counts_as_spiralling() -> None:
    # Fixed point 1 - 1/r, multiplier 2 - r.
    verdict = run(LOGISTIC, [0.3], parameters={"r": 2.5})
    assert (verdict.kind, verdict.detail) == ("converges", "spiralling")
    assert verdict.multiplier == pytest.approx(-0.5)
    assert verdict.limit["x"] == pytest.approx(0.6)


def test_a_flow_converges_at_the_real_part_of_its_eigenvalue() -> None:
    verdict = run(a_flow(x="y", y="-x - 0.2*y"), [1.0, 0.0])
    assert (verdict.kind, verdict.detail) == ("converges", "spiralling")
    # s^2 + 0.2 s + 1 = 0: real part -0.1.
    assert verdict.rate == pytest.approx(0.1, rel=1e-9)
    assert verdict.iterations_to_1_e == pytest.approx(10.0)


def test_only_what_the_generator_sees_decides_how_it_converges() -> None:
    # A critic's constant decays at 0.01 without anyone seeing it; theta spirals at rate 0.05.
    game = gb.Game.from_strings(
        "hidden",
        discriminator={"states": ["psi", "c"], "loss": "-theta*psi + psi**2*0.05 + 0.005*c**2"},
        generator={"states": ["theta"], "loss": "theta*psi"},
    )
    system = gb.system(game, gb.Flow())
    verdict = run(system, [1.0, 1.0, 1.0], duration=2000.0)
    assert (verdict.kind, verdict.detail) == ("converges", "spiralling")
    # s^2 + 0.1 s + 1 = 0 for (psi, theta).
    assert verdict.rate == pytest.approx(0.05, rel=1e-6)
    found = local_verdict(system, [0.0, 0.0, 0.0])
    assert found.detail == "spiralling"
    assert found.radius == pytest.approx(-0.01)
    # The same equations without a game: all states are looked at.
    plain = System("flow", "plain", system.states, dict(system.parameters), system.assignments, system.rhs_expressions)
    assert local_verdict(plain, [0.0, 0.0, 0.0]).detail == "monotone"


def test_a_continuum_of_equilibria_attracts_if_only_the_critic_has_it() -> None:
    equations: dict[str, Any] = {
        "discriminator": {"states": ["psi", "c"], "loss": "-theta*psi + psi**2/4"},
        "generator": {"states": ["theta"], "loss": "theta*psi"},
    }
    system = gb.system(gb.Game.from_strings("constant", **equations), gb.Flow())
    verdict = run(system, {"psi": 1.0, "c": 0.7, "theta": 1.0})
    assert (verdict.kind, verdict.detail) == ("converges", "spiralling")
    assert verdict.limit["c"] == pytest.approx(0.7)


def test_linear_maps_with_planted_spectra() -> None:
    rng = np.random.default_rng(11)
    for _ in range(6):
        angle, size, slow = rng.uniform(0.3, 2.8), rng.uniform(0.6, 0.9), rng.uniform(0.2, 0.5)
        block = np.array(
            [
                [size * np.cos(angle), -size * np.sin(angle), 0],
                [size * np.sin(angle), size * np.cos(angle), 0],
                [0, 0, slow],
            ]
        )
        basis = rng.normal(size=(3, 3))
        a = basis @ block @ np.linalg.inv(basis)
        names = ["x", "y", "z"]
        system = a_map(**{
            n: " + ".join(f"({a[i, j]!r})*{m}" for j, m in enumerate(names)).replace("np.float64", "")
            for i, n in enumerate(names)
        })  # fmt: skip
        verdict = run(system, rng.normal(size=3), steps=2000)
        assert (verdict.kind, verdict.detail) == ("converges", "spiralling")
        assert abs(verdict.multiplier) == pytest.approx(size, rel=1e-9)


def test_an_iterate_converges_to_a_point_of_the_cycle() -> None:
    verdict = run(gb.iterate(LOGISTIC, 2), [0.3])
    assert (verdict.kind, verdict.detail) == ("converges", "monotone")
    # The multiplier of the 2-cycle is 4 + 2 r - r^2.
    assert verdict.multiplier == pytest.approx(4 + 6.4 - 3.2**2)


# -- oscillating ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("h", [0.5, 0.1, 0.01])
def test_alternating_steps_on_the_bilinear_game_turn_for_ever(h: float) -> None:
    verdict = run(ALTERNATING, [1.0, 1.0], parameters={"h": h})
    assert (verdict.kind, verdict.detail) == ("oscillates", "centre")
    # Multipliers of modulus 1 at the angle with cosine 1 - h^2/2.
    assert verdict.rotation == pytest.approx(math.acos(1 - h * h / 2) / (2 * math.pi), rel=1e-4)
    assert verdict.period == pytest.approx(1 / verdict.rotation)
    # The invariant theta^2 + psi^2 - h theta psi = 2 - h bounds theta by sqrt((2 - h)/(1 - h^2/4)).
    assert verdict.amplitude["theta"] == pytest.approx(2 * math.sqrt((2 - h) / (1 - h * h / 4)), rel=1e-2)


@pytest.mark.parametrize(("r", "period"), [(3.2, 2), (3.5, 4), (3.55, 8), (3.83, 3)])
def test_cycles_of_the_logistic_map_have_their_known_periods(r: float, period: int) -> None:
    verdict = run(LOGISTIC, [0.3], parameters={"r": r})
    assert (verdict.kind, verdict.detail, verdict.period) == ("oscillates", "cycle", period)
    if period == 2:
        # The two points are the roots of r^2 x^2 - r (r+1) x + r + 1: they differ by sqrt((r-3)(r+1))/r.
        assert verdict.amplitude["x"] == pytest.approx(math.sqrt((r - 3) * (r + 1)) / r, rel=1e-9)


def test_a_cycle_of_two_steps_is_seen_in_a_long_run() -> None:
    # Long records are thinned, and every second state of this cycle is the same; its two points as above.
    verdict = run(LOGISTIC, [0.3], steps=20_000)
    assert (verdict.kind, verdict.detail, verdict.period) == ("oscillates", "cycle", 2)
    assert verdict.amplitude["x"] == pytest.approx(math.sqrt(0.2 * 4.2) / 3.2, rel=1e-9)


# Noble numbers over two and four: no cycle is near.
@pytest.mark.parametrize("rotation", [(math.sqrt(5) - 2) / 2, (math.sqrt(5) - 1) / 4])
def test_what_comes_back_twice_in_a_turn_does_not_double_the_rotation_number(rotation: float) -> None:
    # A circle of radius sqrt(0.1) about 0 with a rotation number that is given, and a state that is even about it.
    turn, grow = f"{2 * math.pi * rotation}", "(1.1 - x**2 - y**2)"
    system = a_map(z="x**2", x=f"{grow}*(x*cos({turn}) - y*sin({turn}))", y=f"{grow}*(x*sin({turn}) + y*cos({turn}))")
    # From outside, so that the even state has the largest amplitude in units of its range.
    verdict = run(system, [0.05, 0.4, 0.0])
    assert (verdict.kind, verdict.detail) == ("oscillates", "circle")
    assert verdict.rotation == pytest.approx(rotation, abs=1e-6)


@pytest.mark.parametrize(("system", "start"), [(HENON, [0.1, 0.1]), (LOGISTIC.with_parameters(r=3.9), [0.3])])
def test_chaos_is_chaotic(system: System, start: list[float]) -> None:
    verdict = run(system, start)
    assert (verdict.kind, verdict.detail) == ("oscillates", "chaotic")
    assert math.isnan(verdict.rotation)


# Feigenbaum's cascade at b = 0.3: flips at a = 0.3675 and 0.9125 (trace and determinant of the 1- and 2-cycle), then
# chaos from 1.058 on with a window of period 7 (its exponents by 200 000 steps: 0.047, 0.10; -0.31, -0.058).
@pytest.mark.parametrize("steps", [64, 128, 500, 65_536])
def test_a_verdict_on_few_steps_or_many_is_the_true_one_or_none(steps: int) -> None:
    fates = {0.38: 2, 0.5: 2, 0.9: 2, 0.91: 2, 0.92: 4, 1.02: 4, 1.25: 7, 1.06: 0, 1.07: 0}
    found = classify_many(HENON, [0.1, 0.1], np.array([[a, 0.3] for a in fates]), steps=steps)
    for verdict, period in zip(found, fates.values(), strict=True):
        assert verdict.kind == "oscillates"
        assert verdict.detail == ("cycle" if period else "chaotic")
        assert not period or verdict.period == period


def test_what_shows_too_little_is_unresolved() -> None:
    def turning(rotation: float, pull: float) -> Verdict:
        # r -> r (1 + pull (1 - r^2)) and a rigid rotation: the circle r = 1 attracts with the multiplier 1 - 2 pull.
        w = 2 * math.pi * rotation
        grow = f"(1 + {pull} - {pull}*(x**2 + y**2))"
        system = a_map(x=f"{grow}*({math.cos(w)}*x - {math.sin(w)}*y)", y=f"{grow}*({math.sin(w)}*x + {math.cos(w)}*y)")
        return run(system, [1.3, 0.2], steps=128)

    golden = (math.sqrt(5.0) - 1.0) / 2.0
    assert turning(golden, 0.1).detail == "circle"
    # The orbit goes round once against the resonance in 1e5 steps: seen by running it on.
    assert turning(1 / 6 + 1e-5, 0.1).detail == "circle"
    # Once in 1e7 steps: neither a cycle that attracts nor a circle that is filled.
    near = turning(1 / 6 + 1e-7, 0.1)
    assert (near.detail, near.confidence < 0.7) == ("unresolved", True)
    # A spiral that takes 1000 steps to halve twice is no torus.
    assert turning(golden, 0.001).detail in ("circle", "unresolved")


def test_the_delayed_logistic_map_turns_on_a_circle() -> None:
    verdict = run(DELAYED, [0.5, 0.5])
    assert (verdict.kind, verdict.detail) == ("oscillates", "circle")
    # Near r = 2 the fixed point turns by 1/6; its own angle at r = 2.1 has cosine 1/(2 sqrt(1.1)).
    angle = math.acos(0.5 / math.sqrt(1.1)) / (2 * math.pi)
    assert verdict.rotation == pytest.approx(angle, abs=0.02)
    assert verdict.rate == pytest.approx(-math.log(1.1) / 2, rel=1e-6)


def test_the_non_saturating_game_settles_on_its_ring() -> None:
    # Simultaneous steps: -h r^4/8 + h^2 r^2/4 = 0 at r = sqrt(2 h) (dirac_and_rules.md C.1), rms .63177 for h = .2.
    ring = a_map({"h": 0.2}, t="t - h*s*sigmoid(t*s)", s="s + h*t*sigmoid(-t*s)")
    verdict = run(ring, [1.0, 1.0])
    assert (verdict.kind, verdict.detail) == ("oscillates", "circle")
    assert verdict.amplitude["t"] == pytest.approx(2 * 0.6325, rel=0.05)


def test_a_small_oscillation_after_a_long_way_is_no_convergence() -> None:
    # r -> 1.05 r/(1 + 1e6 r^2) and a turn by 0.3: the circle r = sqrt(0.05)/1000, reached from a start at 1.
    turn = f"1.05*({math.cos(0.3)}*x - {math.sin(0.3)}*y)", f"1.05*({math.sin(0.3)}*x + {math.cos(0.3)}*y)"
    ring = a_map(x=turn[0] + "/(1 + 1e6*(x**2 + y**2))", y=turn[1] + "/(1 + 1e6*(x**2 + y**2))")
    verdict = run(ring, [1.0, 1.0])
    assert (verdict.kind, verdict.detail) == ("oscillates", "circle")
    assert verdict.rotation == pytest.approx(0.3 / (2 * math.pi), rel=1e-6)
    assert verdict.amplitude["x"] == pytest.approx(2 * math.sqrt(0.05) / 1000, rel=1e-2)


def test_kinks_do_not_disturb_a_verdict() -> None:
    # WGAN with clipping, alternating: every orbit outside lands on the circle of radius 1 (dirac_and_rules.md C.1).
    clipped = a_map({"h": 0.02}, t="t - h*s", s="minimum(maximum(s + h*(t - h*s), -1), 1)")
    verdict = run(clipped, [1.0, 1.0])
    assert verdict.kind == "oscillates"
    assert verdict.amplitude["t"] == pytest.approx(2.0, rel=0.02)
    assert verdict.period == pytest.approx(2 * math.pi / 0.02, rel=0.02)


def test_cycles_and_tori_of_flows() -> None:
    # Van der Pol, mu = 1: period 6.6632868593231301896 (known to many digits).
    cycle = run(a_flow(x="y", y="(1 - x**2)*y - x"), [0.1, 0.0])
    assert (cycle.kind, cycle.detail) == ("oscillates", "cycle")
    assert cycle.period == pytest.approx(6.663286859, rel=1e-4)
    assert math.isnan(cycle.rotation)
    fast = run(a_flow(x="100*y", y="-100*x"), [1.0, 0.0])
    assert fast.detail == "centre"
    assert fast.period == pytest.approx(2 * math.pi / 100, rel=1e-4)
    torus = run(a_flow({"w": math.sqrt(2.0)}, a="-b", b="a", c="-w*d", d="w*c"), [1.0, 0.0, 1.0, 0.0])
    assert (torus.kind, torus.detail) == ("oscillates", "torus")
    # Langford's flow without its asymmetric term: z rests on the cycle but for the error of integration, which is as
    # large as the rest of its range.
    field = {"x": "(z - 1)*x - 3.5*y", "y": "3.5*x + (z - 1)*y", "z": "0.6 + z - z**3/3 - (x**2 + y**2)*(1 + z/4)"}
    resting = run(a_flow(**field), [0.3, 0.0, 0.4])
    assert (resting.detail, resting.period) == ("cycle", pytest.approx(2 * math.pi / 3.5, rel=1e-6))


def test_the_lorenz_attractor_is_chaotic_and_has_periodic_windows() -> None:
    lorenz = a_flow({"r": 28.0}, x="10*(y - x)", y="x*(r - z) - y", z="x*y - 8*z/3")
    assert run(lorenz, [1.0, 1.0, 1.0], duration=200.0).detail == "chaotic"
    # A stable symmetric cycle at r = 160 (Sparrow 1982: window 145 < r < 166), equilibria stable at r = 10.
    assert run(lorenz, [1.0, 1.0, 1.0], duration=200.0, parameters={"r": 160.0}).detail == "cycle"
    still = run(lorenz, [1.0, 1.0, 1.0], parameters={"r": 10.0})
    assert still.kind == "converges"
    # x = y = sqrt(8/3 (r - 1)), z = r - 1.
    assert abs(still.limit["x"]) == pytest.approx(math.sqrt(24.0), rel=1e-9)


# -- stalling ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "start"),
    [
        # x ~ log t: ever smaller steps, no equilibrium.
        (a_map(x="x + exp(-x)"), [0.0]),
        (a_flow(x="exp(-x)"), [0.0]),
        # On a plateau from the start.
        (a_flow(x="exp(-x)"), [10.0]),
        # x_k ~ 1/k: an equilibrium that does not attract exponentially.
        (a_map(x="x - x**2"), [0.3]),
    ],
)
def test_drifting_on_a_plateau_is_a_stall(system: System, start: list[float]) -> None:
    verdict = run(system, start)
    assert (verdict.kind, verdict.detail) == ("stalls", "drifts")
    assert 0.5 < verdict.confidence < 1.0


def test_resting_where_nothing_pulls_is_a_stall() -> None:
    assert run(a_map(x="x", y="y/2"), [1.0, 1.0]).detail == "plateau"
    # Exactly on an unstable fixed point.
    assert str(run(a_map(x="2*x"), [0.0])) == "stalls (at rest)"


# -- diverging --------------------------------------------------------------------------------------------------------


def test_simultaneous_steps_on_the_bilinear_game_diverge() -> None:
    # |multiplier|^2 = 1 + h^2: beyond a million after 2 log(1e6/sqrt 2)/log(1.01) = 2707 steps.
    verdict = run(SIMULTANEOUS, [1.0, 1.0])
    assert (verdict.kind, verdict.detail) == ("diverges", "too large")
    assert verdict.steps == pytest.approx(2707, rel=0.02)
    slow = run(SIMULTANEOUS, [1.0, 1.0], parameters={"h": 0.01})
    assert (slow.kind, slow.detail) == ("diverges", "growing")
    assert slow.confidence < 1.0


def test_leaving_the_domain_diverges_with_its_reason() -> None:
    runaway = a_map(x="1.1*x", domain=[("2 - x", "the generated point ran away")])
    verdict = run(runaway, [0.1])
    assert (verdict.kind, verdict.detail, verdict.confidence) == ("diverges", "left the domain", 1.0)
    assert "the generated point ran away" in verdict.reason
    # 0.1 * 1.1^k > 2 from k = 32 on.
    assert verdict.steps == 32


def test_other_ways_to_diverge() -> None:
    assert run(a_map(x="sqrt(x) - 1"), [4.0]).detail == "not finite"
    assert run(LOGISTIC, [0.3], parameters={"r": 4.1}).detail == "too large"
    # x = 1/(1 - t).
    blown = run(a_flow(x="x**2"), [1.0])
    assert (blown.kind, blown.detail) == ("diverges", "too large")
    assert blown.steps == pytest.approx(1.0, abs=0.13)
    walk = run(a_map(x="x + 1"), [1.0])
    assert (walk.kind, walk.detail) == ("diverges", "no decision")
    assert "give more steps" in walk.reason
    assert walk.confidence < 0.5


# -- many cells -------------------------------------------------------------------------------------------------------


def test_many_cells_agree_with_single_ones_whatever_the_number_of_workers() -> None:
    rng = np.random.default_rng(5)
    p = np.column_stack([rng.uniform(0.05, 2.5, 1300), rng.uniform(0.0, 2.0, 1300)])
    start = np.array([0.6, 0.4])
    calls: list[int] = []
    one = classify_many(R1, start, p, steps=1000, workers=1)
    two = classify_many(R1, start, p, steps=1000, workers=2, progress=calls.append)
    assert sum(calls) == len(one) == 1300
    for name in ("kind", "detail", "rate", "period", "limit", "amplitude", "steps", "confidence"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), err_msg=name)
    for cell in range(0, 1300, 260):
        h, gamma = p[cell]
        single = classify(R1, start, steps=1000, parameters={"h": h, "gamma": gamma})
        assert (single.kind, single.detail) == (one[cell].kind, one[cell].detail)
    # Locally stable exactly if h < gamma/f'^2 = 4 gamma and 2 h gamma < 4 + h^2/4 (dirac_and_rules.md C.1).
    h, gamma = p.T
    margin = np.minimum(4 * gamma - h, 4 + h * h / 4 - 2 * h * gamma)
    assert np.all(one.kind[margin > 0.2] == "converges")
    assert not np.any(one.kind[margin < -0.2] == "converges")
    assert sum(one.counts().values()) == 1300


def test_one_parameter_vector_and_many_states_find_both_attractors() -> None:
    # x -> x + x (1 - x^2)/2: equilibria -1, 0, 1; the sign of the start decides.
    double = a_map(x="x + x*(1 - x**2)/2")
    found = classify_many(double, np.array([[-0.5], [0.01], [0.7]]))
    assert found.kind.tolist() == ["converges"] * 3
    np.testing.assert_allclose(found.limit[:, 0], [-1.0, 1.0, 1.0], atol=1e-9)
    assert len(classify_many(double, np.zeros((0, 1)))) == 0


def test_the_kernel_gan_with_too_much_mass_oscillates_inside_its_hopf_curve() -> None:
    # kernel_gan.md 5.2: Delta = -0.2; Hopf at lambda = sqrt(mu q |Delta|)/sigma = 0.48990 for q = 1.2.
    system = gb.system(gb.models.kernel_gan(q1=1.2), gb.Flow())
    start = np.zeros(system.n)
    start[system.states.index("x1")] = 0.1
    p = np.array([system.parameter_vector(lam=lam) for lam in (0.35, 0.46, 0.53, 0.8)])
    found = classify_many(system, start, p, duration=400.0)
    assert found.kind.tolist() == ["oscillates", "oscillates", "converges", "converges"]
    # omega = sqrt(mu q p)/sigma at the Hopf point; the period is close to its there.
    assert found.period[1] == pytest.approx(2 * math.pi / math.sqrt(1.2), rel=0.05)


# -- the parts --------------------------------------------------------------------------------------------------------


def test_local_verdict_reports_the_whole_spectrum() -> None:
    system = a_map({"a": 0.5}, x="0.9*x", y="a*x - 0.3*y", z="1.2*z")
    found = local_verdict(system, [0.0, 0.0, 0.0])
    assert not found.stable
    # Triangular: the diagonal is the spectrum.
    assert [v.real for v in found.spectrum] == pytest.approx([1.2, 0.9, -0.3])
    assert found.radius == pytest.approx(1.2)
    assert found.rate == pytest.approx(-math.log(1.2))
    assert found.has_rotating_modes


def test_observable_spectra_of_random_matrices() -> None:
    # A = [[H, 0], [*, B]] in coordinates where the first r states are seen: eigenvalues of H are observable, of B not.
    rng = np.random.default_rng(8)
    n, r = 7, 3
    a = np.zeros((20, n, n))
    a[:, :r, :r] = rng.normal(size=(20, r, r))
    a[:, r:] = rng.normal(size=(20, n - r, n))
    found = spectra(a, np.arange(n) < 1, is_map=False)
    for k in range(20):
        inner = np.linalg.eigvals(a[k, :r, :r])
        assert found.slowest[k].real == pytest.approx(inner.real.max(), rel=1e-8)
        # Gershgorin's bound is replaced by eigenvalues where it does not prove stability.
        assert found.radius[k] >= np.linalg.eigvals(a[k]).real.max() - 1e-9


def test_recurrences_of_signals_with_known_frequencies() -> None:
    t = np.arange(2000.0)
    golden = (math.sqrt(5.0) - 1.0) / 2.0
    for number in (0.01, 0.1, 1 - golden, 0.47):
        wave = np.cos(2 * np.pi * number * t) + 0.1 * np.cos(4 * np.pi * number * t)
        crossings = np.array([int(2 * number * 2000)])
        found = rotation_numbers(wave[None, None], np.array([0]), crossings)[0]
        assert found == pytest.approx(number, abs=1e-7)
        assert irregularity(wave[None, None], np.array([[2.2]]))[0] < 1e-3
    noise = np.random.default_rng(0).uniform(size=(1, 1, 2000))
    assert irregularity(noise, np.array([[1.0]]))[0] > 1e-3
    assert periods(noise, np.array([[1.0]])).tolist() == [0]
    assert periods((t % 7)[None, None], np.array([[6.0]])).tolist() == [7]
    found_returns = returns(np.stack([np.cos(0.3 * t), np.sin(0.3 * t)]), 0)
    # cos rises through 0 at 3 pi/2 + 2 pi k, where sin is -1; the cubic through samples 0.3 apart errs by 0.3^4/40.
    np.testing.assert_allclose(0.3 * found_returns.times[:3], np.pi * (1.5 + 2.0 * np.arange(3)), atol=3e-4)
    np.testing.assert_allclose(found_returns.points[1], -1.0, atol=3e-4)


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"duration": 1.0}, "given by steps, not by duration"),
        ({"steps": 10}, "at least 64"),
        ({"tolerance": 0.5}, "tolerance between 0 and 0.1"),
        ({"parameters": np.zeros((2, 3))}, "expected \\(cells, 1\\)"),
        ({"parameters": [math.nan]}, "not finite"),
    ],
)
def test_misuse_is_one_sentence(keywords: dict[str, Any], words: str) -> None:
    with pytest.raises(MisuseError, match=words):
        classify_many(LOGISTIC, [0.3], **keywords)


def test_numbers_of_states_and_parameters_must_fit() -> None:
    with pytest.raises(MisuseError, match="2 initial states for 3 parameter vectors"):
        classify_many(LOGISTIC, [[0.3], [0.4]], np.full((3, 1), 3.0))
    with pytest.raises(MisuseError, match="not by steps"):
        classify(a_flow(x="-x"), [1.0], steps=100)


def test_a_flow_with_friction_rests_where_it_must() -> None:
    """Dry friction takes 2 mu off every half turn; the orbit sticks once |x| <= mu: 3 - 7 * 0.4 = 0.2, on the left."""
    friction = gb.System.from_equations("flow", {"x": "y", "y": "-x - 0.2*sign(y)"})
    verdict = classify(friction, {"x": 3.0, "y": 0.0}, duration=200.0)
    assert verdict.kind == "stalls"
    assert verdict.limit["x"] == pytest.approx(-0.2, abs=1e-7)
    assert verdict.limit["y"] == pytest.approx(0.0, abs=1e-9)
