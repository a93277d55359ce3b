"""Bifurcations of the kernel GAN beyond linear theory: its cubic reduction has the full system's coefficients."""

from typing import Any

import pytest

import gan_bifurcation as gb
from gan_bifurcation.models.kernel_theory import split_pair


def critical_point(game: Any, rule: Any, label: str, free: str, window: tuple[float, float], **values: float) -> Any:
    branch = gb.trace(gb.point(gb.system(game, rule, **values)), {free: window})
    (found,) = [point for point in branch.special_points if point.label == label]
    return found


# In widths (sigma = 1) x is y, and Taylor features turn into the reduction's states by a rotation, so that the
# coefficients of normal forms, which depend on scale, must agree too.
CASES = [
    (gb.Flow(), "H", "l1", "lam", (0.1, 1.0), {"p1": 0.5, "q1": 0.8, "lam": 0.9}),
    (gb.Simultaneous(), "NS", "d", "eta_g", (0.01, 0.5), {"p1": 1.0, "q1": 1.0, "lam": 0.2, "eta_d": 0.3}),
    (gb.Simultaneous(), "NS", "d", "eta_g", (0.01, 0.9), {"p1": 1.0, "q1": 0.9, "lam": 0.3, "eta_d": 0.6}),
    (gb.Alternating(), "PD", "b", "eta_g", (0.1, 20.0), {"p1": 1.0, "q1": 1.0, "lam": 0.2, "eta_d": 0.5}),
]


@pytest.mark.parametrize(("rule", "label", "coefficient", "free", "window", "values"), CASES)
def test_the_reduction_has_the_normal_forms_of_the_full_system(
    rule: Any, label: str, coefficient: str, free: str, window: tuple[float, float], values: dict[str, float]
) -> None:
    # Section 6.1 of the specification: cubic-exact; Taylor features are cubic-exact from three on (section 9).
    found = [
        critical_point(game, rule, label, free, window, **values)
        for game in (gb.models.kernel_gan_reduced(), gb.models.kernel_gan(features="taylor", modes=3))
    ]
    assert found[0].parameters[free] == pytest.approx(found[1].parameters[free], rel=1e-9)
    numbers = [point.normal_form[coefficient] for point in found]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-6)


def test_two_points_split_where_the_generated_mass_exceeds_the_true_one() -> None:
    # Section 6.2: pitchfork at P = p, then y* = +- sigma sqrt((2/3) ln(P/p)); the circle's kernel is Gaussian to 7e-11
    # there.
    system = gb.system(gb.models.kernel_gan(points=2, q=0.4, sigma=0.5, lam=2.0), gb.Flow())
    together = gb.trace(gb.point(system), {"q1": (0.3, 0.9)})
    fork = together["BP1"]
    assert fork.parameters["q1"] == pytest.approx(0.5, abs=1e-8)
    assert fork.normal_form["kind"] == "pitchfork"
    apart = gb.trace(gb.branch_point_to_branch(fork), {"q1": (0.3, 0.9)}, at=[0.7])
    points = [point for point in apart.special_points if abs(point.parameters["q1"] - 0.7) < 1e-12]
    assert points
    for point in points:
        positions = sorted((point.state["x1"], point.state["x2"]))
        distance = split_pair(p=1.0, total=1.4, sigma=0.5)
        assert positions == pytest.approx([-distance, distance], abs=1e-8)


def test_the_planes_hopf_point_is_double() -> None:
    # Section 5.1, multiplicity d: one pair of imaginary eigenvalues for each coordinate.
    game = gb.models.kernel_gan(dimension=2, modes=2)
    point = critical_point(game, gb.Flow(), "H", "lam", (0.2, 0.8), p1=0.5, q1=0.8, lam=0.8)
    assert point.multiplicity == 2
