"""The commands that make a regime map and ask one."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from gan_bifurcation.cli_arguments import (
    FREE,
    Asked,
    about_system,
    assignments,
    numbers,
    put_json,
    ranges,
    say,
    start_option,
)
from gan_bifurcation.cli_folders import Making, making
from gan_bifurcation.errors import MisuseError, unknown_name


@click.command("map")
@about_system
@click.option("--free", "free", multiple=True, required=True, metavar=FREE, help="One or two free parameters.")
@click.option(
    "--over", default="", metavar="NAME=V,V,...", help="One map at each of these values of a third parameter."
)
@start_option
@click.option("--steps", default=2000, show_default=True, help="Iterations of a run; of a flow its duration.")
@click.option("--seed", default=0, show_default=True)
@click.option(
    "--attractors", type=int, default=None, metavar="N", help="Initial conditions in each regime: all that they end in."
)
@click.option(
    "--box", "box", multiple=True, metavar="STATE=LOW:HIGH", help="Where initial conditions and equilibria are sought."
)
@click.option(
    "--initial",
    "initial",
    multiple=True,
    metavar="STATE=NUMBER",
    help="Where runs start: the map is that of this start.",
)
@click.option(
    "--ending", "endings", multiple=True, metavar="NAME=EXPRESSION",
    help="What is no success, and where: 'mode collapse=0.01 - abs(mu1 - mu2)' where that is positive.",
)  # fmt: skip
@click.option("--tolerance", default=1e-4, show_default=True, help="Of borders, as a part of the window.")
@click.option(
    "--depth",
    default=0,
    show_default=True,
    help="Flips in a row whose curves are borders; 1 adds those of cycles and circles.",
)
@making
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def map_command(
    asked: Asked, making: Making, free: tuple[str, ...], over: str, start: tuple[str, ...], steps: int, seed: int,
    attractors: int | None, box: tuple[str, ...], initial: tuple[str, ...], endings: tuple[str, ...],
    tolerance: float, depth: int, as_json: bool,
) -> None:  # fmt: skip
    """Divide a window of parameters into regimes, or go on with it."""
    from gan_bifurcation.regimes.regime import RegimeMap
    from gan_bifurcation.regimes.regime_map import regime_map
    from gan_bifurcation.studies.computing import guess, inside

    made = asked.system()
    windows = ranges(free)
    for name in windows:
        made.parameter_index(name)
    made = inside(made, {}, windows)
    options: dict[str, Any] = {
        "steps": steps, "seed": seed, "attractors": attractors, "depth": depth, "tolerance": tolerance,
        "box": ranges(box, "--box") or None, "initial": numbers(initial, "--initial") or None,
        "start": guess(made, numbers(start, "--start") or None),
        "endings": [(text, name) for name, text in assignments(endings, "--ending").items()],
    }  # fmt: skip
    if over:
        _make_slices(made, windows, _slices(over), options, making, as_json)
        return
    rmap = making.result(
        "map", made, {"free": windows, **options}, partial(regime_map, made, windows, **options), RegimeMap.load,
        "regimes", lambda figures, found: figures.regime_map(found, ax=figures.figure(aspect=0.95)[1]),
    )  # fmt: skip
    if as_json:
        click.echo(rmap.to_json())
        return
    _put(rmap)


def _put(rmap: Any) -> None:
    for face in rmap.faces:
        click.echo(repr(face)[1:-1])
        for a in face.attractors if rmap.sampler.samples else ():
            click.echo(f"  {a.id}: {a}, {100 * a.share:.3g} % ({100 * a.share_low:.3g} to {100 * a.share_high:.3g} %)")
    for border in rmap.borders:
        click.echo(repr(border)[1:-1])
    for note in rmap.notes:
        say(note)


def _slices(text: str) -> dict[str, list[float]]:
    """``sigma=0.3,0.5`` as a parameter and its values."""
    ((name, values),) = assignments((text,), "--over").items()
    try:
        return {name: [float(v) for v in values.split(",")]}
    except ValueError:
        raise MisuseError(f"--over takes numbers, as sigma=0.3,0.5,0.7, but got '{text}'.") from None


def _make_slices(
    made: Any, windows: dict[str, Any], over: dict[str, list[float]], options: dict[str, Any], making: Making,
    as_json: bool,
) -> None:  # fmt: skip
    from gan_bifurcation.regimes.stack import RegimeStack, regime_stack

    stack = making.result(
        "stack", made, {"free": windows, "over": over, **options},
        partial(regime_stack, made, windows, over, **options), RegimeStack.load,
        "slices", lambda figures, found: figures.slices(found),
    )  # fmt: skip
    if as_json:
        click.echo(stack.to_json())
        return
    for value, rmap in zip(stack.values, stack.maps, strict=True):
        click.echo(_title(stack, value))
        _put(rmap)
    _put_regimes(stack)


def _title(stack: Any, value: float) -> str:
    """Which slice, and how its regimes are numbered in the block and its figure."""
    place = next(k for k, rmap in enumerate(stack.maps) if rmap is stack.at(value))
    own = [face.number for face in stack.maps[place].faces]
    pairs = ", ".join(f"{a} is {b}" for a, b in zip(own, stack.regimes[place], strict=True) if a != b)
    return f"{stack.name} = {value:g}" + (f" (in the block regime {pairs})" if pairs else "")


def _put_regimes(stack: Any) -> None:
    """Which faces of the slices are one regime, and how much of the block it fills."""
    for number, part in stack.volumes().items():
        faces = [
            (f, value)
            for value, rmap, own in zip(stack.values, stack.maps, stack.regimes, strict=True)
            for f, n in zip(rmap.faces, own, strict=True)
            if n == number
        ]
        detail = f" ({faces[0][0].detail})" if faces[0][0].detail else ""
        where = ", ".join(f"{value:g}" for _, value in faces)
        click.echo(
            f"regime {number} of the block: {faces[0][0].verdict}{detail}, {100 * part:.3g} % of it, "
            f"at {stack.name} = {where}"
        )


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--at", "at", multiple=True, metavar="NAME=NUMBER", help="A point of the window; once for each parameter."
)
@click.option(
    "--to", "to", multiple=True, metavar="NAME=NUMBER", help="Another point: what changes on the way there from --at."
)
@click.option("--best", is_flag=True, help="Where training converges fastest.")
@click.option("--map", "name", default="", help="Which map of a study; the first one by default.")
@click.option("--verdict", default="converges", show_default=True, help="For the circle and the change.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def ask(
    folder: Path, at: tuple[str, ...], to: tuple[str, ...], best: bool, name: str, verdict: str, as_json: bool
) -> None:
    """Ask a saved regime map: the largest safe circle; with --at the regime there, the nearest border and the smallest
    change; with --to what changes on the way; with --best the fastest convergence. Slices made with --over answer one
    by one, or the one that --at names.
    """
    from gan_bifurcation.reports.answers import answers

    here, there = numbers(at, "--at"), numbers(to, "--to")
    if not (folder / "stack.json").exists():
        found = answers(_saved_map(folder, name), here or None, verdict, to=there or None, best=best)
        _put_answers(found, as_json)
        return
    from gan_bifurcation.regimes.stack import RegimeStack

    stack = RegimeStack.load(folder)
    value = here.pop(stack.name, None)
    if there.pop(stack.name, value) != value:
        raise MisuseError(f"A way lies in one slice: name the same {stack.name} in --at and --to, or none.")
    told = {}
    for where in stack.values if value is None else (value,):
        rmap = stack.at(where)
        told[_title(stack, where)] = answers(rmap, here or None, verdict, to=there or None, best=best)
    if as_json:
        put_json(told)
        return
    for title, found in told.items():
        click.echo(title)
        _put_answers(found, as_json)
    if value is None:
        _put_regimes(stack)


def _put_answers(found: dict[str, dict[str, Any]], as_json: bool) -> None:
    if as_json:
        put_json(found)
        return
    for entry in found.values():
        click.echo(entry["text"])


def _saved_map(folder: Path, name: str) -> Any:
    from gan_bifurcation.regimes.regime import RegimeMap
    from gan_bifurcation.studies.results import load

    if (folder / "map.json").exists():
        return RegimeMap.load(folder)
    results = load(folder)
    names = results.names("map")
    if not names:
        raise MisuseError(f"The study in '{folder}' has no regime map to ask; add a [[map]] to it.")
    if name and name not in names:
        raise unknown_name("map", name, names)
    return results[name or names[0]]
