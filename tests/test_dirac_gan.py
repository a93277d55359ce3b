"""Dirac-GAN, the bilinear and the linear-quadratic game against the exact results of `dirac_and_rules.md`."""

import math
from typing import Any

import numpy as np
import pytest

import gan_bifurcation as gb
from gan_bifurcation.errors import MisuseError, UnknownNameError
from gan_bifurcation.models.dirac_theory import (
    alternating_invariant,
    bilinear_multipliers,
    flow_eigenvalues,
    r1_largest_step,
    r1_stable,
    unregularised_multipliers,
)
from gan_bifurcation.models.lq_gan import wgan_invariant

MESCHEDER = gb.Alternating(first="generator")  # the authors' alternating steps: the generator moves first


def orbit(system: Any, steps: int, start: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
    """The states (psi, theta) along an orbit."""
    states = [np.array(start)]
    for _ in range(steps):
        states.append(system.rhs(states[-1]))
    return np.array(states)


def multipliers(system: Any) -> np.ndarray:
    x = system.equilibrium_guess()
    return np.linalg.eigvals(system.jacobian(x)[:, : system.n])


# End points (theta, psi) after 500 steps of h = 0.2 from (1, 1), to the digits printed in dirac_and_rules.md C.1.
END_POINTS = [
    (gb.Simultaneous(), {}, -2.16161, -2.21778),
    (gb.Simultaneous(), {"variant": "non_saturating"}, 0.548337, 0.330441),
    (gb.Simultaneous(), {"sigma": 0.7}, 5.2742e-5, -2.24099e-5),
    (gb.Simultaneous(), {"gamma": 0.3}, 1.11034e-6, -2.39808e-6),
    (gb.Simultaneous(), {"variant": "non_saturating", "gamma": 0.3}, 2.14738e-6, -5.30574e-7),
    (MESCHEDER, {}, 0.686834, 1.24401),
    (MESCHEDER, {"variant": "non_saturating"}, 0.204888, 0.196553),
    (MESCHEDER, {"gamma": 0.3}, -5.16705e-8, -2.24215e-7),
]


@pytest.mark.parametrize(("rule", "settings", "theta", "psi"), END_POINTS)
def test_end_points_of_the_authors_notebook(rule: Any, settings: dict[str, Any], theta: float, psi: float) -> None:
    steps = gb.system(gb.models.dirac_gan(**settings), rule, eta_d=0.2, eta_g=0.2)
    end = orbit(steps, 500)[-1]
    assert end[1] == pytest.approx(theta, rel=6e-6)
    assert end[0] == pytest.approx(psi, rel=6e-6)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # C.1: +-i f'(0); with R1 -gamma/2 +- sqrt(gamma**2/4 - f'(0)**2); instance noise critical at sigma**2 = 2.
        ({}, [0.5j, -0.5j]),
        ({"variant": "wgan"}, [1j, -1j]),
        ({"gamma": 0.6}, [-0.3 + 0.4j, -0.3 - 0.4j]),
        ({"gamma": 1.0}, [-0.5, -0.5]),
        ({"gamma": 1.3}, [-0.65 + math.sqrt(0.1725), -0.65 - math.sqrt(0.1725)]),
        ({"sigma": math.sqrt(2)}, [-0.5, -0.5]),
        ({"sigma": 1.0}, [-0.25 + 0.25j * math.sqrt(3), -0.25 - 0.25j * math.sqrt(3)]),
        ({"variant": "non_saturating", "sigma": 1.0}, [-0.25 + 0.25j * math.sqrt(3), -0.25 - 0.25j * math.sqrt(3)]),
    ],
)
def test_eigenvalues_of_the_flow(settings: dict[str, Any], expected: list[complex]) -> None:
    found = multipliers(gb.system(gb.models.dirac_gan(**settings), gb.Flow()))
    # A double eigenvalue is met to the root of rounding only.
    near = 1e-7 if expected[0] == expected[1] else 1e-10
    for values in (found, flow_eigenvalues(**settings)):
        assert np.sort_complex(np.array(values)) == pytest.approx(
            np.sort_complex(np.array(expected, complex)), abs=near
        )


@pytest.mark.parametrize("order", ["simultaneous", "alternating"])
@pytest.mark.parametrize("gamma", [0.1, 0.5, 0.99, 1.5])
def test_the_largest_step_under_r1_is_where_a_multiplier_reaches_the_circle(order: str, gamma: float) -> None:
    rule = gb.Simultaneous() if order == "simultaneous" else gb.Alternating()
    h = r1_largest_step(order, gamma=gamma)
    at = [
        gb.system(gb.models.dirac_gan(gamma=gamma), rule, eta_d=h * s, eta_g=h * s) for s in (1 - 1e-6, 1.0, 1 + 1e-6)
    ]
    below, on, above = (np.abs(multipliers(made)).max() for made in at)
    assert on == pytest.approx(1.0, abs=1e-10)
    assert below < 1.0 < above
    assert r1_stable(order, eta_d=h * 0.999, eta_g=h * 0.999, gamma=gamma)
    assert not r1_stable(order, eta_d=h * 1.001, eta_g=h * 1.001, gamma=gamma)


def test_r1_with_two_rates_against_the_spectrum() -> None:
    rng = np.random.default_rng(7)
    for _ in range(200):
        eta_d, eta_g, gamma = 10 ** rng.uniform(-1, 1.2, 3)
        game = gb.models.dirac_gan(gamma=gamma)
        for order, rule in (("simultaneous", gb.Simultaneous()), ("alternating", gb.Alternating())):
            radius = np.abs(multipliers(gb.system(game, rule, eta_d=eta_d, eta_g=eta_g))).max()
            assert r1_stable(order, eta_d=eta_d, eta_g=eta_g, gamma=gamma) == (radius < 1)


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("first", ["discriminator", "generator"])
def test_alternation_without_penalty_is_neutral_until_alpha_is_two(steps: int, first: str) -> None:
    game = gb.models.dirac_gan()
    for alpha in (0.3, 1.0, 1.99):
        # alpha = sqrt(n_D h_D h_G) f'(0), with f'(0) = 1/2.
        h = 2 * alpha / math.sqrt(steps)
        rule = gb.Alternating(discriminator_steps=steps, first=first)
        found = multipliers(gb.system(game, rule, eta_d=h, eta_g=h))
        assert np.abs(found) == pytest.approx([1.0, 1.0], abs=1e-12)
        expected = unregularised_multipliers(eta_d=h, eta_g=h, discriminator_steps=steps)
        assert np.sort_complex(found) == pytest.approx(np.sort_complex(np.array(expected)), abs=1e-10)
    h = 2 * 2.01 / math.sqrt(steps)
    rule = gb.Alternating(discriminator_steps=steps, first=first)
    assert np.abs(multipliers(gb.system(game, rule, eta_d=h, eta_g=h))).max() > 1.1


def test_simultaneous_steps_grow_by_the_exact_factor() -> None:
    # |z'|**2 = |z|**2 (1 + h**2 f'(theta psi)**2), with f'(t) = sigmoid(-t): an identity at every point.
    h = 0.2
    states = orbit(gb.system(gb.models.dirac_gan(), gb.Simultaneous(), eta_d=h, eta_g=h), 20)
    norms = (states**2).sum(axis=1)
    slopes = 1 / (1 + np.exp(states[:-1].prod(axis=1)))
    assert norms[1:] / norms[:-1] == pytest.approx(1 + h**2 * slopes**2, rel=1e-13)


@pytest.mark.parametrize(("h", "radius"), [(0.1, 0.44709), (0.2, 0.63177)])
def test_the_ring_of_the_non_saturating_gan(h: float, radius: float) -> None:
    # Root mean square radius as printed in C.1; near sqrt(2 h) by the balance of the averaged equation.
    states = orbit(gb.system(gb.models.dirac_gan(variant="non_saturating"), gb.Simultaneous(), eta_d=h, eta_g=h), 6000)
    ring = math.sqrt((states[3000:] ** 2).sum(axis=1).mean())
    assert ring == pytest.approx(radius, rel=2e-3)
    assert ring == pytest.approx(math.sqrt(2 * h), rel=1e-2)


@pytest.mark.parametrize("first", ["discriminator", "generator"])
def test_the_invariant_of_the_bilinear_game_along_an_orbit(first: str) -> None:
    h = 0.7
    states = orbit(gb.system(gb.models.bilinear(), gb.Alternating(first=first), eta_d=h, eta_g=h), 300, (0.3, -1.1))
    values = [alternating_invariant(psi=psi, theta=theta, eta=h, first=first) for psi, theta in states.tolist()]
    # Rounding over 300 steps.
    assert values == pytest.approx([values[0]] * 301, rel=1e-13)


@pytest.mark.parametrize(("rule", "order"), [(gb.Simultaneous(), "simultaneous"), (gb.Alternating(), "alternating")])
def test_multipliers_of_the_bilinear_game(rule: Any, order: str) -> None:
    made = gb.system(gb.models.bilinear(strength=2.0), rule, eta_d=0.3, eta_g=0.1)
    expected = bilinear_multipliers(order, eta_d=0.3, eta_g=0.1, strength=2.0)
    assert np.sort_complex(multipliers(made)) == pytest.approx(np.sort_complex(np.array(expected)), abs=1e-12)
    # C.4: spectral radius sqrt(1 + A**2), A**2 = 4 * 0.03, or 1.
    radius = math.sqrt(1.12) if order == "simultaneous" else 1.0
    assert abs(expected[0]) == pytest.approx(radius, rel=1e-14)


def test_the_flip_of_alternating_steps_is_decided_at_fifth_order() -> None:
    """-(1 + s d) w + c w^5 has a two-cycle of amplitude (s d/c)^(1/4), which runs find."""
    steps = gb.system(gb.models.dirac_gan(gamma=0.3), gb.Alternating(), eta_d=0.2, eta_g=0.2)
    steps = gb.tie(steps, eta_g="eta_d")
    flip = gb.trace(gb.point(steps), {"eta_d": (0.05, 8.0)})["PD1"]
    form = flip.normal_form
    assert (form["b"], form["criticality"].endswith("supercritical at fifth order")) == (0.0, True)
    beyond, before = (flip.parameters["eta_d"] * (1 + side * 1e-4) for side in (1, -1))
    last = orbit(steps.with_parameters(eta_d=beyond), 20000, (0.05, 0.05))[-2:]
    born = (form["speed"]["eta_d"] * flip.parameters["eta_d"] * 1e-4 / form["fifth"]) ** 0.25
    assert last[0] == pytest.approx(-last[1], rel=1e-9)
    assert np.linalg.norm(last[0]) == pytest.approx(born, rel=5e-3)
    assert np.linalg.norm(orbit(steps.with_parameters(eta_d=before), 20000, (0.05, 0.05))[-1]) < 1e-6


def test_eigenvalues_of_the_linear_quadratic_games() -> None:
    # C.3: lambda**2 + lambda/10 + 1/9 = 0, that is -0.05 +- 0.329562i; the WGAN has +-2i/3.
    found = multipliers(gb.system(gb.models.lq_gan(), gb.Flow()))
    assert found.real == pytest.approx([-0.05, -0.05], abs=1e-12)
    assert sorted(found.imag) == pytest.approx([-0.329562, 0.329562], abs=5e-7)
    found = multipliers(gb.system(gb.models.lq_gan(variant="wgan"), gb.Flow()))
    assert np.sort_complex(found) == pytest.approx(np.array([-2j / 3, 2j / 3]), abs=1e-12)


def test_the_flow_of_the_linear_quadratic_wgan_keeps_its_invariant() -> None:
    # The derivative of the invariant along the field vanishes: checked by differences of the invariant alone.
    flow = gb.system(gb.models.lq_gan(variant="wgan"), gb.Flow())
    for w, a in ((0.3, 0.5), (-1.0, 2.0)):
        v = flow.rhs([w, a])
        h = 1e-5
        ahead, behind = (wgan_invariant(w=w + s * v[0], a=a + s * v[1]) for s in (h, -h))
        assert (ahead - behind) / (2 * h) == pytest.approx(0.0, abs=1e-8)


def test_the_catalogue_names_models_and_papers() -> None:
    assert {"dirac_gan", "bilinear", "lq_gan", "kernel_gan"} <= set(gb.models.names())
    assert gb.models.get("dirac_gan") is gb.models.dirac_gan
    for name in gb.models.names():
        assert gb.models.citation(gb.models.get(name)().paper).startswith("@")
    with pytest.raises(UnknownNameError, match="Did you mean 'kernel_gan'"):
        gb.models.get("kernelgan")
    with pytest.raises(UnknownNameError, match="Did you mean 'mescheder2018'"):
        gb.models.citation("mescheder2019")


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"variant": "mini_max"}, "Did you mean 'minimax'"),
        ({"sigma": -1.0}, "sigma >= 0"),
        ({"sigma": math.nan}, "sigma >= 0"),
        ({"gamma": math.nan}, "finite number"),
        ({"sigma": 1.0, "quadrature_order": 0}, "whole number"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], part: str) -> None:
    with pytest.raises(MisuseError, match=part):
        gb.models.dirac_gan(**settings)
