"""Systems as studies and the command line ask for them."""

import hashlib
import inspect
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from gan_bifurcation import models
from gan_bifurcation.derived import iterate, tie
from gan_bifurcation.errors import GanBifurcationError, MisuseError, StudyFileError, quoted, unknown_name
from gan_bifurcation.expressions import parse, symbol
from gan_bifurcation.game import Game
from gan_bifurcation.game_files import files_of_game, load_game
from gan_bifurcation.lowering import build
from gan_bifurcation.ranges import Range
from gan_bifurcation.rules import system as system_of
from gan_bifurcation.studies.schema import Study, SystemSpec
from gan_bifurcation.system import System
from gan_bifurcation.tape import Tape


def make_game(model: str, settings: Mapping[str, Any]) -> Game:
    """A model by its name, with settings checked against its signature.

    Raises
    ------
    UnknownNameError
        If the model or a setting is not known.
    MisuseError
        If the model refuses a value.
    """
    function: Callable[..., Game] = models.get(model)
    signature = inspect.signature(function)
    known = [p.name for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in signature.parameters.values()):
        for name in settings:
            if name not in known:
                raise unknown_name(f"setting of the model '{model}'", name, known)
    try:
        made = function(**settings)
    except GanBifurcationError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise MisuseError(f"The model '{model}' does not take these settings: {error}.") from error
    if not isinstance(made, Game):
        raise MisuseError(f"The model '{model}' returns no Game, but a {type(made).__name__}; return a gb.Game.")
    return made


# Results keep a copy of each game file, and these names for themselves.
_TAKEN = ("study.toml", "basins", "branches", "figures", "maps", "noise", "orbits", "parts", "tables", "tongues")


def game_path(spec: SystemSpec, folder: Path | None) -> Path:
    """Where the game file of a section lies: in the study's folder or below, so that a stranger's study reads no other.

    Raises
    ------
    MisuseError
    """
    if folder is None:
        raise MisuseError(f"The game {quoted(spec.game)} lies beside a study file, but this study is no file.")
    outside = Path(spec.game).is_absolute() or not (folder / spec.game).resolve().is_relative_to(folder.resolve())
    if not outside and Path(spec.game).parts[0] in _TAKEN:
        raise MisuseError(f"Results have files of the name '{Path(spec.game).parts[0]}'; rename the game {spec.game}.")
    if outside or Path(spec.game).suffix != ".toml":
        raise MisuseError(f"'game' is a .toml file in the study's folder or below, but got {quoted(spec.game)}.")
    return folder / spec.game


def make_system(spec: SystemSpec, game: Game | None = None, folder: Path | None = None) -> System:
    """The system of a section; of a game that was made for the same settings, if one is given."""
    if not spec.equations:
        if game is None:
            game = load_game(game_path(spec, folder)) if spec.game else make_game(spec.model, spec.settings)
            if spec.masses:
                from gan_bifurcation.regimes.noise_draws import sampled_masses

                game = sampled_masses(game, spec.masses)
        made = system_of(game, _rule(spec.rule), **spec.parameters)
    else:
        make = System.from_equations
        domain = tuple(spec.domain.items())
        made = make(
            "flow" if spec.kind == "flow" else "map", dict(spec.equations), dict(spec.parameters), domain=domain
        )
    if spec.tie:
        made = tie(made, **spec.tie)
    return iterate(made, spec.iterate) if spec.iterate > 1 else made


def _rule(given: Any) -> Any:
    return given if isinstance(given, str) else dict(given)


def all_systems(study: Study, folder: Path | None = None) -> dict[str, System]:
    """The systems of a study by name, each fault with the path of its section.

    Parameters
    ----------
    study : Study
    folder : path, optional
        Where its game files are.
    """
    made: dict[str, System] = {}
    games: dict[str, Game] = {}
    for name, spec in study.all_systems.items():
        # A game derives its gradients once, for all rules.
        same = repr((spec.model, spec.game, sorted(spec.settings.items()), sorted(spec.masses.items())))
        try:
            made[name] = make_system(spec, games.get(same), folder)
        except GanBifurcationError as error:
            where = f"systems.{name}" if name else "system"
            raise StudyFileError(f"In '{where}': {error}") from error
        game = made[name].game
        if game is not None:
            games[same] = game
    return made


def game_files(study: Study, folder: Path | None) -> dict[str, bytes]:
    """All files of a study's own games, by their names as seen from the study.

    Raises
    ------
    StudyFileError
        If one cannot be read.
    """
    found: dict[str, bytes] = {}
    for name, spec in study.all_systems.items():
        if not spec.game:
            continue
        try:
            for path in files_of_game(game_path(spec, folder)):
                assert folder is not None
                relative = path.resolve().relative_to(folder.resolve())
                if relative.parts[0] in _TAKEN:
                    raise MisuseError(f"Results have files of the name '{relative.parts[0]}'; rename {relative}.")
                found[relative.as_posix()] = path.read_bytes()
        except (GanBifurcationError, OSError) as error:
            raise StudyFileError(f"In '{f'systems.{name}' if name else 'system'}': {error}") from error
    return found


def digest_of_game(spec: SystemSpec, folder: Path | None) -> str:
    """What changes with the game file of a section or its samples; "" without one."""
    if not spec.game:
        return ""
    parts = [path.read_bytes() for path in files_of_game(game_path(spec, folder))]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def check_free(system: System, free: Mapping[str, Range]) -> None:
    """Refuse parameters that a system lacks, and windows outside its domain.

    Raises
    ------
    MisuseError
    """
    for name in free:
        system.parameter_index(name)
    if free:
        # What a study without windows need not load.
        from gan_bifurcation.continuation.set_window import Window
        from gan_bifurcation.regimes.window_check import check_window

        check_window(system, Window(dict(free)))


def evaluate(text: str | float, values: Mapping[str, float]) -> float:
    """A checked expression at numbers; nothing is run but arithmetic.

    >>> evaluate("sqrt(a) + 1", {"a": 4.0})
    3.0
    """
    if isinstance(text, int | float):
        return float(text)
    try:
        program = _program_of(text, values)
        return float(program.evaluate([float(values[name]) for name in program.inputs])[0])
    except (ValueError, ZeroDivisionError, OverflowError, TypeError) as error:
        if isinstance(error, GanBifurcationError):
            raise
        raise MisuseError(f"The expression '{text}' has no real value there ({error}).") from error


def _program_of(text: str, values: Mapping[str, float]) -> Tape:
    try:
        return _program(text, tuple(name for name in _words(text) if name in values))
    except MisuseError:
        # A name that is not known is said with the nearest of all that are.
        return _program(text, tuple(name for name in values if name.isidentifier()))


@lru_cache(maxsize=512)
def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(re.findall(r"[A-Za-z_]\w*", text)))


@lru_cache(maxsize=512)
def _program(text: str, names: tuple[str, ...]) -> Tape:
    """An expression as a tape: a claim tries the same one at every point of a curve."""
    return build([], [parse(text, {name: symbol(name) for name in names})], names)


def with_definitions(values: dict[str, float], study: Study) -> dict[str, float]:
    """The values and what the study defines by them, in order, as far as the names in a definition are there."""
    known = dict(values)
    for name, text in study.define.items():
        try:
            known[name] = evaluate(text, known)
        except GanBifurcationError:
            continue
    return known
