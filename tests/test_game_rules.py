"""Games derive everything from their losses; rules compose with any game; both refuse what is inconsistent."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import gan_bifurcation as gb
from gan_bifurcation.errors import MisuseError, UnknownNameError
from gan_bifurcation.expressions import Mean, gauss_hermite, symbol
from gan_bifurcation.facts import DomainBound, Equilibrium, Symmetry
from gan_bifurcation.game import Game, Player
from gan_bifurcation.lowering import build
from gan_bifurcation.reports.equations import as_text
from gan_bifurcation.rules import (
    Alternating,
    Flow,
    Memory,
    Simultaneous,
    Update,
    rule_from_table,
    rule_to_table,
    system,
)

PSI, THETA, GAMMA = symbol("psi"), symbol("theta"), symbol("gamma")
RULES = [
    Flow(),
    Simultaneous(),
    Alternating(),
    Alternating(first="generator"),
    Alternating(discriminator_steps=3),
    Alternating(discriminator_steps=5, first="generator"),
]
GAMES: list[Callable[[], Game]] = [
    lambda: gb.models.dirac_gan(gamma=0.3),
    lambda: gb.models.dirac_gan(variant="non_saturating", gamma=0.3, sigma=0.7),
    lambda: gb.models.dirac_gan(variant="wgan", sigma=0.2),
    lambda: gb.models.bilinear(strength=1.5),
    lambda: gb.models.lq_gan(),
    lambda: gb.models.lq_gan(variant="wgan"),
]


def two_players(**changes: Any) -> Game:
    parts: dict[str, Any] = {
        "name": "damped",
        "discriminator": Player(("psi",), -THETA * PSI + GAMMA / 2 * PSI**2, "eta_d"),
        "generator": Player(("theta",), THETA * PSI, "eta_g"),
        "parameters": {"gamma": 0.3},
    }
    return Game(**{**parts, **changes})


@pytest.mark.parametrize("make", GAMES)
def test_every_game_conforms(make: Callable[[], Game]) -> None:
    gb.check_game(make())


@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize("make", GAMES)
def test_every_rule_conforms_on_every_game(make: Callable[[], Game], rule: Any) -> None:
    gb.check_rule(rule, make())


def test_the_check_finds_a_wrong_symmetry_equilibrium_or_derivative() -> None:
    with pytest.raises(MisuseError, match="does not commute with its symmetry 'mirror'"):
        gb.check_game(two_players(symmetries=(Symmetry("mirror", {"psi": (-1, "psi")}),)))
    with pytest.raises(MisuseError, match="known equilibrium 'wrong' of 'damped' is none: its residual is 1"):
        gb.check_game(two_players(equilibria=(Equilibrium("wrong", {"psi": sympy.S.One, "theta": GAMMA}),)))
    game = two_players()
    # A planted mistake in the cached field: the sign of one derivative.
    vars(game)["_field"] = {"psi": THETA - GAMMA * PSI, "theta": PSI}
    with pytest.raises(MisuseError, match="derivative of the loss of 'damped' by 'theta'"):
        gb.check_game(game)


def test_a_function_that_cannot_be_evaluated_is_refused() -> None:
    with pytest.raises(MisuseError, match="cannot be put on the tape"):
        gb.check_game(two_players(generator=Player(("theta",), sympy.gamma(THETA), "eta_g")))


def test_the_check_finds_a_rule_of_the_wrong_sign() -> None:
    @dataclass(frozen=True)
    class Ascent:
        def assemble(self, game: Game) -> Update:
            update = Simultaneous().assemble(game)
            back = tuple(2 * symbol(name) - moved for name, moved in zip(game.states, update.rhs, strict=True))
            return replace(update, rhs=back)

    with pytest.raises(MisuseError, match="do not move along their direction"):
        gb.check_rule(Ascent(), two_players())


def test_a_game_without_a_loss_moves_along_its_field() -> None:
    b, x = symbol("b"), symbol("x")
    game = Game.from_field(
        "pair", discriminator={"b": -b - x}, generator={"x": b}, equilibria=[Equilibrium("origin", {"b": 0, "x": 0})]
    )
    gb.check_game(game)
    # By hand: b + 0.1 (-1 - 2), x + 0.2 * 1.
    assert system(game, Simultaneous(), eta_g=0.2).rhs([1.0, 2.0]).tolist() == pytest.approx([0.7, 2.2])
    assert game.gradient()["b"] == b + x


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"generator": Player(("psi",), THETA * PSI, "eta_g")}, "uses the name 'psi' twice"),
        ({"generator": Player(("theta",), symbol("thetaa") * PSI, "eta_g")}, "Did you mean 'theta'"),
        ({"generator": Player(("theta",), sympy.Symbol("theta") * PSI, "eta_g")}, "not a real symbol"),
        ({"generator": Player(("theta",), None, "eta_g")}, "a loss for each player"),
        ({"parameters": {"gamma": math.nan}}, "finite number"),
        ({"parameters": {"gamma": "0.3"}}, "finite number"),
        ({"parameters": {"gamma": 0.3, "eta_d": 0.1}}, "a rate is not listed"),
        ({"parameters": {"gamma": 0.3, "psi__1": 0.1}}, "contains '__'"),
        ({"parameters": {"gamma": 0.3, "a b": 0.1}}, "letters, digits"),
        ({"name": "two words"}, "letters, digits"),
        ({"symmetries": (Symmetry("half turn", {"psy": (-1, "psy")}),)}, "Did you mean 'psi'"),
        ({"domain": (DomainBound("1 - thta", "far away"),)}, "Did you mean 'theta'"),
        ({"domain": (DomainBound("theta.real", "far away"),)}, "a dot after a name"),
        ({"equilibria": (Equilibrium("origin", {"psi": sympy.S.Zero}),)}, "lacks the state 'theta'"),
        ({"equilibria": (Equilibrium("origin", {"psi": sympy.S.Zero, "thet": sympy.S.Zero}),)}, "Did you mean 'theta'"),
        ({"equilibria": (Equilibrium("line", {"psi": PSI, "theta": sympy.S.Zero}),)}, "Unknown name"),
    ],
)
def test_an_inconsistent_game_is_refused_at_the_door(changes: dict[str, Any], part: str) -> None:
    with pytest.raises(MisuseError, match=part):
        two_players(**changes)


def test_a_random_variable_may_not_have_the_name_of_a_state() -> None:
    table = gauss_hermite("psi", 4)
    with pytest.raises(MisuseError, match="random variable 'psi'"):
        two_players(generator=Player(("theta",), Mean(THETA * PSI**2, table), "eta_g"))


def test_text_is_no_loss() -> None:
    with pytest.raises(MisuseError, match="text goes through parse"):
        Player(("theta",), "__import__('os')", "eta_g")
    with pytest.raises(MisuseError, match="tuple of states"):
        Player("theta", THETA, "eta_g")  # type: ignore[arg-type]


def test_a_game_from_text_is_the_game_from_symbols() -> None:
    tables = {
        "discriminator": {"states": ["psi"], "loss": "-theta*psi + gamma/2*psi**2"},
        "generator": {"states": ["theta"], "loss": "theta*psi"},
    }
    game = Game.from_strings(
        "damped",
        **tables,  # type: ignore[arg-type]
        parameters={"gamma": 0.3},
        symmetries={"half turn": {"psi": "-psi", "theta": "- theta"}},
        domain={"10 - abs(theta)": "the generator runs away"},
        equilibria={"origin": {}},
    )
    assert game.vector_field() == two_players().vector_field()
    assert game.symmetries[0].action == {"psi": (-1, "psi"), "theta": (-1, "theta")}
    gb.check_game(game)
    with pytest.raises(UnknownNameError, match="Did you mean 'loss'"):
        Game.from_strings("damped", discriminator={"states": ["psi"], "los": "psi"}, generator={"states": ["theta"]})
    with pytest.raises(MisuseError, match="a list of names"):
        Game.from_strings("damped", discriminator={"states": "psi", "loss": "psi"}, generator={"states": ["theta"]})


def test_a_generator_without_a_loss_plays_a_zero_sum_game() -> None:
    game = Game.from_strings(
        "zero_sum", discriminator={"states": ["y"], "loss": "-x*y + y**4"}, generator={"states": ["x"]}
    )
    x, y = symbol("x"), symbol("y")
    # By hand: y' = x - 4 y**3, x' = -(y) from the loss x y - y**4.
    assert game.vector_field() == {"y": x - 4 * y**3, "x": -y}


def test_symmetries_know_their_order_and_are_permutations() -> None:
    assert Symmetry("swap", {"x": (1, "y"), "y": (1, "x")}).order == 2
    assert Symmetry("cycle", {"x": (1, "y"), "y": (1, "z"), "z": (1, "x")}).order == 3
    assert Symmetry("odd cycle", {"x": (1, "y"), "y": (1, "z"), "z": (-1, "x")}).order == 6
    with pytest.raises(MisuseError, match="no signed permutation"):
        Symmetry("not onto", {"x": (1, "y"), "y": (1, "y")})
    with pytest.raises(MisuseError, match="no signed permutation"):
        Symmetry("scaled", {"x": (2, "x")})


def test_an_equilibrium_may_exist_only_for_some_parameters() -> None:
    r = symbol("r")
    game = Game.from_strings(
        "fork",
        discriminator={"states": ["y"], "loss": "y**2/2"},
        generator={"states": ["x"], "loss": "x**4/4 - r*x**2/2"},
        parameters={"r": -1.0},
    )
    branch = Equilibrium("pair", {"y": sympy.S.Zero, "x": sympy.sqrt(r)}, "r")
    flow = system(replace(game, equilibria=(branch, Equilibrium("origin", {"x": 0, "y": 0}))), Flow())
    # x = sqrt(r) exists for r >= 0 only.
    assert flow.equilibrium_guess() == pytest.approx([0.0, 0.0])
    assert flow.with_parameters(r=4.0).equilibrium_guess() == pytest.approx([0.0, 2.0])
    tied = gb.tie(flow, r="4*eta_d")
    assert tied.equilibrium_guess() == pytest.approx([0.0, 2.0])


# Update rules -------------------------------------------------------------------------------------------------------


def test_rules_from_tables_and_back() -> None:
    for rule in RULES:
        assert rule_from_table(rule_to_table(rule)) == rule
    assert rule_from_table("alternating") == Alternating()


@pytest.mark.parametrize(
    ("table", "part"),
    [
        ("alternate", "Did you mean 'alternating'"),
        ({"rule": "alternating", "discriminator_step": 5}, "Did you mean 'discriminator_steps'"),
        ({"rule": "alternating", "first": "discriminater"}, "Did you mean 'discriminator'"),
        ({"rule": "alternating", "discriminator_steps": 0}, "whole number"),
        ({"rule": "alternating", "discriminator_steps": 2.5}, "whole number"),
        ({"rule": "alternating", "discriminator_steps": True}, "whole number"),
        ({"rule": "alternating", "discriminator_steps": 10**9}, "whole number"),
        ({"rule": "flow", "steps": 1}, "There are none"),
        ({"discriminator_steps": 5}, "named by the key 'rule'"),
        ({"rule": 5}, "named by the key 'rule'"),
    ],
)
def test_a_wrong_table_is_refused(table: Any, part: str) -> None:
    with pytest.raises(MisuseError, match=part):
        rule_from_table(table)


@pytest.mark.parametrize(
    ("parameters", "part"),
    [
        ({"eta": 0.1}, "Did you mean 'eta_d'"),
        ({"gama": 0.1}, "Did you mean 'gamma'"),
        ({"gamma": math.nan}, "finite number"),
        ({"eta_d": math.inf}, "finite number"),
        ({"eta_d": "0.1"}, "finite number"),
        ({"eta_d": None}, "finite number"),
    ],
)
def test_a_wrong_parameter_is_refused(parameters: dict[str, Any], part: str) -> None:
    with pytest.raises(MisuseError, match=part):
        system(two_players(), Simultaneous(), **parameters)


def test_what_is_no_game_or_rule_is_refused() -> None:
    with pytest.raises(MisuseError, match="made from a Game"):
        system(gb.models.dirac_gan, Flow())
    with pytest.raises(MisuseError, match="A rule is a value"):
        system(two_players(), Simultaneous)  # type: ignore[arg-type]
    with pytest.raises(MisuseError, match="A rule is a value"):
        system(two_players(), 3)  # type: ignore[arg-type]


def test_steps_by_hand() -> None:
    # theta = psi = 1, gamma = 1/2, eta_d = 0.2, eta_g = 0.1; v_psi = theta - gamma psi, v_theta = -psi.
    def after(rule: Any) -> list[float]:
        return system(two_players(), rule, eta_d=0.2, eta_g=0.1, gamma=0.5).rhs([1.0, 1.0]).tolist()

    assert after(Flow()) == pytest.approx([0.2 * 0.5, 0.1 * -1.0])
    assert after(Simultaneous()) == pytest.approx([1.1, 0.9])
    assert after(Alternating()) == pytest.approx([1.1, 1 - 0.1 * 1.1])
    assert after(Alternating(first="generator")) == pytest.approx([1 + 0.2 * (0.9 - 0.5), 0.9])
    # Two steps of psi: 1.1, then 1.1 + 0.2 (1 - 0.55) = 1.19.
    assert after(Alternating(discriminator_steps=2)) == pytest.approx([1.19, 1 - 0.119])
    # The generator first: theta = 0.9, psi = 1.08, then 1.08 + 0.2 (0.9 - 0.54) = 1.152.
    assert after(Alternating(discriminator_steps=2, first="generator")) == pytest.approx([1.152, 0.9])


def test_many_steps_do_not_make_expressions_swell() -> None:
    counts = [system(gb.models.dirac_gan(), Alternating(discriminator_steps=k)).tape.operations for k in (1, 2, 4, 8)]
    # Each further step costs the same number of operations.
    assert counts[3] - counts[2] == 2 * (counts[2] - counts[1]) == 4 * (counts[1] - counts[0])


def test_the_cost_of_an_iteration_is_known() -> None:
    assert Alternating(discriminator_steps=5).assemble(two_players()).gradient_calls == (5, 1)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(0.01, 1.9), st.booleans())
def test_alternating_steps_keep_the_invariant_of_the_bilinear_game(
    psi: float, theta: float, eta: float, first: bool
) -> None:
    player = "discriminator" if first else "generator"
    steps = system(gb.models.bilinear(), Alternating(first=player), eta_d=eta, eta_g=eta)  # type: ignore[arg-type]
    jacobian = steps.jacobian([psi, theta])[:, :2]
    # Each player's step is a shear: the area is kept exactly.
    assert np.linalg.det(jacobian) == pytest.approx(1.0, rel=1e-13)
    # theta**2 + psi**2 -/+ eta theta psi (minus: generator first) as exact polynomials (dirac_and_rules.md C.1).
    sign = 1 if first else -1
    moved = steps.equations()
    eta_, strength = symbol("eta"), symbol("strength")
    conserved = THETA**2 + PSI**2 + sign * eta_ * THETA * PSI
    image = conserved.xreplace({THETA: moved["theta"], PSI: moved["psi"]})
    rates = {symbol("eta_d"): eta_, symbol("eta_g"): eta_, strength: sympy.S.One}
    assert sympy.expand(image.xreplace(rates) - conserved) == 0


def test_a_rule_with_memory_extends_symmetries_and_equilibria() -> None:
    """A rule as a user would write it: optimistic steps, with the memory of the last direction."""

    @dataclass(frozen=True)
    class Optimistic:
        def assemble(self, game: Game) -> Update:
            field = game.vector_field()
            memory = tuple(Memory(f"{name}_prev", name, symbol(name)) for name in game.states)
            before = {symbol(item.of): symbol(item.name) for item in memory}
            rate = {name: symbol(player.rate) for player in game.players for name in player.states}
            moved = tuple(symbol(n) + rate[n] * (2 * field[n] - field[n].xreplace(before)) for n in game.states)
            kept = tuple(symbol(name) for name in game.states)
            states = game.states + tuple(item.name for item in memory)
            return Update("map", states, (), moved + kept, dict.fromkeys(game.rates, 0.1), memory)

    game = gb.models.lq_gan(variant="wgan")
    gb.check_rule(Optimistic(), game)
    made = system(game, Optimistic())
    assert made.states == ("w", "a", "w_prev", "a_prev")
    assert made.symmetries[0].action == {"a": (-1, "a"), "a_prev": (-1, "a_prev")}
    # The memory rests at the state itself: (w, a) = (0, 1).
    assert made.equilibrium_guess() == pytest.approx([0.0, 1.0, 0.0, 1.0])
    bilinear = system(gb.models.bilinear(), Optimistic(), eta_d=0.5, eta_g=0.5)
    multipliers = np.linalg.eigvals(bilinear.jacobian(np.zeros(4))[:, :4])
    # Best step of optimistic descent-ascent on the bilinear game: A = 1/2 with spectral radius 1/sqrt(2) (C.4).
    assert np.abs(multipliers).max() == pytest.approx(1 / math.sqrt(2), rel=1e-7)


SMALL = [name for name in gb.models.names() if name not in ("kernel_gan", "functional_gan")]


@pytest.mark.parametrize("name", SMALL)
def test_printed_steps_of_every_model_say_what_the_steps_do(name: str) -> None:
    """The second player's expectations hold the first player's, whose random variables then have other names."""
    steps = system(gb.models.get(name)(), Alternating())
    moved = steps.equations()
    assert all(str(m) for m in moved.values())
    inputs = [*steps.states, *steps.parameters]
    state = np.linspace(0.3, 0.9, steps.n)
    shown = build((), list(moved.values()), inputs).evaluate([*state, *steps.parameter_vector()])
    # The same steps with every intermediate kept, on the system's own tape.
    assert shown == pytest.approx(steps.rhs(state).tolist(), rel=1e-12, abs=1e-14)
    assert f"{steps.states[-1]}+ =" in as_text(steps)[-1]


def test_an_expectation_may_stand_inside_another_one_if_it_depends_on_neither() -> None:
    x, eps = symbol("x"), symbol("eps")
    table = gauss_hermite("eps", 20)
    inner = Mean((x + eps) ** 2, table)  # x**2 + 1
    outer = Mean((symbol("y") + eps) ** 2, table).xreplace({symbol("y"): inner})
    # E (x^2 + 1 + eps)^2 = (x^2 + 1)^2 + 1, at x = 2: 26; the inner variable has another name.
    assert float(outer.xreplace({x: sympy.Integer(2)})) == pytest.approx(26.0, rel=1e-13)
    assert build((), [outer], ["x"]).evaluate([2.0])[0] == pytest.approx(26.0, rel=1e-13)
    assert "eps_1" in str(outer)
    with pytest.raises(MisuseError, match="product_table"):
        Mean(Mean(eps * symbol("z"), gauss_hermite("z", 3)) * eps, gauss_hermite("eps", 3))
