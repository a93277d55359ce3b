"""The kernel GAN's systems against exact local theory: section numbers are those of the model's specification."""

import cmath
import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment, root

import gan_bifurcation as gb
from gan_bifurcation.models import kernel_steps as steps
from gan_bifurcation.models import kernel_theory as theory
from gan_bifurcation.models.kernel_profiles import Waves, fourier_kernel, gaussians
from gan_bifurcation.models.kernel_spectrum import Configuration, local_matrix, pull

RULES = {"flow": gb.Flow(), "simultaneous": gb.Simultaneous(), "alternating": gb.Alternating()}


@cache
def full(rule: str, points: int = 1, **settings: Any) -> Any:
    """The full system of few features (the theory is exact in K2 for any number of them)."""
    return gb.system(gb.models.kernel_gan(points=points, **{"modes": 3, **settings}), RULES[rule])


@cache
def curvature(sigma: float) -> float:
    return theory.kernel_curvature(gb.models.kernel_gan(modes=3), sigma=sigma)


def spectrum(system: Any, x: Any = None, **parameters: float) -> Any:
    system = system.with_parameters(**parameters)
    x = system.equilibrium_guess() if x is None else x
    return np.linalg.eigvals(system.jacobian(x)[:, : system.n])


def distance(found: Any, expected: Any) -> float:
    """Largest distance of two spectra of equal size, paired at best."""
    gap = np.abs(np.asarray(found)[:, None] - np.asarray(expected)[None])
    assert gap.shape[0] == gap.shape[1]
    return float(gap[linear_sum_assignment(gap)].max())


# Section 10: s, lam, mu, p, q, number of points; eigenvalue of the mean mode; of the relative modes.
ORACLES = [
    ((1.0, 0.5, 1.0, 1.0, 0.8, 1), -0.41 + 0.794921379760j, -0.32),
    ((0.5, 1.0, 1.0, 1.0, 0.8, 1), -0.82 + 1.589842759521j, -0.64),
    ((0.1, 1.0, 1.0, 1.0, 0.8, 1), -8.5 + 2.783882181415j, -16.0),
    ((1.0, 0.1, 1.0, 1.0, 1.0, 1), -0.05 + 0.998749217772j, 0.0),
    ((1.0, 0.48, 1.0, 0.5, 0.8, 1), 0.01 + 0.632376470150j, 0.5),
    ((0.7, 0.3, 2.0, 0.9, 0.2, 3), -0.558163265306 + 0.650497999085j, -0.816326530612),
]


@pytest.mark.parametrize(("values", "mean", "relative"), ORACLES)
@pytest.mark.parametrize(("features", "modes", "tolerance"), [("taylor", 3, 1e-11), ("fourier", 12, 3e-8)])
def test_eigenvalues_of_the_flow_are_those_of_the_specification(
    values: Any, mean: complex, relative: float, features: str, modes: int, tolerance: float
) -> None:
    # Section 10. Taylor features are locally exact; the kernel of 12 Fourier modes has K2 sigma^2 = 1 - 2e-9.
    sigma, lam, mu, p, q, n = values
    system = full("flow", n, features=features, modes=modes)
    found = spectrum(system, sigma=sigma, lam=lam, p1=p, q1=q, eta_g=mu)
    expected = [mean, mean.conjugate(), *[relative] * (n - 1)]
    expected += [-lam] * (system.n - len(expected))
    assert distance(found, expected) < tolerance * max(1.0, abs(mean) ** 2)
    # The closed form gives the relative mode even where one point has none.
    s = theory.flow_eigenvalues(lam=lam, p=p, q=q, k2=sigma**-2, mu=mu, total=n * q)
    assert complex(s.relative).real == pytest.approx(relative, abs=1e-11)


def test_the_kernel_of_twelve_modes_is_gaussian_as_closely_as_stated() -> None:
    # Section 9: error 7e-11 for |r| < 3 sigma and 1.5e-8 at |r| = L = 6 sigma; K2 off by 2e-9.
    circle, exact = fourier_kernel(0.5), gaussians(0.5)
    near, end = np.linspace(0, 1.5, 301)[:, None], np.array([[3.0]])
    assert np.abs(circle.value(near) - exact.value(near)).max() < 8e-11
    assert abs(circle.value(end) - exact.value(end))[0] == pytest.approx(1.5e-8, rel=0.05)
    assert abs(circle.curvature / 4 - 1) == pytest.approx(2e-9, rel=0.2)
    assert circle.value([[0.0]])[0] == pytest.approx(1.0, abs=1e-15)


def test_the_curvature_of_a_fixed_circle_decays_as_stated() -> None:
    # Section 9: K2 sigma^2 with L = 6, M = 12 falls to .988, .45, .13 at sigma = .5, .2, .1: such a circle is refused.
    game = gb.models.kernel_gan(length=6.0, modes=12)
    for sigma, ratio in ((0.5, 0.988), (0.2, 0.45), (0.1, 0.13)):
        normalised = fourier_kernel(sigma, length=6.0)
        share = normalised.value([[0.0]])[0]
        assert theory.kernel_curvature(game, sigma=sigma) == pytest.approx(normalised.curvature, rel=1e-12)
        assert normalised.curvature * sigma**2 / share == pytest.approx(ratio, abs=0.006)
    # While the length follows sigma, K2 sigma^2 is constant.
    scaled = [theory.kernel_curvature(gb.models.kernel_gan(modes=3), sigma=s) * s**2 for s in (0.1, 1.0)]
    assert scaled[0] == pytest.approx(scaled[1], rel=1e-13)


@pytest.mark.parametrize("rule", list(RULES))
def test_all_features_are_linear_states(rule: str) -> None:
    for settings in ({"modes": 12}, {"modes": 2, "dimension": 2}, {"features": "taylor", "modes": 4}):
        system = full(rule, 1, **settings)
        features = len(system.game.discriminator.states)
        assert system.linear_states == tuple(range(features))
    assert full(rule, 1, modes=12).n == 26


# Section 4: the small exact matrix against all features, away from the simple equilibrium too: dimension, masses, a
# guess of the positions, and true points if there are several.
CASES = [
    (1, [0.8], [1.0], [0.0], None),
    (1, [0.4, 0.5], [0.6], [-0.4, 0.4], None),
    (1, [0.3, 0.2, 0.4], [0.7], [-0.5, 0.1, 0.5], None),
    (2, [0.5, 0.3], [0.4], [-0.3, -0.2, 0.4, 0.1], None),
    (1, [0.5, 0.2, 0.3], [0.45, 0.55], [-0.9, -0.7, 0.8], (-0.8, 0.9)),
]


@cache
def settled(case: int) -> Any:
    """A configuration of unequal masses at rest, and the settings of its features."""
    dimension, q, p, guess, truth = CASES[case]
    settings: dict[str, Any] = {
        "dimension": dimension,
        "q": tuple(q),
        "p": tuple(p),
        "sigma": 0.6,
        "true_points": truth,
    }
    settings |= {"modes": 4 if dimension == 1 else 2} if truth is None else {"modes": 7, "length": 2.0}
    # Where the length follows sigma, the coefficients are normalised.
    length = 2.0 if truth else 0.6 * (6 if dimension == 1 else 4)
    kernel = fourier_kernel(0.6, length=length, modes=settings["modes"], dimension=dimension)
    if truth is None:
        kernel = Waves(kernel.vectors, kernel.coefficients / kernel.coefficients.sum())
    true = np.zeros((1, dimension)) if truth is None else np.reshape(truth, (-1, dimension))

    def at(x: Any) -> Configuration:
        return Configuration.of(np.reshape(x, (len(q), dimension)), q, kernel, true, p)

    solution = root(lambda x: pull(at(x)).ravel(), guess, tol=1e-14)
    assert np.abs(pull(at(solution.x))).max() < 1e-13
    return at(solution.x), settings


@pytest.mark.parametrize("rule", list(RULES))
@pytest.mark.parametrize("case", range(len(CASES)))
def test_the_small_matrix_has_the_spectrum_of_all_features(case: int, rule: str) -> None:
    c, settings = settled(case)
    lam, eta_d, eta_g = 0.3, 0.7, 0.4
    system = full(rule, len(c.q), **settings).with_parameters(lam=lam, eta_d=eta_d, eta_g=eta_g)
    features = len(system.game.discriminator.states)
    state = np.concatenate([np.zeros(features), c.generated.ravel()])
    # At w = 0 the discriminator's step is eta_d times what lam f balances at rest.
    state[:features] = system.rhs(state)[:features] / (eta_d * lam)
    at_rest = np.zeros(system.n) if rule == "flow" else state
    assert np.abs(system.rhs(state) - at_rest).max() < 1e-13
    small = np.linalg.eigvals(local_matrix(c, lam=lam, eta_d=eta_d, eta_g=eta_g, steps=rule))  # type: ignore[arg-type]
    rest = [(0 if rule == "flow" else 1) - eta_d * lam] * (system.n - len(small))
    # Section 4 states 1e-12; pairs of nearly equal eigenvalues cost some of it.
    assert distance(spectrum(system, state), [*small, *rest]) < 1e-10


def test_unequal_masses_at_one_true_point() -> None:
    # Section 5.1: the secular equation, against all features.
    q = (0.5, 0.2, 0.3)
    system = full("flow", 3, q=q).with_parameters(sigma=0.8, lam=0.4, p1=1.2, eta_g=1.7)
    expected = list(theory.flow_eigenvalues_of_masses(lam=0.4, p=1.2, q=q, k2=curvature(0.8), mu=1.7))
    assert distance(spectrum(system), expected + [-0.4] * (system.n - 4)) < 1e-11


def test_two_dimensions_double_every_eigenvalue() -> None:
    # Section 5.1: multiplicity d for each.
    system = full("flow", 2, dimension=2, modes=2, q=0.3).with_parameters(lam=0.4)
    k2 = fourier_kernel(1.0, modes=2, dimension=2).curvature
    s = theory.flow_eigenvalues(lam=0.4, p=1.0, q=0.3, k2=k2, total=0.6)
    expected = [complex(v) for v in (s.mean_plus, s.mean_minus, s.relative)] * 2
    assert distance(spectrum(system), expected + [-0.4] * (system.n - 6)) < 1e-12


def mean_modulus(rule: str, points: int = 1, **parameters: float) -> tuple[float, float]:
    """Largest modulus and its angle among the multipliers that are not the discriminator's own."""
    rho = spectrum(full(rule, points), **parameters)
    own = 1 - parameters["eta_d"] * parameters["lam"]
    rho = rho[np.argsort(np.abs(rho - own))[len(rho) - 2 * points :]]
    top = rho[np.argmax(np.abs(rho))]
    return abs(top), abs(cmath.phase(top))


@pytest.mark.parametrize(("p", "q"), [(0.5, 0.8), (0.2, 1.0)])
def test_hopf_point_of_excess_mass(p: float, q: float) -> None:
    # Section 5.2: lam_H = sqrt(mu q |Delta| K2), omega = sqrt(mu q p K2).
    sigma, mu = 0.7, 1.3
    lam, omega = theory.flow_hopf(p=p, q=q, total=q, k2=curvature(sigma), mu=mu)
    s = spectrum(full("flow"), sigma=sigma, lam=lam, p1=p, q1=q, eta_g=mu)
    critical = s[np.argmax(s.imag)]
    assert abs(critical - 1j * omega) < 1e-10
    above = spectrum(full("flow"), sigma=sigma, lam=1.01 * lam, p1=p, q1=q, eta_g=mu)
    assert above.real.max() < 0


def test_best_regularisation_makes_the_rates_equal() -> None:
    # Section 5.2: at lam_opt the slowest rate is lam_opt and is larger than on either side.
    k2 = curvature(0.5)
    best = theory.best_regularisation(p=1.0, q=0.4, total=0.8, k2=k2)
    rates = [
        -spectrum(full("flow", 2), sigma=0.5, lam=lam, q1=0.4).real.max() for lam in (0.9 * best, best, 1.1 * best)
    ]
    assert rates[1] == pytest.approx(best, rel=1e-7)
    assert rates[1] > max(rates[0], rates[2])
    assert k2 == pytest.approx(theory.saturated_curvature(lam=best, p=1.0, q=0.4, total=0.8), rel=1e-12)


@pytest.mark.parametrize("eta", [0.4, 1.2])
def test_steps_at_the_best_regularisation(eta: float) -> None:
    # Section 5.3: |rho_c|^2 = (1 - h)^2 + h^2 P/Delta at lam_opt, stable iff h < 2 Delta/p.
    q = 0.8
    lam = theory.best_regularisation(p=1.0, q=q, total=q, k2=curvature(1.0))
    modulus, _ = mean_modulus("simultaneous", lam=lam, q1=q, eta_d=eta, eta_g=eta)
    h = eta * lam
    assert modulus**2 == pytest.approx((1 - h) ** 2 + h**2 * q / 0.2, abs=1e-12)
    assert (modulus < 1) == (h < 2 * 0.2 / 1.0)


@pytest.mark.parametrize(("p", "q"), [(1.0, 0.8), (1.0, 1.0), (0.5, 0.8)])
def test_the_mean_mode_rotates_inside_the_window_only(p: float, q: float) -> None:
    # Section 5.2: sqrt S between |sqrt p - sqrt P| and sqrt p + sqrt P.
    k2 = curvature(1.0)
    for edge, inside in zip(theory.oscillation_window(p=p, total=q), (1.001, 0.999), strict=True):
        for factor, rotates in ((inside, True), (2 - inside, False)):
            lam = factor * edge * math.sqrt(q * k2)
            if lam > 0:
                s = theory.scaled_regularisation(lam=lam, q=q, k2=k2)
                assert math.sqrt(s) == pytest.approx(factor * edge, rel=1e-12)
                s_all = spectrum(full("flow"), lam=lam, p1=p, q1=q)
                assert (np.abs(s_all.imag).max() > 1e-3) == rotates


def test_a_lone_point_runs_away_below_its_border() -> None:
    # Section 5.2: p = 0 has eigenvalues 0 (translation) and -lam + mu q^2 K2/lam.
    mu, q, k2 = 1.7, 0.6, curvature(1.0)
    border = theory.runaway_regularisation(q=q, k2=k2, mu=mu)
    for factor in (0.9, 1.0, 1.1):
        lam = factor * border
        s = np.sort_complex(spectrum(full("flow"), lam=lam, p1=0.0, q1=q, eta_g=mu))
        expected = [0.0, -lam + mu * q**2 * k2 / lam]
        assert distance(s, expected + [-lam] * (len(s) - 2)) < 1e-7  # at the border zero is a double eigenvalue
        assert (max(expected) > 1e-3) == (factor < 1)


def test_simultaneous_neimark_sacker_of_the_specification() -> None:
    # Section 10: sigma = mu = p = q = 1, lam = .2: eta_d = .2, multiplier .98 +- .198997487421 i.
    rho = spectrum(full("simultaneous", 1, features="taylor"), lam=0.2, q1=1.0, eta_d=0.2, eta_g=0.2)
    assert min(abs(rho - (0.98 + 0.198997487421j))) < 1e-11
    border = steps.simultaneous_neimark_sacker_tied(lam=0.2, p=1.0, q=1.0, total=1.0, k2=1.0)
    assert border is not None
    assert border.rate == pytest.approx(0.2, rel=1e-14)


@pytest.mark.parametrize(("p", "q", "lam", "eta_d"), [(1.0, 1.0, 0.3, 0.2), (1.0, 0.8, 0.6, 0.7), (0.6, 0.8, 0.5, 0.3)])
def test_borders_of_simultaneous_steps(p: float, q: float, lam: float, eta_d: float) -> None:
    # Section 5.3: on the Neimark-Sacker border |multiplier| = 1 for all features, at the stated angle.
    sigma = 0.9
    k2 = curvature(sigma)
    border = steps.simultaneous_neimark_sacker(lam=lam, p=p, q=q, total=q, k2=k2, eta_d=eta_d)
    assert border is not None
    modulus, angle = mean_modulus("simultaneous", sigma=sigma, lam=lam, p1=p, q1=q, eta_d=eta_d, eta_g=border.rate)
    assert modulus == pytest.approx(1, abs=1e-10)
    assert angle == pytest.approx(border.angle, abs=1e-10)
    tied = steps.simultaneous_neimark_sacker_tied(lam=lam, p=p, q=q, total=q, k2=k2, mu=border.rate / eta_d)
    assert tied is not None
    assert tied.rate == pytest.approx(eta_d, rel=1e-12)
    assert tied.angle == pytest.approx(border.angle, rel=1e-12)


def test_at_equal_masses_the_neimark_sacker_border_does_not_depend_on_the_discriminators_rate() -> None:
    # Section 5.4, last paragraph: eta_g = lam sigma^2/(q p).
    for eta_d in (0.01, 0.1, 1.0):
        modulus, _ = mean_modulus("simultaneous", lam=0.2, p1=1.0, q1=1.0, eta_d=eta_d, eta_g=0.2 / curvature(1.0))
        assert modulus == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("order", [2, 3, 4, 5])
@pytest.mark.parametrize("q", [0.8, 1.0, 1.1])
def test_resonances_on_the_neimark_sacker_curve(order: int, q: float) -> None:
    # Section 5.3: (S + Delta)^2 = r p S.
    k2, lam = curvature(1.0), 0.5
    found = steps.simultaneous_resonances(p=1.0, total=q, order=order)
    assert found
    for S, h in found:
        mu = lam**2 / (S * q * k2)
        modulus, angle = mean_modulus("simultaneous", lam=lam, p1=1.0, q1=q, eta_d=h / lam, eta_g=mu * h / lam)
        # 1:2 is a double multiplier -1, where rounding enters by its square root.
        tolerance = 3e-6 if order == 2 else 1e-10
        assert modulus == pytest.approx(1, abs=tolerance)
        assert angle == pytest.approx(2 * math.pi / order, abs=tolerance)


def test_flips_of_simultaneous_steps() -> None:
    # Section 5.3: the mean mode, the relative modes and the discriminator's free directions.
    sigma, lam, q, eta_d = 0.5, 0.3, 0.4, 0.2
    k2 = curvature(sigma)
    common = {"lam": lam, "p": 1.0, "q": q, "total": 2 * q, "k2": k2}
    mean = steps.simultaneous_flip(**common, eta_d=eta_d)
    relative = steps.relative_flip(**common)
    assert mean is not None and relative is not None  # noqa: PT018
    for eta_g in (mean, relative):
        rho = spectrum(full("simultaneous", 2), sigma=sigma, lam=lam, q1=q, eta_d=eta_d, eta_g=eta_g)
        assert np.abs(rho + 1).min() < 1e-10
    rho = spectrum(full("simultaneous"), lam=lam, q1=q, eta_d=steps.regularisation_flip(lam=lam), eta_g=0.1)
    assert np.sum(np.abs(rho + 1) < 1e-12) == len(rho) - 2
    assert steps.simultaneous_flip(**{**common, "total": 1.0}, eta_d=eta_d) is None


def test_borders_of_alternating_steps() -> None:
    # Section 5.4: flips and the shifted Hopf condition, for all features.
    sigma, lam, eta_d = 0.8, 0.4, 0.5
    k2 = curvature(sigma)
    for p, q in ((1.0, 0.8), (1.0, 1.0), (0.9, 1.0)):
        eta_g = steps.alternating_flip(lam=lam, p=p, q=q, total=q, k2=k2, eta_d=eta_d)
        assert eta_g is not None
        rho = spectrum(full("alternating"), sigma=sigma, lam=lam, p1=p, q1=q, eta_d=eta_d, eta_g=eta_g)
        assert np.abs(rho + 1).min() < 1e-10
    border = steps.alternating_neimark_sacker(lam=lam, p=0.9, q=1.0, total=1.0, k2=k2, eta_d=eta_d)
    assert border is not None
    modulus, angle = mean_modulus("alternating", sigma=sigma, lam=lam, p1=0.9, q1=1.0, eta_d=eta_d, eta_g=border.rate)
    assert modulus == pytest.approx(1, abs=1e-10)
    assert angle == pytest.approx(border.angle, abs=1e-10)
    assert steps.alternating_neimark_sacker(lam=lam, p=1.0, q=1.0, total=1.0, k2=k2, eta_d=eta_d) is None


@pytest.mark.parametrize("sigma", [0.5, 1.0])
def test_alternating_steps_at_equal_masses_decay_alike_for_every_width(sigma: float) -> None:
    # Section 5.4: |rho_c|^2 = 1 - h, whatever sigma is, while the mode rotates.
    modulus, angle = mean_modulus("alternating", sigma=sigma, lam=0.2, p1=1.0, q1=1.0, eta_d=0.3, eta_g=0.3)
    assert angle > 0.1
    assert modulus**2 == pytest.approx(1 - 0.06, abs=1e-12)


@pytest.mark.parametrize("first", ["discriminator", "generator"])
def test_alternating_multipliers_against_all_features(first: Any) -> None:
    # Section 5.4; the two orders of alternation are conjugate.
    game = gb.models.kernel_gan(modes=3, points=2, q=0.3)
    system = gb.system(game, gb.Alternating(first=first), lam=0.4, eta_d=0.6, eta_g=0.9)
    rho = steps.alternating_multipliers(lam=0.4, p=1.0, q=0.3, total=0.6, k2=curvature(1.0), eta_d=0.6, eta_g=0.9)
    expected = [complex(rho.mean_plus), complex(rho.mean_minus), float(rho.relative)]
    assert distance(spectrum(system), expected + [1 - 0.24] * (system.n - 3)) < 1e-12
