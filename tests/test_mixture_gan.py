"""The two-Gaussian GAN against closed forms, the model sheet's oracles, and independent numerics."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr

import gan_bifurcation as gb
from gan_bifurcation.conformance import check_game
from gan_bifurcation.models import mixture_tables
from gan_bifurcation.models.mixture_outcomes import LABELS, label_ends, outcome, total_variation
from gan_bifurcation.models.mixture_runs import simulate_mixture, simulate_mixtures
from gan_bifurcation.models.mixture_theory import (
    arrival_time,
    interval_eigenvalues,
    largest_step,
    merged_rate,
    mixture_eigenvalues,
    slice_crossing,
    slice_rate,
    symmetric_end,
)
from gan_bifurcation.models.mixture_zeros import find_zeros, optimal_intervals

TRUE = (-0.5, 0.5)
ENDS = ("l1", "r1", "l2", "r2")


def density(x):
    return np.exp(-0.5 * np.square(x)) / math.sqrt(2 * math.pi)


def difference(x, mu, true=TRUE):
    return sum(density(x - t) - density(x - m) for t, m in zip(true, mu, strict=True)) / 2


@pytest.mark.parametrize(
    "game",
    [
        gb.models.mixture_gan(),
        gb.models.mixture_gan(ordering="order"),
        gb.models.mixture_gan(coordinates="widths"),
        gb.models.symmetric_mixture_gan(ordering="order"),
        gb.models.interval_gan(),
        gb.models.interval_gan(discriminator="window"),
        gb.models.interval_gan(discriminator="projected"),
        gb.models.interval_gan(discriminator="half_line"),
    ],
    ids=lambda game: "-".join(game.states),
)
def test_games_conform(game):
    check_game(game)


def test_loss_is_the_expectation_of_the_discriminator():
    # E_true[D] + E_generated[1 - D] by quadrature of the densities over the two intervals.
    game = gb.models.mixture_gan()
    ends, mu = (-1.7, -0.2, 0.4, 2.5), (0.1, 1.3)
    values = dict(zip(ENDS, ends, strict=True)) | {"mu1": mu[0], "mu2": mu[1], "true1": TRUE[0], "true2": TRUE[1]}
    loss = float(game.generator.loss.subs({gb.symbol(name): value for name, value in values.items()}))
    integral = sum(quad(difference, *pair, args=(mu,))[0] for pair in (ends[:2], ends[2:]))
    assert loss == pytest.approx(1 + integral, abs=1e-12)


# -- zeros of F ---------------------------------------------------------------------------------------------------


def test_three_zeros_of_the_sheet():
    # The model sheet, B.1, and mpmath with 30 digits; the sheet's third zero, 2.239395148785, is wrong from its 10th
    # decimal on.
    zeros = find_zeros((-1.0, 2.5), (-2.0, 2.0))
    assert zeros == pytest.approx([-1.497886198298113, 0.659259989470466, 2.239395148854784], abs=2e-15)
    assert optimal_intervals((-1.0, 2.5), (-2.0, 2.0)) == [(-math.inf, zeros[0]), (zeros[1], zeros[2])]


def test_a_zero_on_a_grid_node_is_found_and_the_run_moves():
    # B.2 traps: F = 0 at 0.15 exactly by symmetry, where a search by signs on a grid finds nothing.
    assert find_zeros((-0.2, 0.8), TRUE) == pytest.approx([0.15], abs=1e-15)
    assert simulate_mixture((-0.2, 0.8), dynamics="optimal", steps=500).outcome.label == "success"


def test_zeros_are_those_of_a_fine_grid():
    rng = np.random.default_rng(5)
    x = np.linspace(-14, 14, 8001) + math.sqrt(2) * 1e-4
    for _ in range(300):
        mu, true = rng.uniform(-3, 3, (2, 2))
        f = difference(x, mu, true)
        crossed = x[np.flatnonzero(f[1:] * f[:-1] < 0)]
        zeros = find_zeros(mu, true)
        crossed, inside = crossed[np.abs(crossed) < 10], zeros[np.abs(zeros) < 10]
        assert len(crossed) == len(inside)
        assert np.all(np.abs(crossed - inside) < 0.004)
        # Parity and number by the order of the means (B.1): separated 1, nested 2, interlaced 1 or 3.
        signs = "".join(s for _, s in sorted([(m, "-") for m in mu] + [(t, "+") for t in true]))
        expected = {"++--": {1}, "--++": {1}, "+--+": {2}, "-++-": {2}}.get(signs, {1, 3})
        assert len(zeros) in expected


def test_degenerate_means():
    assert find_zeros(TRUE, TRUE).size == 0  # F = 0
    assert optimal_intervals(TRUE, (0.5, -0.5)) == []
    assert find_zeros((0.0, 0.0), (1.0, 1.0)) == pytest.approx([0.5])  # halfway, by symmetry
    # One mean shared: the others' midpoint.
    assert find_zeros((-0.5, 1.5), TRUE) == pytest.approx([1.0])


# -- exact facts (B.3) ----------------------------------------------------------------------------------------------


def test_arrival_in_finite_time():
    # B.3: 2.6151072 and 11.614425, and the integral itself by quadrature.
    assert arrival_time(1.0) == pytest.approx(2.6151072, abs=5e-8)
    assert arrival_time(3.0) == pytest.approx(11.614425, abs=5e-7)
    assert arrival_time(2.0) == pytest.approx(quad(lambda d: 1 / density(d / 2), 0, 2)[0], rel=1e-12)


def test_discrete_runs_arrive_at_that_time():
    # Two true and two generated means at one place are one Gaussian: small steps follow the flow, each mean at half of
    # its rate, since the generator's gradient is shared.
    eta = 1e-3
    run = simulate_mixture((1.0, 1.0), dynamics="optimal", eta_g=eta, steps=7000, true_means=(0.0, 0.0))
    arrived = run.steps[np.argmax(np.abs(run.means[:, 0]) < 2 * eta)] * eta
    assert arrived / 2 == pytest.approx(arrival_time(1.0), abs=0.01)


@pytest.mark.parametrize(
    ("m", "crossing", "rate"), [(0.5, 1.0209577, 0.2418652), (1.0, 1.0850385, 0.2402735), (2.0, 1.3442682, 0.2172694)]
)
def test_merged_modes_on_the_slice(m, crossing, rate):
    # B.3, symmetric slice.
    assert slice_crossing(0.0, m) == pytest.approx(crossing, abs=6e-8)
    assert merged_rate(m) == pytest.approx(rate, abs=6e-8)
    # The flow's own velocity beside u = 0 grows at that rate.
    assert slice_rate(1e-5, m) / 1e-5 == pytest.approx(rate, rel=1e-6)
    x = slice_crossing(m, m)
    assert x * math.tanh(m * x) == pytest.approx(m, abs=1e-12)


def test_slice_rate_is_the_optimal_dynamics():
    # One step of the compiled dynamics from (-u, u), whose discriminator comes from another algorithm.
    run = simulate_mixture((-0.2, 0.2), dynamics="optimal", eta_g=0.1, steps=1)
    assert (run.means[1, 1] - 0.2) / 0.1 == pytest.approx(slice_rate(0.2, 0.5), rel=1e-9)


def test_total_variation_and_its_trap():
    # B.4: .0580589 for merged modes, .1490 for (-1, 1), at most .3638 on the grid; and the integral of |F|/2.
    table = mixture_tables.mixture_variation()
    assert table.numbers["merged"] == pytest.approx(0.0580589, abs=5e-8)
    assert table.numbers["wide"] == pytest.approx(0.1490, abs=5e-5)
    assert table.numbers["largest"] == pytest.approx(0.3638, abs=5e-5)
    x = np.linspace(-12, 12, 24001)
    assert total_variation((0.3, 1.9), TRUE) == pytest.approx(
        0.5 * np.sum(np.abs(difference(x, (0.3, 1.9)))) * 1e-3, abs=1e-6
    )
    # One Gaussian: 2 Phi(|d|/2) - 1.
    assert total_variation((0.7, 0.7), (0.0, 0.0)) == pytest.approx(2 * ndtr(0.35) - 1, abs=1e-14)


def test_half_line_runs_away():
    # B.3: mu' = -density(r - mu) < 0 always.
    flow = gb.system(gb.models.interval_gan(discriminator="half_line"), "flow")
    for r, mu in ((0.0, 0.0), (-3.0, 1.0), (2.0, -1.0)):
        f = dict(zip(flow.states, flow.rhs(flow.state_vector({"r": r, "mu": mu})), strict=True))
        assert f["mu"] == pytest.approx(-density(r - mu), rel=1e-12)


# -- manifolds of equilibria ------------------------------------------------------------------------------------------


def test_line_of_equilibria_of_one_interval():
    # B.3: s = 1, equal rates: eta s density(s) (-1 +- i), and a zero along the line.
    flow = gb.system(gb.models.interval_gan(), "flow")
    across = gb.transverse_spectrum(gb.point(flow))
    assert (across.dimension, across.is_manifold, across.stability) == (1, True, "attracts")
    assert sorted(across.eigenvalues, key=lambda z: z.imag) == pytest.approx(
        [-0.241971 - 0.241971j, -0.241971 + 0.241971j], abs=5e-7
    )
    # The line itself: l and r move apart, the mean stays.
    tangent = dict(zip(flow.states, across.tangent[:, 0], strict=True))
    assert abs(tangent["l"] + tangent["r"]) < 1e-12
    assert abs(tangent["mu"]) < 1e-12
    # A window is the same without the zero; and unequal rates by the quadratic.
    window = gb.system(gb.models.interval_gan(discriminator="window"), "flow", eta_g=3.0, eta_d=0.5)
    assert sorted(gb.point(window).spectrum.real) == pytest.approx(
        sorted(z.real for z in interval_eigenvalues(1.0, eta_d=0.5, eta_g=3.0)), abs=1e-12
    )


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (0.3, 2.0720242, (-0.01657 + 0.17024j, -0.01657 + 0.13305j)),
        (0.6, 1.5639866, (-0.01488 + 0.21907j, -0.01488 + 0.12205j)),
        (0.9, 1.1941457, (-0.00541 + 0.26009j, -0.00541 + 0.04178j)),
    ],
)
def test_symmetric_family(a, b, expected):
    # B.3, the symmetric family, to the digits given; from the tape's Jacobian and from the quadratic problem.
    end = symmetric_end(a)
    assert end == pytest.approx(b, abs=6e-8)
    flow = gb.system(gb.models.mixture_gan(), "flow")
    point = gb.point(flow, dict(zip(ENDS, (-end, -a, a, end), strict=True)) | {"mu1": -0.5, "mu2": 0.5})
    across = gb.transverse_spectrum(point)
    assert (across.dimension, across.is_manifold, across.stability) == (2, True, "attracts")
    for values in (across.eigenvalues, mixture_eigenvalues((-end, -a, a, end))):
        upper = sorted((z for z in values if z.imag > 0), key=lambda z: -z.imag)
        assert upper == pytest.approx(list(expected), abs=6e-6)


def test_manifolds_and_bifurcation_points_are_told_apart():
    cubic = gb.System.from_equations("flow", {"x": "-x**3", "y": "-y"})
    at_zero = gb.transverse_spectrum(gb.point(cubic, {"x": 0.0, "y": 0.0}))
    assert (at_zero.dimension, at_zero.is_manifold) == (1, False)
    assert at_zero.eigenvalues.tolist() == [-1.0]
    # A map with a line of fixed points x = y^2 that repels at rate 1.5: by construction.
    line = gb.System.from_equations("map", {"x": "y**2 + 1.5*(x - y**2)", "y": "y"})
    on_line = gb.transverse_spectrum(gb.point(line, {"x": 0.3, "y": 0.5}))
    assert (on_line.dimension, on_line.is_manifold, on_line.stability) == (1, True, "repels")
    assert on_line.eigenvalues == pytest.approx([1.5])
    with pytest.raises(gb.MisuseError, match="takes a Point"):
        gb.transverse_spectrum(line)


def test_limits_of_the_step_by_continuation():
    # B.3: simultaneous steps are stable up to eta s density(s) = 1; alternating ones up to sqrt(3) - 1, by Jury's
    # conditions on trace 2 - 2h - 2h^2 and determinant 1 - 2h.
    for rule, label, level in (("simultaneous", "NS1", 1.0), ("alternating", "PD1", math.sqrt(3) - 1)):
        steps = gb.tie(gb.system(gb.models.interval_gan(discriminator="window"), rule), eta_g="eta_d")
        branch = gb.trace(gb.point(steps.with_parameters(eta_d=1.0)), {"eta_d": (0.2, 6.0)})
        assert branch[label].parameters["eta_d"] == pytest.approx(level * largest_step(1.0), rel=1e-8)
        if label == "NS1":
            # At h = 1 the multipliers have trace 0 and determinant 1: they are +-i, all along the curve.
            assert branch[label].normal_form["theta"] == pytest.approx(math.pi / 2, abs=1e-9)
    assert largest_step(1.0) * density(1.0) == pytest.approx(1.0)


def test_intervals_outside_the_mean_repel():
    # B.3: where D = 1 outside the mean the equilibrium is unstable: H < 0 for [-inf, -s] and [s, inf].
    values = mixture_eigenvalues((-40.0, -1.2, 1.2, 40.0), (0.0, 0.0))
    assert max(values.real) > 0.01


# -- training ----------------------------------------------------------------------------------------------------------


def test_first_order_runs_are_the_game_under_its_rules():
    # The compiled loops against the tape of the game, without ordering: the same step written twice.
    game = gb.models.mixture_gan()
    start = {"mu1": -0.3, "mu2": 0.9, "l1": -1.0, "r1": 0.2, "l2": 0.5, "r2": 2.0}
    order = ("mu1", "mu2", *ENDS)
    for dynamics, unrolled, rule in (
        ("first_order", 0, gb.Simultaneous()),
        ("persistent", 1, gb.Alternating()),
        ("persistent", 3, gb.Alternating(discriminator_steps=3)),
    ):
        run = simulate_mixture(
            [start["mu1"], start["mu2"]], [start[e] for e in ENDS], dynamics=dynamics, unrolled=unrolled,
            eta_d=0.2, eta_g=0.1, steps=200, ordering="none",
        )  # fmt: skip
        final = gb.simulate(gb.system(game, rule, eta_d=0.2, eta_g=0.1), start, steps=200).final_state
        assert [*run.means[-1], *run.ends[-1]] == pytest.approx([final[name] for name in order], abs=1e-11)


def test_ordering_by_width_is_the_projected_game():
    # The middle of a crossing pair is what a half-width kept at zero gives, in centre and half-width.
    start = {"mu1": 0.2, "mu2": 0.9, "c1": 0.6, "w1": 0.3, "c2": 2.0, "w2": 0.4}
    steps = gb.system(gb.models.mixture_gan(coordinates="widths"), "simultaneous")
    final = gb.simulate(steps, start, steps=400).final_state
    ends = [0.6 - 0.3, 0.6 + 0.3, 2.0 - 0.4, 2.0 + 0.4]
    run = simulate_mixture((0.2, 0.9), ends, steps=400, ordering="width")
    assert final["w2"] == 0.0
    assert run.ends[-1] == pytest.approx(
        [final["c1"] - final["w1"], final["c1"] + final["w1"], final["c2"], final["c2"]], abs=1e-12
    )


def test_looking_ahead_moves_the_generator_only():
    # U1: after one step the discriminator stands where first order puts it; the generator sees the third step's.
    start, ends = (-0.3, 0.9), (-1.0, 0.2, 0.5, 2.0)
    ahead = simulate_mixture(start, ends, dynamics="lookahead", unrolled=3, steps=1, ordering="none")
    plain = simulate_mixture(start, ends, steps=1, ordering="none")
    kept = simulate_mixture(start, ends, dynamics="persistent", unrolled=3, steps=1, ordering="none")
    assert ahead.ends[-1].tolist() == plain.ends[-1].tolist()
    assert ahead.means[-1].tolist() == kept.means[-1].tolist()


def test_order_is_the_nearest_ordered_point():
    # Pooling adjacent violators in one step, against scipy's isotonic regression.
    from scipy.optimize import isotonic_regression

    rng = np.random.default_rng(0)
    means = rng.uniform(-1, 1, (200, 2))
    ends = np.sort(rng.uniform(-1, 1, (200, 4)), axis=1)
    free = simulate_mixtures(means, ends, eta_d=20.0, steps=1, ordering="none")
    kept = simulate_mixtures(means, ends, eta_d=20.0, steps=1, ordering="order")
    wanted = [isotonic_regression(row).x for row in free[:, 2:]]
    assert kept[:, 2:] == pytest.approx(np.array(wanted), abs=1e-13)
    assert np.all(np.diff(kept[:, 2:], axis=1) >= 0)


def test_optimal_dynamics_from_beside_the_diagonal():
    # B.3: (0, .01) -> (-.512, .488) by t = 500 at eta = .1; from (a, a) to the middle, exactly merged.
    run = simulate_mixture((0.0, 0.01), dynamics="optimal", steps=500)
    assert run.means[-1] == pytest.approx([-0.512, 0.488], abs=5e-4)
    assert simulate_mixture((-1.0, -0.9), dynamics="optimal", steps=500).outcome.label == "success"
    merged = simulate_mixture((0.7, 0.7), dynamics="optimal", steps=500)
    assert merged.means[-1, 0] == merged.means[-1, 1]
    assert merged.means[-1] == pytest.approx([0.0, 0.0], abs=1e-12)


@pytest.mark.parametrize("dynamics", [("first_order", 0), ("lookahead", 5), ("persistent", 5)])
def test_merged_means_stay_merged(dynamics):
    # B.3: invariant for every variant, by the exchange of the means.
    name, unrolled = dynamics
    run = simulate_mixture((0.3, 0.3), (-2, -1, 0.1, 1.5), dynamics=name, unrolled=unrolled, steps=300)
    assert np.array_equal(run.means[:, 0], run.means[:, 1])


def test_outcomes_are_told_apart():
    assert outcome([0.45, -0.52, 0, 0, 1, 1]).label == "success"  # in whatever order, whatever the discriminator
    merged = outcome([0.0, 0.0, -2, -1, 1, 2])
    assert (merged.label, merged.total_variation < 0.1) == ("mode collapse", True)  # the trap of B.4
    closed = outcome([0.1, 0.9, 0.3, 0.3, 1.7, 1.7])
    assert (closed.label, closed.open_intervals) == ("discriminator collapse", 0)
    assert outcome([0.1, 0.9, 0.3, 0.4, 1.7, 1.7]).label == "unsettled"
    assert LABELS[int(label_ends([[0.1, 0.9, -np.inf, np.inf, np.inf, np.inf]])[0])] == "unsettled"


def test_discriminator_collapse_is_a_stall_of_the_projected_game():
    # B.3: an interval inside F < 0 shrinks to nothing, and the generator stays.
    steps = gb.system(gb.models.interval_gan(discriminator="projected"), "simultaneous", eta_d=0.2, eta_g=0.2)
    orbit = gb.simulate(steps, {"c": 2.0, "w": 0.5, "mu": 1.0}, steps=300)
    assert orbit.final_state["w"] == 0.0
    assert orbit.verdict.kind == "stalls"
    ended = gb.simulate(gb.system(gb.models.interval_gan(), "simultaneous"), {"l": 1.5, "r": 2.5, "mu": 1.0}, steps=300)
    assert "the interval has closed" in ended.outcome.message


def test_chattering_is_proportional_to_the_rate():
    # B.3: .0029, .0093, .0265 at eta = .03, .1, .3, which depend on the draws of starts: within a fifth.
    table = mixture_tables.mixture_chattering(etas=[0.03, 0.1, 0.3], starts=60, time=60.0)
    assert table.columns["median"] == pytest.approx([0.0029, 0.0093, 0.0265], rel=0.2)
    assert table.numbers["slope"] == pytest.approx(1.0, abs=0.06)


def test_heat_maps():
    table = mixture_tables.mixture_heat_maps(
        dynamics=["first_order", "lookahead 10", "optimal"], cells=5, draws=6, steps=1500
    )
    # All but the diagonal, whose modes are merged.
    assert table.numbers["optimal"] == 0.8
    assert np.all(np.diag(table.fields["optimal_mode_collapse"]) == 1.0)
    assert (
        table.numbers["first_order"] < table.numbers["lookahead_10"] < table.numbers["optimal"]
    )  # the paper's picture
    shares = sum(table.fields["first_order" + s] for s in ("", *("_" + x.replace(" ", "_") for x in LABELS[1:])))
    assert shares == pytest.approx(np.ones((5, 5)))
    # What the criterion of total variation would have called a success (B.4, warning).
    assert table.numbers["optimal_variation"] == 1.0
    assert table.numbers["first_order_variation"] > 5 * table.numbers["first_order"]


def test_results_do_not_depend_on_workers():
    rng = np.random.default_rng(2)
    means, ends = rng.uniform(-1, 1, (150, 2)), np.sort(rng.uniform(-3, 3, (150, 4)), axis=1)
    one = simulate_mixtures(means, ends, steps=50, workers=1)
    assert np.array_equal(one, simulate_mixtures(means, ends, steps=50, workers=3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: simulate_mixture((0, 1)), "needs 'ends'"),
        (lambda: simulate_mixture((0, 1), dynamics="optimum"), "Did you mean 'optimal'"),
        (lambda: simulate_mixture((0, 1), (1, 0, 2, 3)), "l <= r"),
        (lambda: simulate_mixture((0, 1), (0, 2, 1, 3)), "l1 <= r1 <= l2 <= r2"),
        (lambda: simulate_mixture((0, 1), (0, 1, 2, 3), unrolled=2), "0 for other dynamics"),
        (lambda: simulate_mixture((0, math.nan), (0, 1, 2, 3)), "pairs of numbers"),
        (lambda: simulate_mixture((0, 1), (0, 1, 2, 3), steps=-1), "whole number from 0"),
        (lambda: simulate_mixture((0, 1), (0, 1, 2, 3), stride=0), "whole number from 1"),
        (lambda: find_zeros((0.0, math.inf), TRUE), "two means"),
        (lambda: outcome([0.0] * 5), "mu1, mu2, l1, r1, l2, r2"),
        (lambda: gb.models.mixture_gan(ordering="orders"), "Did you mean 'order'"),
        (lambda: gb.models.mixture_gan(true_means=(1.0,)), "two numbers"),
        (lambda: gb.models.interval_gan(half_width=0.0), "half-width > 0"),
        (lambda: mixture_tables.mixture_heat_maps(dynamics=["lookahead"]), "such as 'first_order' or 'lookahead 5'"),
        (lambda: mixture_tables.mixture_heat_maps(cells=200, draws=9000), "too many"),
        (lambda: symmetric_end(2.0), "between 0 and"),
    ],
)
def test_misuse_is_told_in_one_sentence(call, message):
    with pytest.raises(gb.MisuseError, match=message):
        call()
