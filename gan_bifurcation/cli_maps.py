"""The commands that make a regime map and ask one."""

from pathlib import Path
from typing import Any

import click

from gan_bifurcation.cli_arguments import FREE, assignments, numbers, put_json, ranges, say, system_of, system_options
from gan_bifurcation.cli_folders import Folder
from gan_bifurcation.errors import MisuseError, unknown_name


@click.command("map")
@click.argument("model")
@system_options
@click.option("--free", "free", multiple=True, required=True, metavar=FREE, help="One or two free parameters.")
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
@click.option("--jobs", default=1, show_default=True, help="Processes for runs; the result does not depend on it.")
@click.option("--dask", default="", metavar="ADDRESS", help="Make the runs of regime maps on this Dask cluster.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder to save the map in, for `ask`; a killed run goes on from it.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def map_command(
    model: str, rule: str, settings: tuple[str, ...], values: tuple[str, ...], ties: tuple[str, ...],
    free: tuple[str, ...], steps: int, seed: int, attractors: int | None, box: tuple[str, ...],
    initial: tuple[str, ...], endings: tuple[str, ...], tolerance: float, depth: int, jobs: int, dask: str,
    out: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Divide a window of parameters into regimes, or go on with it."""
    from gan_bifurcation.regimes.regime import RegimeMap
    from gan_bifurcation.regimes.regime_map import regime_map
    from gan_bifurcation.studies.computing import inside
    from gan_bifurcation.studies.pools import pool

    made = system_of(model, rule, settings, values, ties)
    windows = ranges(free)
    for name in windows:
        made.parameter_index(name)
    made = inside(made, {}, windows)
    options: dict[str, Any] = {
        "steps": steps, "seed": seed, "attractors": attractors, "depth": depth, "tolerance": tolerance,
        "box": ranges(box, "--box") or None, "initial": numbers(initial, "--initial") or None,
        "endings": [(text, name) for name, text in assignments(endings, "--ending").items()],
    }  # fmt: skip
    begun = None if out is None else Folder(out, "map", made, {"free": windows, **options})
    rmap = None if begun is None else begun.finished(RegimeMap.load)
    if rmap is None:
        with pool(jobs, dask) as executor:
            work = None if out is None else out / "work"
            rmap = regime_map(made, windows, executor=executor, work=work, **options)
        if begun is not None:
            rmap.save(begun.folder)
            begun.finish("regimes", lambda figures: figures.regime_map(rmap, ax=figures.figure(aspect=0.95)[1]))
    if as_json:
        click.echo(rmap.to_json())
        return
    for face in rmap.faces:
        click.echo(repr(face)[1:-1])
        for a in face.attractors if rmap.sampler.samples else ():
            click.echo(f"  {a.id}: {a}, {100 * a.share:.3g} % ({100 * a.share_low:.3g} to {100 * a.share_high:.3g} %)")
    for border in rmap.borders:
        click.echo(repr(border)[1:-1])
    for note in rmap.notes:
        say(note)


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
    change; with --to what changes on the way; with --best the fastest convergence.
    """
    from gan_bifurcation.reports.answers import answers

    rmap = _saved_map(folder, name)
    found = answers(rmap, numbers(at, "--at") or None, verdict, to=numbers(to, "--to") or None, best=best)
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
