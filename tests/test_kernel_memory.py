"""Memory simulator, heat map and reduced models of the kernel GAN; sections are those of its specification."""

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import gan_bifurcation as gb
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.models.kernel_heat_map import heat_map, notebook_radius, saturated_widths, stable_width
from gan_bifurcation.models.kernel_reduced import averaged_single_point
from gan_bifurcation.models.memory_simulator import simulate_memory_form


def features_run(rule: Any, start: list[float], steps: int, settings: dict[str, Any], **parameters: float) -> Any:
    """Positions of the generated points when features are trained, from an empty discriminator."""
    game = gb.models.kernel_gan(**settings)
    system = gb.system(game, rule, **parameters)
    features = len(game.discriminator.states)
    state = np.concatenate([np.zeros(features), start])
    points = [state[features:]]
    for _ in range(steps):
        state = system.rhs(state)
        points.append(state[features:])
    return np.array(points)


@pytest.mark.parametrize("order", ["alternating", "simultaneous"])
@pytest.mark.parametrize(
    ("dimension", "start", "settings", "tolerance"),
    [
        # The circle of 12 modes is Gaussian to 7e-11; Taylor features of degree 11 to (x/sigma)^24/12! at these
        # distances.
        (1, [0.9, -0.4], {"modes": 12}, 1e-8),
        (1, [0.2, -0.1], {"modes": 8, "features": "taylor"}, 1e-12),
        (2, [0.2, -0.1, 0.1, 0.15], {"modes": 6, "features": "taylor"}, 1e-9),
    ],
)
def test_the_discriminator_is_eliminated_exactly(
    order: Any, dimension: int, start: list[float], settings: dict[str, Any], tolerance: float
) -> None:
    # Section 2: the memory form against training of all features.
    q = (0.5, 0.3)
    rates = {"eta_d": 0.3, "eta_g": 0.8, "lam": 0.2}
    rule = gb.Alternating() if order == "alternating" else gb.Simultaneous()
    expected = features_run(rule, start, 60, {"q": q, "dimension": dimension, **settings}, p1=0.9, **rates)
    run = simulate_memory_form(np.reshape(start, (2, dimension)), steps=60, sigma=1.0, p=0.9, q=q, order=order, **rates)
    assert run.outcome
    assert np.abs(run.points.reshape(61, -1) - expected).max() < tolerance
    assert np.abs(run.points - run.points[0]).max() > 0.05


def test_a_mixture_of_widths_and_several_true_points_against_features() -> None:
    settings = {
        "sigma": [0.8, 1.0],
        "weights": [0.3, 0.7],
        "true_points": [-1.0, 0.5],
        "p": (0.4, 0.6),
        "q": (0.5, 0.5),
    }
    rates = {"eta_d": 0.3, "eta_g": 0.8, "lam": 0.1}
    expected = features_run(gb.Alternating(), [-0.8, 0.9], 40, settings, **rates)
    run = simulate_memory_form(
        [-0.8, 0.9],
        steps=40,
        sigma=[0.8, 1.0],
        weights=[0.3, 0.7],
        true_points=[-1.0, 0.5],
        p=[0.4, 0.6],
        q=0.5,
        **rates,
    )
    assert np.abs(run.points[:, :, 0] - expected).max() < 1e-7


def test_no_regularisation_is_the_limit_of_little() -> None:
    # Section 2: W_k = eta_d (k + 1) for lam = 0.
    runs = [simulate_memory_form(0.3, steps=200, eta_d=0.1, eta_g=0.1, lam=lam).points for lam in (0.0, 1e-9)]
    assert np.abs(runs[0] - runs[1]).max() == pytest.approx(0, abs=1e-7)


# Section 8, item 2: x^2 at iteration 990 for sigma = .1, 1, 10; None where rounding decides which way a point escapes,
# and a bound where the value itself is rounding.
TRAJECTORIES = {
    (1.0, 0.1): {1.0: (2.35e-1, 2.5e-93, 1.38e-3), 0.1: (None, 5e-49, 3.04e-12), 0.01: (None, 5.88e-10, 3.45e-7)},
    (0.1, 0.1): {1.0: (6e-59, 9e-49, 1.38e-3), 0.1: (8.7e3, 1.12e-8, 2.84e-8), 0.01: (8.8e3, 2.19e-7, 3.10e-3)},
    (0.1, 0.01): {1.0: (3e-50, 3.06e-12, 8.22e-3), 0.1: (5e-29, 3.21e-7, 1.41e-3), 0.01: ("<", 8.30e-4, 3.65e-3)},
    (0.01, 0.01): {1.0: (3.5e-13, 2.77e-8, 8.36e-3), 0.1: ("<", 2.59e-3, 4.42e-3), 0.01: ("<", 5.23e-3, 3.16e-3)},
}


@pytest.mark.parametrize("rates", list(TRAJECTORIES))
def test_trajectories_of_two_points(rates: tuple[float, float]) -> None:
    for lam, values in TRAJECTORIES[rates].items():
        for sigma, expected in zip((0.1, 1.0, 10.0), values, strict=True):
            run = simulate_memory_form(0.1, steps=990, eta_d=rates[0], eta_g=rates[1], lam=lam, sigma=sigma)
            square = float(run.points[990, 0, 0] ** 2)
            if expected is None:
                # It escapes: the kernel of the true point is below 1e-20 there, and stays so.
                assert np.abs(run.points[500:]).min() > 10 * sigma
            elif expected == "<":
                assert square < 1e-30
            else:
                # The printed figures have one to three digits.
                digits = len(f"{expected:.2e}".partition("e")[0].replace(".", "").rstrip("0"))
                assert square == pytest.approx(expected, rel=0.6 * 10.0 ** (1 - digits))


@pytest.mark.parametrize(("lam", "expected"), [(0.1, (0.99425072, 0.65659721)), (0.0, (0.97321313, 0.641065))])
def test_a_far_point_starts_as_in_exact_arithmetic(lam: float, expected: tuple[float, float]) -> None:
    # Ten widths away the first push is 2e-22, below the rounding of the position. The expected positions after 1000 and
    # 1200 steps were computed with 120 decimal digits (mpmath); the plain sum of floating-point numbers stays at 1 for
    # ever.
    run = simulate_memory_form(1.0, steps=1200, eta_d=1e-3, eta_g=1e-3, lam=lam, sigma=0.1)
    assert run.points[[1000, 1200], 0, 0] == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ("sigma", "expected"),
    [
        (0.1, (1.0, 18.05)),
        (0.25, (0.9994, 1.955)),
        (0.5, (0.648, 1.335)),
        (0.75, (-0.925, 1.049)),
        (1.0, (-0.772, 1.186)),
    ],
)
def test_bad_minima_and_runaway_of_two_points(sigma: float, expected: tuple[float, float]) -> None:
    # Section 8, item 8: final points for masses 1/2, to the printed digits.
    run = simulate_memory_form(
        [1.6, 1.7], steps=1999, eta_d=0.1, eta_g=0.01, lam=1.0, sigma=sigma, true_points=[-1.0, 1.0]
    )
    final = run.points[-1, :, 0]
    assert final == pytest.approx(expected, abs=6e-4 if sigma > 0.1 else 6e-3)


def test_a_run_that_overflows_says_so() -> None:
    huge = simulate_memory_form([1.0, 1.5], steps=9, eta_d=1.0, eta_g=1e308, lam=1.0, sigma=1.0, p=1e10)
    assert not huge.outcome
    assert huge.points.shape[0] < 10
    assert np.isfinite(huge.points).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sigma": 0.0}, "'sigma' must be positive"),
        ({"steps": 0}, "'steps' must be"),
        ({"q": [0.1, 0.2]}, "Got 2 masses 'q' for 1 points"),
        ({"true_points": [[0.0, 1.0]]}, "give them alike"),
        ({"order": "both"}, "'alternating' or 'simultaneous'"),
    ],
)
def test_what_makes_no_sense_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(MisuseError, match=message):
        simulate_memory_form(0.1, **{"steps": 3, "eta_d": 0.1, "eta_g": 0.1, "lam": 1.0, **settings})


@cache
def system_of(points: int, rule: Any) -> Any:
    # Taylor features are locally exact, so that K2 = 1/sigma^2 as in the map.
    return gb.system(gb.models.kernel_gan(points=points, q=0.8 / points, features="taylor", modes=2), rule)


@pytest.mark.parametrize("order", ["simultaneous", "alternating"])
def test_the_heat_map_is_the_spectral_radius_of_the_full_system(order: Any) -> None:
    rule = gb.Simultaneous() if order == "simultaneous" else gb.Alternating()
    data = heat_map(sigma=np.geomspace(0.02, 1, 6), lam=np.geomspace(0.02, 10, 6), steps=order)
    for points, table in ((1, data.one_point), (2, data.two_points)):
        for i, lam in enumerate(data.lam):
            for j, sigma in enumerate(data.sigma):
                system = system_of(points, rule).with_parameters(sigma=sigma, lam=lam, eta_d=0.1, eta_g=0.1)
                jacobian = system.jacobian(system.equilibrium_guess())[:, : system.n]
                radius = np.abs(np.linalg.eigvals(jacobian)).max()
                assert table[i, j] == pytest.approx(radius**2, rel=1e-9)


def test_regions_of_the_published_heat_map() -> None:
    # Section 8, item 1: edges of the rotating region at sigma lam = .094427 and 1.694427, rho_a = rho_b at .4.
    data = heat_map()
    product = data.lam[:, None] * data.sigma[None, :]
    inside = (product > 0.094427) & (product < 1.694427)
    assert np.array_equal(data.rotating, inside)
    # At eta = 1e-3 only a corner at small sigma and lam is unstable, up to the flip sigma^2 lam = eta q Delta/2 = 8e-5.
    corner = heat_map(eta_d=1e-3)
    assert np.array_equal(corner.notebook > 1, corner.lam[:, None] * corner.sigma[None, :] ** 2 < 8e-5)


def test_how_often_the_published_formula_is_not_the_full_system() -> None:
    # Section 5.3: on .7-.8 % of the cells at eta = .1, in what is called unstable and what is called saturated.
    data = heat_map()
    slowest = np.abs(1 - 0.1 * data.lam[:, None])

    def saturated(table: Any) -> Any:
        return np.abs(np.sqrt(table) - slowest) < 1e-12

    unstable_differs = np.mean((data.notebook > 1) != (data.one_point > 1))
    saturated_differs = np.mean(saturated(data.notebook) != saturated(data.one_point))
    assert 0.007 < saturated_differs < unstable_differs < 0.0085


@pytest.mark.parametrize("lam", [0.3, 1.0, 1.6, 3.0])
def test_exact_edges_of_the_published_heat_map(lam: float) -> None:
    # Section 5.3: saturated range and unstable region of the formula with q = P = .8, Delta = .2, mu = 1.
    eta, masses = 0.1, {"p": 1.0, "total": 0.8}

    def radius(sigma: float) -> float:
        return float(notebook_radius(**masses, lam=lam, k2=sigma**-2, eta_d=eta, eta_g=eta))

    edge = stable_width(lam=lam, **masses, q=0.8, eta_d=eta)
    assert radius(edge) == pytest.approx(1, abs=1e-12)
    assert radius(0.999 * edge) > 1 > radius(1.001 * edge)
    flat = saturated_widths(lam=lam, **masses, q=0.8, eta_d=eta)
    assert (flat is None) == (lam >= 2)  # h < Delta/p
    if flat is not None:
        slowest = 1 - eta * lam
        for width, away in zip(flat, (0.999, 1.001), strict=True):
            assert radius(width) == pytest.approx(slowest, abs=1e-12)
            assert radius(away * width) > slowest + 1e-9
        assert radius(math.sqrt(flat[0] * flat[1])) == pytest.approx(slowest, abs=1e-14)


def test_narrower_kernels_help_up_to_the_phase_transition_only() -> None:
    # Section 5.3: |rho_c| falls with 1/sigma^2 iff Delta > eta_d lam p; the transition is at lam = 2 for eta = .1.
    for lam, helps in ((1.9, True), (2.1, False)):
        system = gb.system(gb.models.kernel_gan(features="taylor", modes=2), gb.Simultaneous(), lam=lam)
        moduli = []
        for sigma in (0.7, 0.6):
            wider = system.with_parameters(sigma=sigma)
            rho = np.linalg.eigvals(wider.jacobian(wider.equilibrium_guess())[:, : system.n])
            (mean,) = rho[rho.imag > 0]
            moduli.append(abs(mean))
        assert (moduli[1] < moduli[0]) == helps


def test_the_reduction_is_exact_to_third_order() -> None:
    # Section 6.1: the field against that of Taylor features; halving the distance divides the error by 2^4 or more.
    sigma, lam, p, q = 0.7, 0.4, 1.1, 0.9
    values = {"sigma": sigma, "lam": lam, "p1": p, "q1": q}
    flow = gb.system(gb.models.kernel_gan(features="taylor", modes=4), gb.Flow(), **values)
    small = gb.system(gb.models.kernel_gan_reduced(), gb.Flow(), **values)
    errors = []
    for e in (0.02, 0.01):
        w = [(p - q) / lam + 0.6 * e**2, 0.5 * e, -0.3 * e**2, 0.4 * e**3]
        y = 0.8 * e
        full = flow.rhs([*w, y * sigma])
        reduced = small.rhs([w[1], w[0] - (p - q) / lam - math.sqrt(2) * w[2], y])
        expected = np.array([full[1], full[0] - math.sqrt(2) * full[2], full[4] / sigma])
        errors.append(np.abs(reduced - expected))
    orders = np.log2(errors[0] / errors[1])
    # w1 and y miss terms of fifth order, v of fourth.
    assert orders == pytest.approx([5, 4, 5], abs=0.05)


def test_without_cubic_terms_the_reduction_is_the_quadratic_single_point_model() -> None:
    # Section 6.1: b = w1/sigma, C = (Delta/lam + v)/sigma^2, for Delta = 0 and unit masses.
    sigma, lam = 0.6, 0.3
    small = gb.system(gb.models.kernel_gan_reduced(cubic=False, q1=1.0), gb.Flow(), sigma=sigma, lam=lam)
    point = gb.system(gb.models.single_point_gan(), gb.Flow(), sigma=sigma, lam=lam)
    w1, v, y = 0.3, 0.2, -0.5
    velocity = small.rhs([w1, v, y])
    scale = np.array([1 / sigma, 1 / sigma**2, sigma])
    assert point.rhs(np.array([w1, v, y]) * scale) == pytest.approx(velocity * scale, rel=1e-13)


@pytest.mark.parametrize("x0", [0.05, 0.1])
def test_the_averaged_model_follows_the_mean_square_of_the_rotating_one(x0: float) -> None:
    # Averaging of section 7's single-point model over one turn, 2 pi; its error is of the order of lam and c, squared.
    point = gb.system(gb.models.single_point_gan(lam=0.01), gb.Flow())
    slow = averaged_single_point(lam=0.01)
    times = np.linspace(0, 60, 6001)
    settings = {"t_eval": times, "rtol": 1e-9, "atol": 1e-14, "method": "DOP853"}
    c, x = solve_ivp(lambda _, s: point.rhs(s), (0, 60), [0.0, 0.0, x0], **settings).y[1:]
    c_slow, z = solve_ivp(lambda _, s: slow.rhs(s), (0, 60), [0.0, x0**2 / 2], **settings).y
    turn = round(2 * math.pi / 0.01)
    for start in (0, 2000):
        window = slice(start, start + turn)
        assert c[window].mean() == pytest.approx(c_slow[window].mean(), rel=0.01)
        assert np.mean(x[window] ** 2) == pytest.approx(z[window].mean(), rel=0.05)


@pytest.mark.parametrize(
    "game",
    [gb.models.kernel_gan_reduced(), gb.models.single_point_gan(), gb.models.single_point_gan(form="linear")],
)
def test_small_games_are_consistent(game: Any) -> None:
    gb.check_game(game)
