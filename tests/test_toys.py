"""Toys with kinks and with more dimensions, against closed forms and end points of `dirac_and_rules.md`, C.1 to C.3."""

import math
from typing import Any

import numpy as np
import pytest

import gan_bifurcation as gb
from gan_bifurcation.conformance import check_game
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.integrator import Event, integrate
from gan_bifurcation.models.dirac_theory import gradient_penalty_cycle
from gan_bifurcation.models.gaussian_wgan import covariance_frequencies, covariance_invariant, manifold_dimension
from gan_bifurcation.models.lq_gan import critical_norm_penalty, flow_eigenvalues, wgan_invariant

MESCHEDER = gb.Alternating(first="generator")
CLIPPED = {"variant": "wgan", "clip": 1.0}
PENALISED = {"variant": "wgan", "gamma": 0.7, "target": 1.0}

TOYS = [
    gb.models.dirac_gan(**CLIPPED),
    gb.models.dirac_gan(**PENALISED),
    gb.models.dirac_gan(variant="non_saturating", gamma=0.3, sigma=0.7),
    gb.models.bilinear(dimension=3),
    gb.models.lq_gan(distribution="gaussian"),
    gb.models.lq_gan(variant="wgan", norm_penalty=0.5),
    gb.models.gaussian_wgan(statistic="mean", dimension=2),
    gb.models.gaussian_wgan(dimension=2, variances=[1.0, 2.0]),
]


@pytest.mark.parametrize("game", TOYS, ids=lambda game: f"{game.name}-{game.description[-20:-1]}")
def test_every_toy_conforms(game: Any) -> None:
    check_game(game)
    assert gb.models.citation(game.paper).startswith("@")


@pytest.mark.parametrize(
    ("settings", "rule", "theta", "psi"),
    [
        # Printed in C.1: h = 0.2, from (1, 1), 500 steps.
        (CLIPPED, gb.Simultaneous(), -0.0656408, 1.0),
        (PENALISED, gb.Simultaneous(), -0.180849, -1.79269),
        (CLIPPED, MESCHEDER, 0.979076, 0.300382),
        (PENALISED, MESCHEDER, -0.132559, 1.21385),
    ],
)
def test_end_points_of_the_games_with_kinks(settings: Any, rule: Any, theta: float, psi: float) -> None:
    game = gb.models.dirac_gan(**settings)
    assert not game.smooth
    assert game.why_not_smooth
    end = gb.simulate(gb.system(game, rule, eta_d=0.2, eta_g=0.2), {"psi": 1.0, "theta": 1.0}, steps=500).final_state
    assert end["theta"] == pytest.approx(theta, rel=6e-6)
    assert end["psi"] == pytest.approx(psi, rel=6e-6)


@pytest.mark.parametrize("gamma", [0.05, 0.7, 1.3, 1.7])
@pytest.mark.parametrize("target", [1.0, 0.4])
def test_the_cycle_of_the_gradient_penalty_by_simulation(gamma: float, target: float) -> None:
    flow = gb.system(gb.models.dirac_gan(variant="wgan", gamma=gamma, target=target), gb.Flow())
    theta, period, multiplier = gradient_penalty_cycle(gamma=gamma, target=target)
    turns = 3 + math.ceil(math.log(1e-11) / math.log(abs(multiplier)) / 2)
    start = {"psi": 0.0, "theta": 1.2 * theta}
    # C.2: crossings of psi = 0, alternately at +theta and -theta, half a period apart.
    found = integrate(flow, start, (turns + 0.5) * period, events=[Event("psi")], tolerance=1e-12)
    assert np.abs(found.event_states[-2:, 1]) == pytest.approx([theta, theta], abs=1e-8)
    assert found.event_times[-1] - found.event_times[-3] == pytest.approx(period, abs=1e-8)
    # The distance from the cycle shrinks and turns over with each half turn.
    gaps = np.abs(found.event_states[:, 1]) - theta
    if gamma < 1.0:
        assert -gaps[1] / gaps[0] == pytest.approx(multiplier, abs=1e-6) or gaps[1] / gaps[0] == pytest.approx(
            abs(multiplier), abs=1e-6
        )


def test_the_cycle_for_a_vanishing_penalty_and_where_there_is_none() -> None:
    # C.2: 4 g0 / pi for gamma -> 0.
    assert gradient_penalty_cycle(gamma=1e-6, target=2.0)[0] == pytest.approx(8 / math.pi, rel=1e-9)
    with pytest.raises(MisuseError, match="between 0 and 2"):
        gradient_penalty_cycle(gamma=2.0)


@pytest.mark.parametrize(
    ("gamma", "start"), [(2.0, (0.5, 1.0)), (3.0, (1.0, -4.0)), (3.0, (-1.0, 4.0)), (5.0, (0.2, 0.3))]
)
def test_strong_penalties_end_at_false_points(gamma: float, start: tuple[float, float]) -> None:
    # C.2: from gamma = 2 on orbits end at (theta, psi) = (-gamma g0, 0+) or (gamma g0, 0-).
    flow = gb.system(gb.models.dirac_gan(variant="wgan", gamma=gamma, target=1.0), gb.Flow())
    # Until the slow direction, exp(-slow t), is down to about 1e-7: psi must stay above the tolerance to keep its sign.
    slow = gamma / 2 - math.sqrt(gamma**2 / 4 - 1)
    psi, theta = integrate(flow, start, 17.0 / slow, tolerance=1e-12).final_state
    assert abs(theta) == pytest.approx(gamma, abs=1e-5)
    assert psi * theta < 0.0
    assert abs(psi) < 1e-5


@pytest.mark.parametrize("clip", [1.0, 0.3])
def test_the_clipped_flow_lands_on_the_circle_of_the_bound(clip: float) -> None:
    flow = gb.system(gb.models.dirac_gan(variant="wgan", clip=clip), gb.Flow())
    found = integrate(flow, {"psi": 0.5 * clip, "theta": 3.0 * clip}, 40.0, events=[Event("theta", 1)], tolerance=1e-12)
    # C.1: every orbit with r > c lands on the circle r = c, with period 2 pi.
    assert np.hypot(*found.final_state) == pytest.approx(clip, abs=1e-11)
    assert np.diff(found.event_times) == pytest.approx([2 * math.pi] * (len(found.event_times) - 1), abs=1e-10)
    # Sliding along the bound: theta' = -c until theta = 0, from where psi' < 0.
    first = math.acos(3.0 / math.hypot(3.0, 0.5)) - math.acos(math.sqrt(3.0**2 + 0.5**2 - 1) / math.hypot(3.0, 0.5))
    theta_there = math.sqrt(3.0**2 + 0.5**2 - 1)
    times = found.switch_times
    assert times[0] == pytest.approx(abs(first), abs=1e-11)
    assert times[1] - times[0] == pytest.approx(theta_there, abs=1e-10)
    # Inside the bounds nothing is clipped: the circle is kept.
    inside = integrate(flow, {"psi": 0.2 * clip, "theta": 0.1 * clip}, 20.0)
    assert np.hypot(*inside.final_state) == pytest.approx(clip * math.hypot(0.2, 0.1), abs=1e-9)


def test_simulate_locates_kinks_as_well() -> None:
    flow = gb.system(gb.models.dirac_gan(**PENALISED), gb.Flow())
    _, period, _ = gradient_penalty_cycle(gamma=0.7)
    orbit = gb.simulate(flow, {"psi": 1.0, "theta": 1.0}, duration=40 * period, samples=41)
    # One sample a period: the last ones repeat to about the tolerance.
    assert orbit.states[-1] == pytest.approx(orbit.states[-2], abs=1e-8)


@pytest.mark.parametrize(("h", "radius"), [(0.02, 0.2000), (0.4, 0.89063)])
def test_the_ring_of_the_non_saturating_gan_for_small_and_large_steps(h: float, radius: float) -> None:
    # C.1: rms radius after transients; tests/test_dirac_gan.py has h = 0.1 and 0.2.
    steps = gb.system(gb.models.dirac_gan(variant="non_saturating"), gb.Simultaneous(), eta_d=h, eta_g=h)
    states = gb.simulate(steps, {"psi": radius, "theta": 0.0}, steps=60_000).states[30_000:]
    assert math.sqrt((states**2).sum(axis=1).mean()) == pytest.approx(radius, abs=6e-5)


def test_the_non_saturating_flow_falls_like_the_root_of_eight_over_t() -> None:
    flow = gb.system(gb.models.dirac_gan(variant="non_saturating"), gb.Flow())
    end = gb.simulate(flow, {"psi": 1.0, "theta": 1.0}, duration=1000.0).states[-1]
    # C.1 prints .08926 at t = 1000, beside sqrt(8/t) = .08944.
    assert np.hypot(*end) == pytest.approx(0.08926, abs=6e-6)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # C.3: eta = 0.5 gives -.222222 +- .628539i; eta = 3/2 the double root -2/3.
        ({"variant": "wgan", "norm_penalty": 0.5}, [-0.222222 - 0.628539j, -0.222222 + 0.628539j]),
        ({"variant": "wgan", "norm_penalty": 1.5}, [-2 / 3, -2 / 3]),
        # f'' E x**4 = -3/4 and f' E x**2 = 1/2 for the normal distribution: lambda**2 + 3/2 lambda + 1 = 0.
        ({"distribution": "gaussian"}, [-0.75 - 0.661438j, -0.75 + 0.661438j]),
        # s = 1: +-2i.
        ({"variant": "wgan", "distribution": "gaussian"}, [-2j, 2j]),
    ],
)
def test_eigenvalues_of_the_linear_quadratic_games(settings: dict[str, Any], expected: list[complex]) -> None:
    flow = gb.system(gb.models.lq_gan(**settings), gb.Flow())
    found = np.sort_complex(np.linalg.eigvals(flow.jacobian(flow.equilibrium_guess())[:, :2]).astype(complex))
    assert found == pytest.approx(np.array(expected, complex), abs=1e-6)
    assert np.sort_complex(np.array(flow_eigenvalues(**settings))) == pytest.approx(np.array(expected), abs=1e-6)


@pytest.mark.parametrize(("distribution", "critical"), [("uniform", 1.5), ("gaussian", 0.5)])
def test_the_critical_norm_penalty_by_continuation(distribution: Any, critical: float) -> None:
    game = gb.models.lq_gan(variant="wgan", distribution=distribution, norm_penalty=0.1)
    branch = gb.trace(gb.point(gb.system(game, gb.Flow())), {"norm_penalty": (0.05, 3.0)}, events=[gb.Event.focus()])
    # C.3: 1/(2s), where the pair becomes real.
    assert branch["focus"].parameters["norm_penalty"] == pytest.approx(critical, abs=1e-8)
    assert critical_norm_penalty(distribution=distribution) == critical


def test_the_linear_quadratic_wgan_goes_round_and_its_steps_run_away() -> None:
    flow = gb.system(gb.models.lq_gan(variant="wgan"), gb.Flow())
    orbit = gb.simulate(flow, {"w": 0.4, "a": 1.6}, duration=60.0, tolerance=1e-12)
    values = [wgan_invariant(w=w, a=a) for w, a in orbit.states.tolist()]
    assert values == pytest.approx([values[0]] * len(values), abs=1e-9)
    found = integrate(flow, [1e-4, 1.0], 60.0, events=[Event("w", -1)], tolerance=1e-12)
    # C.3: small cycles have the period 3 pi.
    assert np.diff(found.event_times) == pytest.approx(3 * math.pi, abs=1e-6)
    for distribution, s in (("uniform", 1 / 3), ("gaussian", 1.0)):
        h = 0.05
        game = gb.models.lq_gan(variant="wgan", distribution=distribution)
        steps = gb.system(game, gb.Simultaneous(), eta_d=h, eta_g=h)
        states = gb.simulate(steps, {"w": 1e-4, "a": 1.0}, steps=40).states
        excess = [w**2 + (a - 1) ** 2 - (a - 1) ** 3 / 3 for w, a in states.tolist()]
        # C.3: H - 1/2 = w**2 + (a-1)**2 - (a-1)**3/3 + ... grows by 1 + 4 s**2 h**2 a step near the equilibrium.
        growth = (excess[-1] / excess[0]) ** (1 / 40)
        assert growth == pytest.approx(1 + 4 * s**2 * h**2, abs=1e-6)


def test_the_mean_of_a_gaussian_is_a_bilinear_game() -> None:
    game = gb.models.gaussian_wgan(statistic="mean", dimension=3)
    flow = gb.system(game, gb.Flow(), mean1=0.5, mean2=-1.0, mean3=2.0)
    # C.3: rotation +-i about theta = mean.
    assert flow.equilibrium_guess()[3:].tolist() == [0.5, -1.0, 2.0]
    eigenvalues = np.linalg.eigvals(flow.jacobian(flow.equilibrium_guess())[:, :6])
    assert np.sort(eigenvalues.imag) == pytest.approx([-1, -1, -1, 1, 1, 1], abs=1e-12)
    assert eigenvalues.real == pytest.approx(np.zeros(6), abs=1e-12)


def test_the_covariance_wgan_has_the_field_of_its_matrices() -> None:
    s = np.array([1.0, 2.0, 0.5])
    flow = gb.system(gb.models.gaussian_wgan(dimension=3, variances=s.tolist()), gb.Flow())
    x = np.random.default_rng(3).normal(size=15)
    w, a = np.zeros((3, 3)), x[6:].reshape(3, 3)
    upper = np.triu_indices(3)
    w[upper] = np.where(upper[0] == upper[1], x[:6], x[:6] / math.sqrt(2))
    w = w + np.triu(w, 1).T
    # C.3: A' = (W + W')A, W' = S - AA'.
    field = flow.rhs(x)
    rate = np.diag(s) - a @ a.T
    assert field[6:].reshape(3, 3) == pytest.approx((w + w.T) @ a, abs=1e-13)
    assert field[:6] == pytest.approx(np.where(upper[0] == upper[1], 1, math.sqrt(2)) * rate[upper], abs=1e-13)


@pytest.mark.parametrize("variances", [[1.0, 2.0], [1.0, 2.0, 0.5]])
def test_the_manifold_of_the_covariance_wgan(variances: list[float]) -> None:
    d = len(variances)
    flow = gb.system(gb.models.gaussian_wgan(dimension=d, variances=variances), gb.Flow())
    eigenvalues = np.linalg.eigvals(flow.jacobian(flow.equilibrium_guess())[:, : flow.n])
    frequencies = np.sort(eigenvalues.imag[eigenvalues.imag > 1e-6])
    # Linearised: M = AA' gives dW'' = -2 (dW S + S dW), so sqrt(2 (s_i + s_j)).
    by_hand = sorted(math.sqrt(2 * (variances[i] + variances[j])) for i in range(d) for j in range(i, d))
    assert frequencies == pytest.approx(by_hand, abs=1e-7)
    assert covariance_frequencies(variances=variances) == pytest.approx(by_hand, rel=1e-14)
    # As many zeros as rotations of a square root: d(d-1)/2.
    assert np.count_nonzero(np.abs(eigenvalues) < 1e-6) == d * (d - 1) // 2 == manifold_dimension(dimension=d)


def test_the_invariant_of_the_covariance_wgan() -> None:
    flow = gb.system(gb.models.gaussian_wgan(dimension=2), gb.Flow())
    orbit = gb.simulate(flow, [0.3, -0.2, 0.1, 1.2, 0.4, -0.3, 0.8], duration=30.0, samples=40)

    def invariant(x: Any) -> float:
        off = x[1] / math.sqrt(2)
        return covariance_invariant(weights=[[x[0], off], [off, x[2]]], generator=x[3:].reshape(2, 2))

    values = [invariant(x) for x in orbit.states]
    # d/dt (tr W^2 + tr M / 2 - log det M / 2) = 2 tr W(1 - M) + 2 tr WM - 2 tr W = 0.
    assert values == pytest.approx([values[0]] * len(values), abs=1e-8)
    # One dimension is the linear-quadratic WGAN with s = 1.
    assert covariance_invariant(weights=[[0.3]], generator=[[1.4]]) == pytest.approx(wgan_invariant(w=0.3, a=1.4))


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: gb.models.dirac_gan(variant="wgan", clip=0.0), "clip > 0"),
        (lambda: gb.models.dirac_gan(target=-1.0), "target >= 0"),
        (lambda: gb.models.bilinear(dimension=0), "from 1 to 100"),
        (lambda: gb.models.lq_gan(distribution="normal"), "distribution"),
        (lambda: gb.models.lq_gan(variant="wgn"), "Did you mean 'wgan'"),
        (lambda: gb.models.gaussian_wgan(statistic="median"), "statistic"),
        (lambda: gb.models.gaussian_wgan(dimension=13), "from 1 to 12"),
        (lambda: gb.models.gaussian_wgan(variances=[1.0]), "2 positive numbers"),
        (lambda: gb.models.gaussian_wgan(variances=[1.0, -1.0]), "2 positive numbers"),
        (lambda: gb.models.gaussian_wgan(statistic="mean", variances=[1.0, 1.0]), "leave them out"),
        (lambda: wgan_invariant(w=0.0, a=-1.0), "a > 0"),
        (lambda: covariance_invariant(weights=[[1.0]], generator=[[1.0, 2.0]]), "square matrices"),
    ],
)
def test_wrong_settings_are_refused(make: Any, part: str) -> None:
    with pytest.raises(MisuseError, match=part):
        make()
