"""The command line. Results go to standard output, everything else to standard error."""

import gc
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from gan_bifurcation import __version__
from gan_bifurcation.errors import GanBifurcationError, MisuseError, unknown_name

# Modules that take long to import are imported inside commands: `gan-bifurcation --help` answers at once.

_CONTEXT: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_MISUSE: Final = 2
_INTERRUPTED: Final = 130
_FREE: Final = "NAME=LOW:HIGH[:log]"


class _Group(click.Group):
    """Commands by name, with the nearest name for one that is not there."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise unknown_name("command", args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)


@click.group(cls=_Group, context_settings=_CONTEXT)
@click.version_option(__version__, prog_name="gan-bifurcation")
def cli() -> None:
    """Numerical bifurcation analysis of GAN training: where it converges, oscillates or diverges."""


def main(arguments: list[str] | None = None) -> None:
    """Run a command: faults are one sentence on standard error and exit code 2, an interrupt is exit code 130."""
    given = sys.argv[1:] if arguments is None else arguments
    # What compiles and draws makes many objects that live: looking through all of them again took 7 % of the time.
    gc.set_threshold(50_000, 20, 50)
    try:
        code = cli.main(args=given, prog_name="gan-bifurcation", standalone_mode=False)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):
        _say(_how_to_go_on(given))
        code = _INTERRUPTED
    except GanBifurcationError as error:
        _say(str(error))
        code = _MISUSE
    except click.ClickException as error:
        _say(f"{error.format_message().rstrip('.')}. 'gan-bifurcation --help' lists commands and options.")
        code = _MISUSE
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does; there is nobody left to tell.
        sys.stderr.close()
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _how_to_go_on(given: list[str]) -> str:
    if given and given[0] == "run":
        return f"Interrupted; finished parts are kept, and the same command goes on: gan-bifurcation {' '.join(given)}"
    return "Interrupted; nothing was written."


def _say(text: str) -> None:
    click.echo(text, err=True)


def _json(data: Any) -> None:
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


def _assignments(pairs: tuple[str, ...], option: str) -> dict[str, str]:
    """``name=value`` words as a mapping."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals and value):
            raise MisuseError(f"{option} takes name=value, such as sigma=0.5, but got '{pair}'.")
        found[name.strip()] = value.strip()
    return found


def _numbers(pairs: tuple[str, ...], option: str) -> dict[str, float]:
    found = {}
    for name, value in _assignments(pairs, option).items():
        try:
            found[name] = float(value)
        except ValueError:
            raise MisuseError(f"{option} takes a number for '{name}', but got '{value}'.") from None
    return found


def _ranges(pairs: tuple[str, ...], option: str = "--free") -> dict[str, Any]:
    """``eta_d=0.01:1`` or ``eta_d=0.01:1:log`` as ranges."""
    from gan_bifurcation.ranges import Range

    found = {}
    for name, value in _assignments(pairs, option).items():
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


def _settings(pairs: tuple[str, ...]) -> dict[str, Any]:
    """Settings of a model: TOML values where they are, text otherwise."""
    import tomllib

    found: dict[str, Any] = {}
    for name, value in _assignments(pairs, "--setting").items():
        try:
            found[name] = tomllib.loads(f"x = {value}")["x"]
        except tomllib.TOMLDecodeError:
            found[name] = value
    return found


def _is_file(model: str) -> bool:
    """Whether a game file is meant and not a model's name."""
    return model.endswith(".toml")


def _game(model: str, settings: tuple[str, ...] = ()) -> Any:
    if _is_file(model):
        from gan_bifurcation.game_files import load_game

        if settings:
            raise MisuseError(f"--setting belongs to a model; the parameters of the game '{model}' are given by --set.")
        return load_game(model)
    from gan_bifurcation.studies.systems import make_game

    return make_game(model, _settings(settings))


def _system(model: str, rule: str, settings: tuple[str, ...], values: tuple[str, ...], ties: tuple[str, ...]) -> Any:
    from gan_bifurcation.derived import tie
    from gan_bifurcation.rules import system

    made = system(_game(model, settings), rule, **_numbers(values, "--set"))
    return tie(made, **_assignments(ties, "--tie")) if ties else made


def _system_options(command: Callable[..., Any]) -> Callable[..., Any]:
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
            help="The update rule: flow, simultaneous, alternating, extragradient, optimistic, momentum, implicit, ...",
        ),
    ):
        command = option(command)
    return command


# -- commands -------------------------------------------------------------------------------------------------------


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def models(as_json: bool) -> None:
    """List the models, each with one sentence and the keys of its papers."""
    from gan_bifurcation import models as shipped
    from gan_bifurcation.reports.facts import first_sentence

    found = {}
    for name in shipped.names():
        try:
            function = shipped.get(name)
            paper = _game(name).paper
        except GanBifurcationError as error:
            # One package of somebody else does not keep the others from being listed.
            _say(str(error))
            continue
        found[name] = {
            "description": first_sentence(function),
            "paper": paper.partition("{")[2].partition(",")[0] or paper,
        }
    for problem in shipped.problems():
        _say(problem)
    if as_json:
        _json(found)
        return
    width = max(len(name) for name in found)
    for name, entry in found.items():
        click.echo(f"{name:<{width}}  {entry['description']}" + (f" [{entry['paper']}]" if entry["paper"] else ""))


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def studies(as_json: bool) -> None:
    """List the studies that ship, each with its title; `gan-bifurcation run NAME` runs one."""
    from gan_bifurcation.studies.reading import read_study, shipped_studies

    titles = {name: read_study(name).study.title for name in shipped_studies()}
    if as_json:
        _json(titles)
        return
    width = max(len(name) for name in titles)
    for name, title in titles.items():
        click.echo(f"{name:<{width}}  {title}")


@cli.command()
@click.argument("model")
@_system_options
@click.option("--latex", is_flag=True, help="Equations in LaTeX.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(
    model: str,
    rule: str,
    settings: tuple[str, ...],
    values: tuple[str, ...],
    ties: tuple[str, ...],
    latex: bool,
    as_json: bool,
) -> None:
    """Show a model (or a game file): equations under an update rule, parameters, and what is known of it."""
    from gan_bifurcation.reports.facts import about, as_lines

    made = _system(model, rule, settings, values, ties)
    known = about(made, "" if _is_file(model) else model, latex)
    if as_json:
        _json(known)
        return
    for line in as_lines(known):
        click.echo(line)


@cli.command()
@click.argument("study")
@click.option(
    "--out", type=click.Path(path_type=Path), default=None, help="Folder of the results; the study's name by default."
)
@click.option("--jobs", type=int, default=None, help="Processes; as many as there are processors by default.")
@click.option("--dask", default="", metavar="ADDRESS", help="Make the runs of regime maps on this Dask cluster.")
@click.option("--report/--no-report", "with_report", default=True, help="Whether to write report.html and report.md.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def run(study: str, out: Path | None, jobs: int | None, dask: str, with_report: bool, as_json: bool) -> None:
    """Run a study (a TOML file, or the name of a shipped one), or go on with it."""
    from gan_bifurcation.studies.pools import pool
    from gan_bifurcation.studies.running import run_study

    jobs = min(os.cpu_count() or 1, 8) if jobs is None else jobs
    with pool(1, dask) as executor, _bars() as report:
        results = run_study(study, out, jobs, report, executor)
    if with_report:
        from gan_bifurcation.reports.writing import write_report

        _say("Writing the report.")
        write_report(results, results.folder, jobs)
    agree = sum(c.agrees for c in results.claims)
    _say(f"Done: {len(results.summary['parts'])} parts, {agree} of {len(results.claims)} claims agree.")
    if as_json:
        _json(_of_results(results))
    else:
        click.echo(str(results.folder / "report.html" if with_report else results.folder))


def _of_results(results: Any) -> dict[str, Any]:
    return {
        "folder": str(results.folder),
        "title": results.title,
        "parts": results.summary["parts"],
        "claims": results.summary["claims"],
        "special_points": {
            name: [_of_point(p) for p in branch.special_points]
            for name, branch in {**results.branches, **results.curves}.items()
        },
    }


def _of_point(point: Any) -> dict[str, Any]:
    return {
        "name": point.name,
        "label": point.label,
        "criticality": point.criticality,
        "parameters": {k: point.parameters[k] for k in point.free},
        **_turning(point),
    }


def _turning(point: Any) -> dict[str, float]:
    """The period of a cycle or the rotation number of a circle."""
    if point.profile is None:
        return {}
    return {"period": point.period} if point.kind == "cycle" else {"rotation_number": point.rotation_number}


@contextmanager
def _bars() -> Iterator[Callable[[Any], None]]:
    """A bar for the parts and one for the part at work, on standard error; lines where that is no terminal."""
    if not sys.stderr.isatty():

        def line(progress: Any) -> None:
            if progress.event == "done":
                _say(f"[{progress.done}/{progress.total}] {progress.part}")
            elif progress.event == "note":
                _say(progress.text)

        yield line
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # No thread of its own: a process with threads is not forked.
    with Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as bars:
        whole = bars.add_task("study", total=None)
        inner = bars.add_task("", total=100, visible=False)

        def show_bar(progress: Any) -> None:
            if progress.event == "note":
                bars.console.print(progress.text)
            bars.update(whole, completed=progress.done, total=progress.total, description=progress.part or "study")
            bars.update(
                inner, completed=100 * progress.fraction, visible=progress.event == "within", description=progress.text
            )
            bars.refresh()

        yield show_bar


@cli.command()
@click.argument("model")
@_system_options
@click.option(
    "--free",
    "free",
    multiple=True,
    required=True,
    metavar="NAME=LOW:HIGH[:log]",
    help="One free parameter, or two with --from.",
)
@click.option(
    "--from",
    "begin",
    default="",
    metavar="LABEL",
    help="Two free parameters: the special point of the first one's branch.",
)
@click.option(
    "--switch",
    "switches",
    multiple=True,
    metavar="LABEL",
    help="Go on to what begins at this special point: cycles at H1, circles at NS1, ...; again for a point of those.",
)
@click.option(
    "--orbit",
    "initial",
    multiple=True,
    metavar="STATE=NUMBER",
    help="Begin at the cycle or circle that a run from this state settles on.",
)
@click.option(
    "--length",
    type=float,
    default=None,
    help="With --orbit: steps of the run (20000), of a flow its duration (1000).",
)
@click.option(
    "--figure", type=click.Path(path_type=Path), default=None, help="Write a figure (SVG and PNG) under this name."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def trace(
    model: str, rule: str, settings: tuple[str, ...], values: tuple[str, ...], ties: tuple[str, ...],
    free: tuple[str, ...], begin: str, switches: tuple[str, ...], initial: tuple[str, ...], length: float | None,
    figure: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Trace the model's equilibrium over a parameter, what begins at its special points, or their curve over two."""
    from gan_bifurcation.continuation.equilibria import point
    from gan_bifurcation.continuation.trace import trace as follow
    from gan_bifurcation.studies.beginnings import begin_at, begin_on
    from gan_bifurcation.studies.computing import inside, settle

    windows = _ranges(free)
    if len(windows) > 2 or (len(windows) == 2) != bool(begin):
        raise MisuseError(
            "Give one --free for a branch; for a curve give two, and --from with the label where it begins: --from NS1."
        )
    made = _system(model, rule, settings, values, ties)
    for name in windows:
        made.parameter_index(name)
    made = inside(made, {}, windows)
    first = dict([next(iter(windows.items()))])
    if initial:
        branches = [follow(begin_on(settle(made, _numbers(initial, "--orbit"), length)), first)]
    elif length is not None:
        raise MisuseError("--length belongs to --orbit, the state that a run begins at; give both or neither.")
    else:
        branches = [follow(point(made), first)]
    for label in switches:
        branches.append(follow(begin_at(branches[-1][label]), first))
    found = follow(branches[-1][begin], windows) if begin else branches[-1]
    if figure is not None:
        from gan_bifurcation import figures

        drawn, ax = figures.figure()
        if (switches or initial) and not begin:
            figures.bifurcation_diagram(branches, ax=ax)
        else:
            (figures.bifurcation_set if begin else figures.spectral_radius)(found, ax=ax)
        figures.save(drawn, figure)
    if as_json:
        columns = {name: found.column(name) for name in (*found.free, *(found.measures if found.profiles else ()))}
        _json({
            "curve": found.curve, "points": columns, "unstable": found.unstable,
            "special_points": [_of_point(p) for p in found.special_points],
            "outcome": [o.message for o in found.outcome],
        })  # fmt: skip
        return
    click.echo(f"{len(found)} points of {found.curve} over {', '.join(found.free)}")
    for p in found.special_points:
        where = ", ".join(f"{k} = {p.parameters[k]:.10g}" for k in found.free)
        more = [f"{k.replace('_', ' ')} {v:.10g}" for k, v in _turning(p).items()]
        words = ", ".join([*more, *([p.criticality] if p.criticality else [])])
        click.echo(f"  {p.name:<6} {where}" + (f"  ({words})" if words else ""))
    for outcome in found.outcome:
        click.echo(f"  {outcome.message}")


@cli.command("map")
@click.argument("model")
@_system_options
@click.option("--free", "free", multiple=True, required=True, metavar=_FREE, help="One or two free parameters.")
@click.option("--steps", default=2000, show_default=True, help="Iterations of a run; of a flow its duration.")
@click.option("--seed", default=0, show_default=True)
@click.option(
    "--attractors", type=int, default=None, metavar="N", help="Initial conditions in each regime: all that they end in."
)
@click.option(
    "--box", "box", multiple=True, metavar="STATE=LOW:HIGH", help="Where initial conditions and equilibria are sought."
)
@click.option(
    "--depth", default=0, show_default=True, help="Flips in a row whose curves are borders; 1 adds curves of cycles."
)
@click.option("--jobs", default=1, show_default=True, help="Processes for runs; the result does not depend on it.")
@click.option("--dask", default="", metavar="ADDRESS", help="Make the runs of regime maps on this Dask cluster.")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Folder to save the map in, for `ask`.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def map_command(
    model: str, rule: str, settings: tuple[str, ...], values: tuple[str, ...], ties: tuple[str, ...],
    free: tuple[str, ...], steps: int, seed: int, attractors: int | None, box: tuple[str, ...], depth: int, jobs: int,
    dask: str, out: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Divide a window of parameters into regimes."""
    from gan_bifurcation.regimes.regime_map import regime_map
    from gan_bifurcation.studies.computing import inside
    from gan_bifurcation.studies.pools import pool

    made = _system(model, rule, settings, values, ties)
    windows = _ranges(free)
    for name in windows:
        made.parameter_index(name)
    with pool(jobs, dask) as executor:
        rmap = regime_map(
            inside(made, {}, windows), windows, steps=steps, seed=seed, attractors=attractors, depth=depth,
            box=_ranges(box, "--box") or None, executor=executor,
        )  # fmt: skip
    if out is not None:
        from gan_bifurcation import figures

        rmap.save(out)
        drawn, ax = figures.figure(aspect=0.95)
        figures.regime_map(rmap, ax=ax)
        figures.save(drawn, out / "regimes")
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
        _say(note)


@cli.command()
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
    found = answers(rmap, _numbers(at, "--at") or None, verdict, to=_numbers(to, "--to") or None, best=best)
    if as_json:
        _json(found)
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


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--columns", default="", metavar="NAMES", help="Names of columns, separated by commas; all by default.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def judge(file: Path, columns: str, as_json: bool) -> None:
    """Judge a recorded training run (a CSV file of losses or parameters): converging, rotating, diverging, ..."""
    from gan_bifurcation.regimes.recorded import judge as judged

    found = judged(file, [name.strip() for name in columns.split(",") if name.strip()] or None)
    if as_json:
        _json(found.to_dict())
    else:
        click.echo(f"{found.message} Confidence {found.confidence:.2f}, from {found.samples} samples.")


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
def report(folder: Path) -> None:
    """Write report.html and report.md of a folder of results again."""
    from gan_bifurcation.reports.writing import write_report
    from gan_bifurcation.studies.results import load

    click.echo(str(write_report(load(folder), folder)))


@cli.command()
@click.argument("model")
def cite(model: str) -> None:
    """Print the BibTeX entries of a model's papers."""
    from gan_bifurcation import models as shipped

    keys = _game(model).paper
    if not keys:
        raise MisuseError(f"The model '{model}' is of no paper.")
    click.echo(shipped.citation(keys))


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def doctor(as_json: bool) -> None:
    """Check that what is installed works: versions, compiled kernels, a small branch against its closed form."""
    from gan_bifurcation.studies.checkup import checkup

    checks = checkup()
    if as_json:
        _json([{"check": c.name, "ok": c.ok, "text": c.text} for c in checks])
    else:
        for c in checks:
            click.echo(f"{'ok ' if c.ok else 'BAD'} {c.name}: {c.text}")
    if not all(c.ok for c in checks):
        raise click.exceptions.Exit(1)


if __name__ == "__main__":
    main()
