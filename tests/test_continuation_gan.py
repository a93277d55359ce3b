"""Borders of GAN training, by continuation of the full systems, against closed forms."""

import numpy as np
import pytest

import gan_bifurcation as gb
from gan_bifurcation.models.dirac_gan import bilinear, dirac_gan
from gan_bifurcation.models.kernel_gan import kernel_gan
from gan_bifurcation.models.kernel_theory import kernel_curvature

EXACT = 1e-10
SLOPE = 0.5  # f'(0) of the logistic loss


def first(branch: gb.Branch, label: str) -> gb.Point:
    return min((p for p in branch.special_points if p.label == label), key=lambda p: p.parameters[branch.free[0]])


# -- R1-regularised Dirac-GAN (Mescheder, Geiger, Nowozin 2018; thresholds from the characteristic polynomial at 0) --


@pytest.mark.parametrize("gamma", [0.3, 0.9])
def test_dirac_gan_simultaneous_underdamped(gamma: float) -> None:
    tied = gb.tie(gb.system(dirac_gan(gamma=gamma), gb.Simultaneous(), eta_d=0.1, eta_g=0.1), eta_g="eta_d")
    branch = gb.trace(gb.point(tied), {"eta_d": (0.01, 6)})
    # Determinant 1 - h gamma + h^2/4 = 1.
    assert branch["NS1"].parameters["eta_d"] == pytest.approx(gamma / SLOPE**2, abs=EXACT)
    curve = gb.trace(branch["NS1"], {"eta_d": (0.01, 6), "gamma": (0.05, 0.99)})
    assert np.abs(curve.column("eta_d") - curve.column("gamma") / SLOPE**2).max() < EXACT


def test_dirac_gan_simultaneous_overdamped() -> None:
    gamma = 1.4
    tied = gb.tie(gb.system(dirac_gan(gamma=gamma), gb.Simultaneous(), eta_d=0.1, eta_g=0.1), eta_g="eta_d")
    branch = gb.trace(gb.point(tied), {"eta_d": (0.01, 3)})
    # The larger of the real eigenvalues -gamma/2 -+ sqrt(gamma^2/4 - 1/4) of the flow reaches -2/h.
    step = 2 / (gamma / 2 + (gamma**2 / 4 - SLOPE**2) ** 0.5)
    assert branch["PD1"].parameters["eta_d"] == pytest.approx(step, abs=EXACT)


@pytest.mark.parametrize("leader", ["discriminator", "generator"])
@pytest.mark.parametrize("gamma", [0.3, 1.0, 1.4])
def test_dirac_gan_alternating(gamma: float, leader: str) -> None:
    rule = gb.Alternating(first=leader)
    tied = gb.tie(gb.system(dirac_gan(gamma=gamma), rule, eta_d=0.1, eta_g=0.1), eta_g="eta_d")
    branch = gb.trace(gb.point(tied), {"eta_d": (0.01, 6)})
    # 2 h gamma + h^2/4 = 4 (a flip; the determinant 1 - h gamma never reaches 1).
    step = (-gamma + (gamma**2 + 4 * SLOPE**2) ** 0.5) / SLOPE**2
    assert first(branch, "PD").parameters["eta_d"] == pytest.approx(step, abs=EXACT)
    assert not [p for p in branch.special_points if p.label == "NS"]
    separate = gb.system(dirac_gan(gamma=gamma), rule, eta_d=0.1, eta_g=0.7)
    branch = gb.trace(gb.point(separate), {"eta_d": (0.01, 8)})
    # 2 h_D gamma + h_G h_D f'^2 = 4.
    assert first(branch, "PD").parameters["eta_d"] == pytest.approx(4 / (2 * gamma + 0.7 * SLOPE**2), abs=EXACT)


def test_dirac_gan_regularisation_threshold_of_the_focus() -> None:
    flow = gb.system(dirac_gan(gamma=0.3), gb.Flow())
    branch = gb.trace(gb.point(flow), {"gamma": (0.1, 2)}, events=[gb.Event.focus()])
    assert branch["focus"].parameters["gamma"] == pytest.approx(
        2 * SLOPE, abs=EXACT
    )  # critical damping gamma = 2 f'(0)


@pytest.mark.parametrize("leader", ["discriminator", "generator"])
def test_alternating_steps_on_the_bilinear_game_are_neutral(leader: str) -> None:
    tied = gb.tie(gb.system(bilinear(), gb.Alternating(first=leader), eta_d=0.1, eta_g=0.1), eta_g="eta_d")
    branch = gb.trace(gb.point(tied), {"eta_d": (0.01, 1.99)})
    # |multiplier| = 1 for every step below 2 (Gidel et al. 2019): neutral along the branch, no label, and it is said.
    assert branch.special_points == ()
    assert np.abs(np.abs(branch.spectrum) - 1).max() < 1e-12
    assert branch.stable.all()
    assert "stability boundary along the branch" in branch.note


def test_unregularised_flow_is_neutral() -> None:
    branch = gb.trace(gb.point(gb.system(dirac_gan(), gb.Flow(), eta_d=1.0, eta_g=1.0)), {"eta_g": (0.1, 3)})
    assert branch.special_points == ()  # eigenvalues +- i f'(0) sqrt(eta_g): theta^2/eta_g + psi^2 is kept
    assert "stability boundary along the branch" in branch.note


# -- the kernel GAN near one true point (Becker et al. 2023; formulas derived for total mass P = n q) -------------

P = 0.8


def kernel(n: int, rule: str, *, lam: float = 0.5, p: float = 1.0, **rates: float) -> tuple[gb.System, float, float]:
    """The full system (25 features, n points), the curvature K2 in the place of 1/sigma^2, the mass of a point."""
    game = kernel_gan(points=n, lam=lam, p=p, q=P / n)
    return gb.system(game, rule, **rates), kernel_curvature(game), P / n


@pytest.mark.parametrize("n", [1, 2])
def test_kernel_simultaneous_neimark_sacker(n: int) -> None:
    system, k2, q = kernel(n, "simultaneous", eta_d=0.1, eta_g=0.1)
    tied = gb.tie(system, eta_g="eta_d")
    branch = gb.trace(gb.point(tied), {"eta_d": (0.01, 6)})
    S = 0.25 / (q * k2)
    point = branch["NS1"]
    assert point.parameters["eta_d"] * 0.5 == pytest.approx(S + 1 - P, abs=1e-8)  # h = (S + Delta)/p
    assert np.cos(point.normal_form["theta"]) == pytest.approx(1 - (S + 1 - P) ** 2 / (2 * S), abs=1e-8)
    # 24 multipliers 1 - eta_d lam, exact for 25 features with the derivative of one point: they flip together at 4.
    flip = first(branch, "PD")
    assert flip.parameters["eta_d"] == pytest.approx(4, abs=1e-8)
    assert flip.multiplicity == 24
    assert "Structural" in flip.note
    assert [p.label for p in branch.special_points] == ["NS", "PD"]


def test_kernel_simultaneous_curve_resonances_and_ends() -> None:
    system, k2, q = kernel(1, "simultaneous", eta_d=0.1, eta_g=0.1)
    tied = gb.tie(system, eta_g="eta_d")
    start = gb.trace(gb.point(tied), {"eta_d": (0.01, 6)})["NS1"]
    curve = gb.trace(start, {"eta_d": (0.005, 8), "lam": (0.02, 3)})
    lam, h = curve.column("lam"), curve.column("eta_d") * curve.column("lam")
    S = lam**2 / (q * k2)
    assert np.abs(h - S - 1 + P).max() < 1e-8
    assert np.abs(np.cos(curve.measures["theta"]) - 1 + h**2 / (2 * S)).max() < 1e-8
    points = {p.label: p for p in curve.special_points}
    # (S + Delta)^2 = r p S, r = 2 - 2 cos theta: r = 3 at the 1:3 and 2 at the 1:4 resonance. The curve meets each line
    # once: the smaller root has eta_d above the window or the same end as below.
    for label, r in {"R3": 3.0, "R4": 2.0}.items():
        roots = np.roots([1, 2 * (1 - P) - r, (1 - P) ** 2])
        found = sorted(p.parameters["lam"] ** 2 / (q * k2) for p in curve.special_points if p.label == label)
        assert found == pytest.approx(sorted(roots.real)[-len(found) :], abs=1e-8)
        assert found
    # It ends where the pair becomes real: at a 1:2 resonance, sqrt S = sqrt p + sqrt P and h = 2 sqrt(S/p).
    end = points["R2"]
    S_end = end.parameters["lam"] ** 2 / (q * k2)
    expected = sorted([(1 - P**0.5) ** 2, (1 + P**0.5) ** 2])
    assert min(abs(S_end - e) for e in expected) < 1e-7
    assert end.parameters["lam"] * end.parameters["eta_d"] == pytest.approx(2 * S_end**0.5, abs=1e-7)


@pytest.mark.parametrize("n", [1, 2])
def test_kernel_simultaneous_flips(n: int) -> None:
    system, k2, q = kernel(n, "simultaneous", eta_d=0.1, eta_g=0.1)
    branch = gb.trace(gb.point(system), {"eta_g": (0.01, 60)})
    flips = sorted(p.parameters["eta_g"] for p in branch.special_points if p.label == "PD")
    # Mean mode: 4 - 4 eta_d m + eta_d^2 mu q p k2 = 0 with 2 m = lam + mu q Delta k2/lam; linear in mu = eta_g/eta_d.
    mean = (4 - 2 * 0.1 * 0.5) / (2 * q * (1 - P) * k2 / 0.5 - 0.1 * q * k2)
    expected = [mean]
    if n == 2:
        expected.append(2 * 0.5 / (q * (1 - P) * k2))  # the relative mode: eta_g q Delta k2/lam = 2
    assert flips == pytest.approx(sorted(expected), abs=1e-8)
    assert {p.label for p in branch.special_points} == {"PD"}
    curve = gb.trace(branch["PD1"], {"eta_g": (0.01, 60), "lam": (0.2, 1.5)})
    lam, eta_g = curve.column("lam"), curve.column("eta_g")
    if n == 1:
        assert np.abs(4 - 0.2 * lam - eta_g * q * k2 * (2 * (1 - P) / lam - 0.1)).max() < 1e-8
    else:
        assert np.abs(eta_g * q * (1 - P) * k2 / lam - 2).max() < 1e-8


@pytest.mark.parametrize("n", [1, 2])
def test_kernel_alternating_flips(n: int) -> None:
    system, k2, q = kernel(n, "alternating", eta_d=0.1, eta_g=0.1)
    branch = gb.trace(gb.point(system), {"eta_g": (0.01, 60)})
    flips = sorted(p.parameters["eta_g"] for p in branch.special_points if p.label == "PD")
    # (2 - h)(2 - g) = c with h = eta_d lam, g = eta_g q Delta k2/lam, c = eta_d eta_g q P k2.
    h, g, c = 0.05, q * (1 - P) * k2 / 0.5, 0.1 * q * P * k2
    expected = [2 * (2 - h) / (c + (2 - h) * g)]
    if n == 2:
        expected.append(2 / g)
    assert flips == pytest.approx(sorted(expected), abs=1e-8)
    # With generated mass in deficit alternating steps never lose stability by oscillation.
    assert {p.label for p in branch.special_points} == {"PD"}


@pytest.mark.parametrize("n", [1, 2])
def test_kernel_alternating_neimark_sacker_with_excess_mass(n: int) -> None:
    p = 0.5
    system, k2, q = kernel(n, "alternating", lam=0.9, p=p, eta_d=0.2, eta_g=0.2)
    branch = gb.trace(gb.point(system), {"lam": (0.1, 1.5)})
    # (1 - h)(1 - g) = 1: lam^2 = mu q |Delta| k2 (1 - eta_d lam), mu = 1.
    b = q * (P - p) * k2
    lam = (-b * 0.2 + ((b * 0.2) ** 2 + 4 * b) ** 0.5) / 2
    assert branch["NS1"].parameters["lam"] == pytest.approx(lam, abs=1e-8)
    assert [s.label for s in branch.special_points] == ["NS"]
    curve = gb.trace(branch["NS1"], {"lam": (0.1, 1.5), "eta_d": (0.01, 1.0)})
    lam, eta_d = curve.column("lam"), curve.column("eta_d")
    mu = 0.2 / eta_d
    assert np.abs(lam**2 - mu * b * (1 - eta_d * lam)).max() < 1e-8


@pytest.mark.parametrize("n", [1, 2])
def test_kernel_flow_hopf(n: int) -> None:
    p = 0.5
    system, k2, q = kernel(n, "flow", lam=0.8, p=p)
    branch = gb.trace(gb.point(system), {"lam": (0.1, 1)})
    point = branch["H1"]
    # lam_H = sqrt(mu q |Delta| k2), omega = sqrt(mu q p k2).
    assert point.parameters["lam"] == pytest.approx((q * (P - p) * k2) ** 0.5, abs=1e-8)
    assert point.normal_form["omega"] == pytest.approx((q * p * k2) ** 0.5, abs=1e-8)
    curve = gb.trace(point, {"lam": (0.1, 1), "p1": (0.05, 0.78)})
    assert np.abs(curve.column("lam") ** 2 - q * (P - curve.column("p1")) * k2).max() < 1e-8
    assert np.abs(curve.measures["omega"] ** 2 - q * curve.column("p1") * k2).max() < 1e-8


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("rule", ["flow", "simultaneous", "alternating"])
def test_kernel_oscillation_window_and_saturated_range(rule: str, n: int) -> None:
    rates = {} if rule == "flow" else {"eta_d": 0.1, "eta_g": 0.1}
    system, k2, q = kernel(n, rule, lam=0.3, **rates)
    slowest = gb.Event.rate("-lam" if rule == "flow" else "1 - eta_d*lam", "saturated")
    branch = gb.trace(gb.point(system), {"lam": (0.05, 3)}, events=[gb.Event.focus(), slowest])
    lam = {p.name: p.parameters["lam"] for p in branch.special_points}
    edges = np.array([lam["focus"], lam["focus 2"]])
    if rule == "alternating":
        # The mean mode is complex while c is between the squares of sqrt(1 - h) -+ sqrt(1 - g).
        h, g = 0.1 * edges, 0.1 * q * (1 - P) * k2 / edges
        sign = np.array([-1, -1])  # g near 1 on the left, h on the right: the difference is the larger bound on neither
        assert (np.sqrt(1 - h) + sign * np.sqrt(1 - g)) ** 2 == pytest.approx(0.01 * q * P * k2, abs=1e-8)
    else:
        # Complex mean mode while |sqrt p - sqrt P| < lam/sqrt(mu q k2) < sqrt p + sqrt P.
        assert edges / (q * k2) ** 0.5 == pytest.approx([1 - P**0.5, 1 + P**0.5], abs=1e-8)
    # Below, nothing is slower than the 24 structural multipliers 1 - h: g = h, and for simultaneous steps, whose mean
    # mode is the slower one, lam^2 (1 - h)/(mu q k2) = Delta - h p.
    h = 0.1 * lam["saturated"] if rule == "simultaneous" else 0.0
    assert lam["saturated"] ** 2 * (1 - h) / (q * k2) == pytest.approx(1 - P - h, abs=1e-8)
    # The same over the bandwidth, all along the curve.
    curve = gb.trace(branch["saturated"], {"lam": (0.05, 1), "sigma": (0.3, 2)})
    lam, k2 = curve.column("lam"), k2 / curve.column("sigma") ** 2
    h = 0.1 * lam if rule == "simultaneous" else 0.0
    assert np.abs(lam**2 * (1 - h) / (q * k2) - (1 - P - h)).max() < 1e-8


def test_kernel_contour_of_a_rate() -> None:
    system, k2, q = kernel(1, "simultaneous", eta_d=0.1, eta_g=0.1)
    tied = gb.tie(system, eta_g="eta_d")
    rate = gb.Event.rate("0.99")
    branch = gb.trace(gb.point(tied.with_parameters(eta_d=0.1)), {"eta_d": (0.01, 0.5)}, events=[rate])
    # |rho_c|^2 = 1 - 2 eta m + eta^2 q k2 for the complex pair, 2 m = lam + q Delta k2/lam.
    m = 0.5 * (0.5 + q * (1 - P) * k2 / 0.5)
    roots = np.roots([q * k2, -2 * m, 1 - 0.99**2])
    inside = [r for r in roots if 0.01 < r < 0.5]
    assert [p.parameters["eta_d"] for p in branch.special_points] == pytest.approx(inside, abs=1e-8)
    curve = gb.trace(branch["rate 0.99"], {"eta_d": (0.01, 2), "lam": (0.1, 1.5)})
    eta, lam = curve.column("eta_d"), curve.column("lam")
    assert np.abs(1 - eta * (lam + q * (1 - P) * k2 / lam) + eta**2 * q * k2 - 0.99**2).max() < 1e-8
