"""Equilibria found without being told where: in any units, through folds, and nothing that is none."""

import numpy as np
import pytest

import gan_bifurcation as gb

equations = gb.System.from_equations


def in_units(fields: dict[str, str], units: dict[str, float], parameters: dict[str, float]) -> gb.System:
    """A flow with each state measured in a unit: x -> x / unit on the right, times the unit as a whole."""
    other = {}
    for name, text in fields.items():
        for state, unit in units.items():
            text = text.replace(state, f"({state.upper()}/{unit!r})")
        other[name.upper()] = f"{units[name]!r}*({text})"
    return equations("flow", other, parameters=parameters)


ATMOSPHERE = {"x": "-y**2 - z**2 - x/4 + f/4", "y": "x*y - 4*x*z - y + g", "z": "4*x*y + x*z - z"}
CONVECTION = {"x": "10*(y - x)", "y": "r*x - y - x*z", "z": "x*y - 2*z"}


@pytest.mark.parametrize("units", [(1.0, 1.0, 1.0), (1e4, 1e4, 1e4), (1e-4, 1e-4, 1e-4), (1e4, 1e-4, 1.0)])
def test_lorenz_84_in_any_units(units: tuple[float, ...]) -> None:
    f, g = 3.0, 0.5
    system = in_units(ATMOSPHERE, dict(zip("xyz", units, strict=True)), {"f": f, "g": g})
    found = gb.find_equilibria(system)
    # Eliminating y and z (Shilnikov, Nicolis, Nicolis 1995): (f - x)/4 (1 - 2 x + 17 x^2) = g^2, one real root here.
    roots = np.roots(np.polysub(np.polymul([-0.25, f / 4], [17.0, -2.0, 1.0]), [g * g]))
    (x,) = roots[np.abs(roots.imag) < 1e-9].real
    assert [p.x[0] / units[0] for p in found.points] == pytest.approx([x], rel=1e-9)
    assert "no proof of completeness" in found.unexplored
    assert "manifold" not in found.unexplored


@pytest.mark.parametrize("units", [(1.0, 1.0, 1.0), (1e4, 1e4, 1e4), (1e-4, 1e4, 1.0)])
def test_all_three_of_lorenz_63_in_any_units(units: tuple[float, ...]) -> None:
    system = in_units(CONVECTION, dict(zip("xyz", units, strict=True)), {"r": 15.0})
    # x = y = +-sqrt(b (r - 1)) and the origin.
    expected = np.sqrt(28.0) * np.array([-1.0, 0.0, 1.0])
    assert [p.x[1] / units[1] for p in gb.find_equilibria(system).points] == pytest.approx(expected, abs=1e-9)


def test_all_three_of_ab() -> None:
    system = equations(
        "flow", {"u": "-u + p*(1 - u)*exp(v)", "v": "-v + 14*p*(1 - u)*exp(v) - 2*v"}, parameters={"p": 0.1}
    )
    found = [p.state["v"] for p in gb.find_equilibria(system).points]
    # v = 14 u / 3: zeros of u - p (1 - u) exp(14 u / 3), counted by its changes of sign on a fine grid.
    u = np.linspace(0.0, 1.0, 100001)
    values = u - 0.1 * (1.0 - u) * np.exp(14.0 * u / 3.0)
    places = u[:-1][values[:-1] * values[1:] < 0.0]
    assert found == pytest.approx(14.0 * places / 3.0, abs=1e-3)


def test_what_only_decays_is_no_equilibrium() -> None:
    # No zero at all, and a residual below any tolerance far out.
    system = equations("flow", {"x": "1/(1 + x**2)**3", "y": "-y + exp(-x**2/50)"}, parameters={"a": 0.0})
    assert not len(gb.find_equilibria(system))
    # The one zero of x/(1 + x^2)^3 is the origin.
    system = equations("flow", {"x": "x/(1 + x**2)**3"}, parameters={"a": 0.0})
    assert [p.x[0] for p in gb.find_equilibria(system).points] == pytest.approx([0.0], abs=1e-9)


def test_the_bifurcation_set_of_lorenz_84_needs_neither_start_nor_units() -> None:
    system = in_units(ATMOSPHERE, {"x": 1e4, "y": 1e-4, "z": 1.0}, {"f": 3.0, "g": 0.5})
    found = gb.bifurcation_set(system, {"f": (-1.0, 6.0), "g": (-0.1, 6.0)}, depth=0)
    # Shilnikov, Nicolis, Nicolis 1995: fold-Hopf at (G, F) = (1.683, 1.684), cusp at (0.292, 0.466).
    assert sorted(found.names) == ["H1", "H2", "LP1"]
    where = {p.label: (p.parameters["g"], p.parameters["f"]) for p in found.points}
    assert where["ZH"] == pytest.approx((1.682969, 1.684052), abs=1e-6)
    assert where["CP"] == pytest.approx((0.292, 0.466), abs=5e-4)
    assert found.starts_of("ZH") == ["LP1", "H1"]
    assert any("no proof of completeness" in text for text in found.unexplored)


def test_a_map_that_moves_a_state_by_less_than_its_rounding_does_not_rest_there() -> None:
    """Simultaneous steps on the Dirac-GAN with a penalty rest at the origin alone: psi sigmoid(-psi theta) = 0."""
    system = gb.system(gb.models.dirac_gan(gamma=1.025), gb.Simultaneous(), eta_d=0.1, eta_g=0.1)
    assert [p.x.tolist() for p in gb.find_equilibria(system, starts=32).points] == [[0.0, 0.0]]
