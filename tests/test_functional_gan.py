"""The functional-space GAN: dispersion relation, its game by continuation, and the nonlinear game beside it.

"The sheet" is functional_gan.md, the derivation behind this model.
"""

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy
from scipy.linalg import expm

import gan_bifurcation as gb
from gan_bifurcation.errors import MisuseError, UnknownNameError
from gan_bifurcation.models.dirac_gan import dirac_gan
from gan_bifurcation.models.dispersion import SCHEMES, Dispersion, imaginary_limit
from gan_bifurcation.models.functional_gan import functional_gan, functional_mode, functional_theory, mode_multipliers
from gan_bifurcation.models.gan_losses import LOSSES, Links, T, as_floats, f_divergence, linearised, loss_constants
from gan_bifurcation.studies.plan import plan
from gan_bifurcation.studies.reading import read_study
from gan_bifurcation.studies.systems import all_systems

VANILLA = Dispersion(a=0.5, b=0.5)
WGAN = Dispersion(a=1.0, b=0.0)
LOSS_NAMES = ("minimax", "non_saturating", "wgan", "lsgan")


def spectrum(system: Any) -> np.ndarray:
    return np.linalg.eigvals(system.jacobian(system.equilibrium_guess())[:, : system.n])


def same(found: Any, expected: Any, near: float) -> bool:
    """Whether two sets of complex numbers are the same, in any order."""
    left = list(np.ravel(found).astype(complex))
    for value in np.ravel(expected).astype(complex):
        k = int(np.argmin(np.abs(np.array(left) - value)))
        if abs(left.pop(k) - value) > near:
            return False
    return not left


# -- constants of losses ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "a", "b", "level"),
    [
        # The table of A.1.
        ("minimax", "1/2", "1/2", "0"),
        ("non_saturating", "1/2", "1/2", "0"),
        ("wgan", "1", "0", None),
        ("hinge", "1", "0", "0"),
        ("lsgan", "1/2", "2", "1/2"),
        ("relativistic", "1/2", "1/2", None),
        # f-GAN: a = 1, b = 1/f''(1), level f'(1), worked out by hand for each divergence.
        ("kl", "1", "1", "1"),
        ("reverse_kl", "1", "1", "-1"),
        ("pearson", "1", "1/2", "0"),
        ("squared_hellinger", "1", "2", "0"),
        ("jensen_shannon", "1", "2", "0"),
    ],
)
def test_constants_of_losses(loss: str, a: str, b: str, level: str | None) -> None:
    found = loss_constants(loss)
    assert (str(found.a), str(found.b), None if found.level is None else str(found.level)) == (a, b, level)


@pytest.mark.parametrize(
    ("f", "conjugate", "level"),
    [
        # Conjugates f*(t) from Nowozin et al. 2016, table 6; the discriminator is phi1 = t, phi2 = -f*(t).
        (lambda u: u * sympy.log(u), lambda t: sympy.exp(t - 1), 1),
        (lambda u: (u - 1) ** 2, lambda t: t**2 / 4 + t, 0),
        (lambda u: u * sympy.log(u) - (u + 1) * sympy.log((u + 1) / 2), lambda t: -sympy.log(2 - sympy.exp(t)), 0),
    ],
)
def test_divergences_agree_with_their_conjugates(f: Any, conjugate: Any, level: int) -> None:
    u = gb.symbol("u")
    by_conjugate = linearised(Links(T, -conjugate(T), level=sympy.Integer(level)))
    by_divergence = f_divergence(f(u), u)
    assert (by_conjugate.a, by_conjugate.b) == (by_divergence.a, by_divergence.b)


def test_wrong_losses_are_refused() -> None:
    with pytest.raises(MisuseError, match="Every value of the discriminator is an equilibrium"):
        linearised(Links(T, -T))
    with pytest.raises(MisuseError, match="check the signs"):
        linearised(Links(-T, T, level=sympy.S.Zero, generator=-T))
    with pytest.raises(UnknownNameError, match="Did you mean 'lsgan'"):
        loss_constants("lsgam")


# -- continuous time --------------------------------------------------------------------------------------------------


def test_the_vanilla_modes_of_the_sheet() -> None:
    # A.2: N(0, 1), gamma = 0, eta = 1.
    for k, imaginary in ((1, 0.433013), (2, 0.661438), (3, 0.829156)):
        assert VANILLA.eigenvalues(k)[0] == pytest.approx(-0.25 + 1j * imaginary, abs=5e-7)
    assert VANILLA.oscillatory_band() == (0.25, math.inf)
    # A.2: rate at xi_1 = .01, .1 and from .25 on.
    assert VANILLA.rate([0.01]) == pytest.approx(0.00505103, abs=5e-9)
    assert VANILLA.rate([0.1]) == pytest.approx(0.0563508, abs=5e-8)
    assert VANILLA.rate([0.25]) == pytest.approx(0.25, abs=1e-12)
    assert VANILLA.rate([7.0]) == pytest.approx(0.25, abs=1e-15)


@pytest.mark.parametrize(
    ("made", "gamma", "rate"),
    [
        # A.2: rates of N(0, 1) at eta = 1, to the digits printed there.
        *((VANILLA, g, r) for g, r in ((0, 0.25), (0.05, 0.275), (0.1, 0.3), (0.25, 0.375), (0.5, 0.5))),
        *((VANILLA, g, r) for g, r in ((1, 0.190983), (2, 0.104356), (5, 0.0458365))),
        *((WGAN, g, r) for g, r in ((0.1, 0.05), (0.5, 0.25), (1, 0.5), (8, 0.125))),
    ],
)
def test_rates_over_the_penalty(made: Dispersion, gamma: float, rate: float) -> None:
    found = replace(made, gamma=gamma).rate(np.arange(1, 60), unbounded=True)
    assert found == pytest.approx(rate, abs=5e-7 if gamma < 5 else 5e-8)


def test_best_penalties() -> None:
    # A.2: sqrt(2) and 0.70711 for a WGAN; 1/2 for the vanilla GAN, where mode 1 is critical.
    assert WGAN.best_penalty([1, 2, 3]) == pytest.approx((math.sqrt(2), math.sqrt(0.5)), abs=1e-12)
    assert VANILLA.best_penalty(np.arange(1, 20)) == pytest.approx((0.5, 0.5), abs=1e-8)
    # a sqrt(2 eta_g/(eta_d xi_1)) and a sqrt(eta_g eta_d xi_1/2) elsewhere.
    made = Dispersion(a=0.7, b=0.0, eta_d=2.0, eta_g=0.5)
    assert made.best_penalty([0.3, 0.9]) == pytest.approx((0.7 * math.sqrt(1 / 0.6), 0.7 * math.sqrt(0.15)), abs=1e-12)


def test_the_band_and_the_critical_values_are_where_the_discriminant_vanishes() -> None:
    rng = np.random.default_rng(3)
    for a, b, gamma, eta_d, eta_g in 10 ** rng.uniform(-1, 1, (100, 5)):
        made = Dispersion(a, b, gamma, eta_d, eta_g)
        band = made.oscillatory_band()
        # Empty if and only if a**2 eta_g/eta_d <= b gamma (A.2).
        assert (band is None) == (a**2 * eta_g / eta_d <= b * gamma)
        for xi in 10 ** rng.uniform(-3, 3, 5):
            oscillates = abs(made.eigenvalues(xi)[0].imag) > 0
            assert oscillates == (band is not None and band[0] < xi < band[1])
            assert oscillates == (eta_g / eta_d > made.critical_ratio(xi))
            assert oscillates == (gamma < made.critical_penalty(xi) and band is not None and band[0] < xi)
            # Both eigenvalues against the matrix of the mode.
            assert same(made.eigenvalues(xi), np.linalg.eigvals(made.matrix(xi)), 1e-6 * np.abs(made.matrix(xi)).max())
    # High modes pile up at -eta_g a**2/gamma (A.2).
    assert Dispersion(2.0, 0.3, 0.5, 1.0, 3.0).eigenvalues(1e9)[0] == pytest.approx(-24.0, rel=1e-7)


def test_a_mode_is_the_r1_dirac_gan() -> None:
    # A.2: with f'(0) -> a sqrt(xi) and gamma -> b + gamma xi; WGAN's f has the slope 1, so xi = 1/a**2 there.
    for rule in (gb.Flow(), gb.Simultaneous(), gb.Alternating(3)):
        mode = gb.system(functional_mode(xi=4.0, a=0.5, b=0.2, gamma=0.1), rule)
        dirac = gb.system(dirac_gan(variant="wgan", gamma=0.6), rule)
        assert same(spectrum(mode), spectrum(dirac), 1e-14)


@pytest.mark.parametrize("text", ["a=0", "b=-1", "gamma=nan", "eta_g=-2"])
def test_constants_out_of_range_are_refused(text: str) -> None:
    name, value = text.split("=")
    with pytest.raises(MisuseError, match=f"'{name}'"):
        Dispersion(**{name: float(value)})
    with pytest.raises(MisuseError, match="Modes are positive"):
        VANILLA.rate([0.0, 1.0])


# -- discrete time ----------------------------------------------------------------------------------------------------


def one_application(scheme: str, m: np.ndarray) -> np.ndarray:
    """The matrix of one application of a scheme to x' = m x, by running the scheme itself on unit vectors."""
    one = np.eye(2)
    zero = np.zeros((2, 2))
    if scheme == "simultaneous":
        return one + m
    if scheme == "heun":
        predicted = one + m
        return one + (m + m @ predicted) / 2
    if scheme == "rk3":
        k1 = m
        k2 = m @ (one + k1 / 2)
        k3 = m @ (one - k1 + 2 * k2)
        return one + (k1 + 4 * k2 + k3) / 6
    if scheme == "rk4":
        k1 = m
        k2 = m @ (one + k1 / 2)
        k3 = m @ (one + k2 / 2)
        k4 = m @ (one + k3)
        return one + (k1 + 2 * k2 + 2 * k3 + k4) / 6
    if scheme == "extragradient":
        return one + m @ (one + m)
    if scheme == "implicit":
        return np.linalg.inv(one - m)
    if scheme == "optimistic":  # x + 2 F(x) - F(x_prev)
        return np.block([[one + 2 * m, -m], [one, zero]])
    if scheme == "adams_bashforth_2":  # x + 3/2 F(x) - 1/2 F(x_prev)
        return np.block([[one + 1.5 * m, -m / 2], [one, zero]])
    discriminator, generator = np.diag([1.0, 0.0]) @ m, np.diag([0.0, 1.0]) @ m
    return (one + generator) @ (one + discriminator)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_multipliers_of_every_scheme_against_the_scheme_itself(scheme: str) -> None:
    rng = np.random.default_rng(5)
    for a, b, gamma, eta_d, eta_g in 10 ** rng.uniform(-1, 0.3, (20, 5)):
        made = Dispersion(a, b, gamma, eta_d, eta_g)
        xi = np.array([0.3, 1.0, 5.0])
        for mode, found in zip(xi.tolist(), made.multipliers(xi, scheme), strict=True):
            expected = np.linalg.eigvals(one_application(scheme, made.matrix(mode)))
            assert same(found, expected, 1e-6 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_discriminator_steps_against_the_game(steps: int) -> None:
    made = Dispersion(0.6, 0.4, 0.2, 0.3, 0.5)
    xi = np.array([0.5, 2.0])
    found = made.multipliers(xi, "alternating", discriminator_steps=steps)
    for first in ("discriminator", "generator"):
        rule = gb.Alternating(steps, first=first)
        for mode, row, other in zip(xi.tolist(), found, mode_multipliers(rule, xi, made), strict=True):
            assert same(row, other, 1e-12)
            # A.3: trace and determinant with d = b + gamma xi, worked out by hand for n steps.
            kept = 1 - 0.3 * (0.4 + 0.2 * mode)
            total = (1 - kept**steps) / (0.3 * (0.4 + 0.2 * mode))
            assert row.sum() == pytest.approx(1 + kept**steps - 0.3 * 0.5 * 0.36 * mode * total, abs=1e-12)
            assert row.prod() == pytest.approx(kept**steps, abs=1e-12)


def test_the_package_s_rules_agree_with_the_schemes_of_their_name() -> None:
    xi = np.array([0.5, 1.0, 3.0])
    made = Dispersion(0.5, 0.5, 0.1, 0.4, 0.4)
    runge_kutta = {"heun": 2, "rk3": 3, "rk4": 4}
    for name in ("flow", *SCHEMES):
        rule = {"rule": "runge_kutta", "order": runge_kutta[name]} if name in runge_kutta else name
        expected = made.eigenvalues(xi) if name == "flow" else made.multipliers(xi, name)
        for row, other in zip(mode_multipliers(rule, xi, made), expected, strict=True):
            # A double multiplier is met to the root of rounding only.
            assert same(row, other, 1e-7), name


@pytest.mark.parametrize("scheme", ["simultaneous", "alternating"])
def test_closed_conditions_of_stability_against_the_multipliers(scheme: str) -> None:
    rng = np.random.default_rng(11)
    for a, b, gamma, eta_d, eta_g in 10 ** rng.uniform(-1, 1, (300, 5)):
        made = Dispersion(a, b, gamma, eta_d, eta_g)
        assert made.meets_conditions([0.5, 2.0], scheme) == made.stable([0.5, 2.0], scheme)


def test_explicit_steps_on_many_modes() -> None:
    # A.3: vanilla, N(0, 1), K modes: eta < 2/K; a WGAN without penalty is never stable, |mu|**2 = 1 + q.
    for modes in (1, 4, 10):
        assert VANILLA.largest_step(np.arange(1, modes + 1), "simultaneous") == pytest.approx(2 / modes, rel=1e-12)
    assert WGAN.largest_step([1.0], "simultaneous") == 0.0
    assert np.abs(WGAN.scaled(0.3).multipliers(2.0, "simultaneous")) ** 2 == pytest.approx([1.18, 1.18], abs=1e-12)
    assert VANILLA.largest_step([1.0, 9.0], "implicit") == math.inf
    # gamma >= eta_g a**2 meets the first condition for all modes (A.3); the second is 2 eta_d d < 4 + q.
    stiff = Dispersion(1.0, 0.0, 1.0, 0.1, 0.1)
    assert stiff.stable([1.0, 20.0], "simultaneous")
    assert not stiff.stable([21.1], "simultaneous")


@pytest.mark.parametrize(
    ("scheme", "square"),
    # A.3: limits on the imaginary axis.
    [("simultaneous", 0), ("heun", 0), ("adams_bashforth_2", 0), ("rk3", 3), ("rk4", 8), ("extragradient", 1),
     ("optimistic", 1 / 3), ("alternating", 4), ("implicit", math.inf)],
)  # fmt: skip
def test_limits_on_the_imaginary_axis(scheme: str, square: float) -> None:
    assert imaginary_limit(scheme) ** 2 == pytest.approx(square, abs=1e-9)


# -- the mode as a game -----------------------------------------------------------------------------------------------


def test_critical_damping_and_the_neimark_sacker_border_by_continuation() -> None:
    flow = gb.system(functional_mode(gamma=0.1), gb.Flow())
    branch = gb.trace(gb.point(flow), {"gamma": (0.01, 8.0)}, events=[gb.Event.focus()])
    found = next(p for p in branch.special_points if p.label == "focus")
    # A.2: gamma_c = 2a sqrt(eta_g/(eta_d xi)) - b/xi = 1/2 at the defaults.
    assert found.parameters["gamma"] == pytest.approx(0.5, abs=1e-8)
    curve = gb.trace(found, {"xi": gb.log_range(0.05, 20.0), "gamma": (0.01, 8.0)})
    xi, gamma = curve.parameters[:, curve.free.index("xi")], curve.parameters[:, curve.free.index("gamma")]
    assert gamma == pytest.approx(1 / np.sqrt(xi) - 0.5 / xi, abs=1e-8)
    steps = gb.tie(gb.system(functional_mode(gamma=0.25), gb.Simultaneous(), eta_d=0.2), eta_g="eta_d")
    branch = gb.trace(gb.point(steps), {"eta_d": (0.05, 10.0)})
    # A.3: eta_g a**2 xi = b + gamma xi.
    assert branch["NS1"].parameters["eta_d"] == pytest.approx(3.0, abs=1e-8)
    border = gb.trace(branch["NS1"], {"eta_d": (0.05, 10.0), "xi": gb.log_range(0.05, 20.0)})
    eta, xi = border.parameters[:, border.free.index("eta_d")], border.parameters[:, border.free.index("xi")]
    assert eta * xi / 4 == pytest.approx(0.5 + 0.25 * xi, abs=1e-8)


def test_a_mode_out_of_range_is_refused() -> None:
    with pytest.raises(MisuseError, match="needs 'xi' positive, but got -1"):
        functional_mode(xi=-1.0)
    with pytest.raises(MisuseError, match="'b' of 0 or more"):
        functional_mode(b=math.nan)


# -- the nonlinear game -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSS_NAMES)
def test_the_nonlinear_game_has_the_spectrum_of_the_linear_theory(loss: str) -> None:
    game = functional_gan(loss=loss, modes=4, gamma=0.3)
    flow = gb.system(game, gb.Flow(), eta_d=1.5, eta_g=0.7)
    expected = functional_theory(loss=loss, modes=4, gamma=0.3, eta_d=1.5, eta_g=0.7)
    assert same(spectrum(flow), expected, 1e-10)  # the sheet's A.6 (vi): 1e-10
    a, b, _ = as_floats(linearised(LOSSES[loss]))
    made = Dispersion(a, b, 0.3, 0.2, 0.1)
    for rule, scheme in ((gb.Simultaneous(), "simultaneous"), (gb.Alternating(), "alternating")):
        modes = np.append(made.multipliers(np.arange(1, 5), scheme), 1 - 0.2 * b)
        assert same(spectrum(gb.system(game, rule, eta_d=0.2, eta_g=0.1)), modes, 1e-10)
    gb.check_game(game, scale=0.1)


@pytest.mark.parametrize("loss", LOSS_NAMES)
def test_a_run_from_nearby_follows_the_linear_theory(loss: str) -> None:
    flow = gb.system(functional_gan(loss=loss, modes=3), gb.Flow())
    rest = np.asarray(flow.equilibrium_guess())
    start = 1e-4 * np.array([0.0, 1.0, -0.5, 0.3, 0.7, 1.0, -0.8])
    end = gb.simulate(flow, rest + start, duration=6.0).states[-1] - rest
    a, b, _ = as_floats(linearised(LOSSES[loss]))
    for k in (1, 2, 3):
        # The block of a mode written out: (A1) and (A2) with phi = d_k and y = sqrt(k) u_k.
        block = np.array([[-b, -a * math.sqrt(k)], [a * math.sqrt(k), 0.0]])
        pair = [flow.states.index(f"d{k}"), flow.states.index(f"y{k}")]
        # A.6 (vi): to 1e-3, which is coupling of second order.
        assert end[pair] == pytest.approx(expm(6.0 * block) @ start[pair], abs=1e-3 * 1e-4)


def test_the_constant_of_a_wgan_is_neutral() -> None:
    game = functional_gan(loss="wgan", modes=2, gamma=0.5)
    flow = gb.system(game, gb.Flow())
    x = np.asarray(flow.equilibrium_guess())
    x[flow.states.index("d0")] = 3.7
    assert np.abs(flow.rhs(x)).max() < 1e-13  # every d0 is an equilibrium: nothing depends on it
    assert np.abs(spectrum(flow)).min() < 1e-13
    without = gb.system(functional_gan(loss="wgan", modes=2, gamma=0.5, constant=False), gb.Flow())
    assert same(spectrum(without), functional_theory(loss="wgan", modes=2, gamma=0.5)[1:], 1e-10)


def test_the_nonlinear_game_loses_its_finest_mode_first() -> None:
    made = functional_gan(modes=3, nodes=40)
    steps = gb.tie(gb.system(made, gb.Simultaneous(), eta_d=0.2), eta_g="eta_d")
    branch = gb.trace(gb.point(steps), {"eta_d": (0.05, 1.5)})
    # A.3: eta < 2/K.
    assert branch["NS1"].parameters["eta_d"] == pytest.approx(2 / 3, abs=1e-8)


def test_the_mirror_image_is_an_equilibrium_too() -> None:
    flow = gb.system(functional_gan(loss="lsgan", modes=3), gb.Flow())
    values = dict.fromkeys(flow.states, 0.0) | {"d0": 0.5, "y2": -2.0}
    assert np.abs(flow.rhs([values[s] for s in flow.states])).max() < 1e-12  # x - 2 x = -x has the same distribution


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "wgam"}, "Did you mean 'wgan'"),
        ({"modes": 0}, "'modes' must be a whole number from 1 to 12, but got 0"),
        ({"nodes": 7}, "'nodes' must be a whole number from 20 to 150"),
        ({"gamma": -1.0}, "'gamma' must be 0 or more"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(MisuseError, match=message):
        functional_gan(**settings)


# -- the study --------------------------------------------------------------------------------------------------------


def test_the_shipped_study_is_complete() -> None:
    file = read_study("functional-gan")
    assert len(plan(file.study, all_systems(file.study))) > 30
    assert file.study.map
    assert len(file.study.claim) > 25


@pytest.mark.slow
def test_the_study_without_maps_and_figures_agrees_with_all_its_claims(tmp_path: Path) -> None:
    sections = re.split(r"\n(?=\[)", read_study("functional-gan").text)
    path = tmp_path / "small.toml"
    path.write_text("\n".join(part for part in sections if not part.startswith(("[[map]]", "[[figure]]"))))
    small = gb.run_study(path, tmp_path / "out")
    assert [claim.text for claim in small.claims if not claim.agrees] == []
    assert len(small.claims) > 25
