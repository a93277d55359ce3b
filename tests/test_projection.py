"""States that a game keeps between bounds: weight clipping."""

import numpy as np
import pytest

import gan_bifurcation as gb

THETA, PSI = gb.symbol("theta"), gb.symbol("psi")


def clipped(low: str = "-clip", high: str = "clip") -> gb.Game:
    return gb.Game(
        "clipped",
        gb.Player(("psi",), -THETA * PSI, "eta_d"),
        gb.Player(("theta",), THETA * PSI, "eta_g"),
        {"clip": 1.0},
        symmetries=(gb.Symmetry("half turn", {"psi": (-1, "psi"), "theta": (-1, "theta")}),),
        projection={"psi": (low, high)},
    )


def test_reference_runs_of_the_clipped_wgan() -> None:
    # The authors' notebook (h = 0.2, start (1, 1), 500 steps, generator first), recomputed in plain Python floats.
    game = clipped()
    ends = {gb.Simultaneous(): (-0.0656408, 1.0), gb.Alternating(first="generator"): (0.979076, 0.300382)}
    for rule, (theta, psi) in ends.items():
        steps = gb.system(game, rule, eta_d=0.2, eta_g=0.2)
        final = gb.simulate(steps, {"theta": 1.0, "psi": 1.0}, steps=500).final_state
        assert (final["theta"], final["psi"]) == pytest.approx((theta, psi), abs=1e-6)
        assert not steps.smooth


def test_orbits_of_the_clipped_flow_land_on_the_circle_of_the_bound() -> None:
    # Inside |psi| < clip the flow turns on circles, along the bound theta shrinks: what is left is r = clip.
    flow = gb.system(clipped(), gb.Flow(), clip=0.7)
    late = gb.simulate(flow, {"psi": 0.5, "theta": 2.0}, duration=60.0).states[-200:]
    assert np.hypot(*late.T) == pytest.approx(0.7, abs=1e-8)


def test_bounds_are_checked_at_the_door() -> None:
    gb.check_game(clipped())
    assert not clipped().smooth
    assert "psi" in clipped().why_not_smooth
    with pytest.raises(gb.MisuseError, match="must be in order"):
        clipped("clip", "-clip")
    with pytest.raises(gb.UnknownNameError, match="clap"):
        clipped(high="clap")
    with pytest.raises(gb.MisuseError, match="does not commute"):
        gb.check_game(clipped("-2*clip"))
