"""What the commands share: reading arguments, and writing results to standard output and all else to standard error."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from gan_bifurcation.errors import MisuseError

FREE: Final = "NAME=LOW:HIGH[:log]"
start_option = click.option(
    "--start",
    "start",
    multiple=True,
    metavar="STATE=NUMBER",
    help="Near which equilibrium to begin; the known one by default.",
)


def say(text: str) -> None:
    click.echo(text, err=True)


def put_json(data: Any) -> None:
    click.echo(json.dumps(data, indent=1, default=_plain, allow_nan=True))


def _plain(value: Any) -> Any:
    if isinstance(value, complex):
        return {"re": value.real, "im": value.imag}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Path):
        return str(value)
    return value.tolist()


# -- reading arguments ----------------------------------------------------------------------------------------------


def assignments(pairs: tuple[str, ...], option: str) -> dict[str, str]:
    """``name=value`` words as a mapping."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals and value):
            raise MisuseError(f"{option} takes name=value, such as sigma=0.5, but got '{pair}'.")
        if name.strip() in found:
            raise MisuseError(f"{option} has two values for '{name.strip()}'; give it once.")
        found[name.strip()] = value.strip()
    return found


def numbers(pairs: tuple[str, ...], option: str) -> dict[str, float]:
    found = {}
    for name, value in assignments(pairs, option).items():
        try:
            found[name] = float(value)
        except ValueError:
            raise MisuseError(f"{option} takes a number for '{name}', but got '{value}'.") from None
    return found


def ranges(pairs: tuple[str, ...], option: str = "--free") -> dict[str, Any]:
    """``eta_d=0.01:1`` or ``eta_d=0.01:1:log`` as ranges."""
    from gan_bifurcation.ranges import Range

    found = {}
    for name, value in assignments(pairs, option).items():
        words = value.split(":")
        if len(words) not in (2, 3) or (len(words) == 3 and words[2] != "log"):
            raise MisuseError(f"{option} takes name=low:high or name=low:high:log, but got '{name}={value}'.")
        try:
            low, high = float(words[0]), float(words[1])
        except ValueError:
            raise MisuseError(f"{option} takes two numbers for '{name}', but got '{value}'.") from None
        try:
            found[name] = Range(low, high, log=len(words) == 3)
        except MisuseError as error:
            raise MisuseError(f"For '{name}': {error}") from error
    return found


def _settings(pairs: tuple[str, ...], option: str = "--setting") -> dict[str, Any]:
    """Settings of a model or rule: TOML values where they are, text otherwise."""
    import tomllib

    found: dict[str, Any] = {}
    for name, value in assignments(pairs, option).items():
        try:
            found[name] = tomllib.loads(f"x = {value}")["x"]
        except (tomllib.TOMLDecodeError, RecursionError):
            found[name] = value
    return found


def is_file(model: str) -> bool:
    """Whether a game file is meant and not a model's name."""
    return model.endswith(".toml")


def game_of(model: str, settings: tuple[str, ...] = ()) -> Any:
    if is_file(model):
        from gan_bifurcation.game_files import load_game

        if settings:
            raise MisuseError(f"--setting belongs to a model; the parameters of the game '{model}' are given by --set.")
        return load_game(model)
    from gan_bifurcation.studies.systems import make_game

    return make_game(model, _settings(settings))


def _rule(text: str) -> Any:
    """``alternating`` or ``alternating,discriminator_steps=5`` as a rule."""
    from gan_bifurcation.rules import rule_from_table

    name, *settings = text.split(",")
    return rule_from_table({"rule": name.strip(), **_settings(tuple(settings), "--rule")})


@dataclass(frozen=True)
class Asked:
    """The system that a command is about: a model or a game file under a rule, with what its options say of both."""

    model: str
    rule: str
    settings: tuple[str, ...]
    values: tuple[str, ...]
    ties: tuple[str, ...]

    def system(self, masses: Mapping[str, list[str]] | None = None) -> Any:
        """The system; with the `masses` of its terms, of the sampled form of its game."""
        from gan_bifurcation.derived import tie
        from gan_bifurcation.rules import system

        game = game_of(self.model, self.settings)
        if masses:
            from gan_bifurcation.regimes.noise_draws import sampled_masses

            game = sampled_masses(game, masses)
        made = system(game, _rule(self.rule), **numbers(self.values, "--set"))
        return tie(made, **assignments(self.ties, "--tie")) if self.ties else made


def about_system(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command's argument MODEL and the options that make it a system; the command gets them as `Asked`."""

    @wraps(command)
    def asking(
        model: str, rule: str, settings: tuple[str, ...], values: tuple[str, ...], ties: tuple[str, ...], **others: Any
    ) -> Any:
        return command(Asked(model, rule, settings, values, ties), **others)

    asked = asking
    for option in (
        click.option(
            "--tie", "ties", multiple=True, metavar="NAME=EXPRESSION", help="Tie a parameter, as eta_g=eta_d."
        ),
        click.option(
            "--set", "values", multiple=True, metavar="NAME=NUMBER", help="A parameter's value, as sigma=0.5."
        ),
        click.option(
            "--setting", "settings", multiple=True, metavar="NAME=VALUE", help="A setting of the model, as points=2."
        ),
        click.option(
            "--rule",
            default="simultaneous",
            show_default=True,
            metavar="NAME[,SETTING=VALUE]",
            help="The update rule: flow, simultaneous, alternating, extragradient, optimistic, momentum, implicit, "
            "...; with settings as alternating,discriminator_steps=5.",
        ),
        click.argument("model"),
    ):
        asked = option(asked)
    return asked
