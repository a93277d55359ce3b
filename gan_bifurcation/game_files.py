"""Games from files: a person's own game as TOML text, parsed safely, with samples from files beside it."""

import csv
import io
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from tokenize import TokenError
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.errors import GanBifurcationError, MisuseError, quoted, unknown_name
from gan_bifurcation.expressions import NodeTable, gauss_hermite, gauss_legendre, sample_table
from gan_bifurcation.game import Game

__all__ = ["files_of_game", "load_game"]

_MOST_BYTES: Final = 1 << 20
_MOST_DATA: Final = 32 << 20
_KEYS: Final[Mapping[str, type]] = {
    "name": str, "description": str, "paper": str, "why_not_smooth": str, "discriminator": dict, "generator": dict,
    "parameters": dict, "random": list, "symmetries": dict, "equilibria": dict, "domain": dict, "projection": dict,
    "endings": dict,
}  # fmt: skip
_RANDOM_KEYS: Final = ("variables", "rule", "nodes", "low", "high", "sample", "file")
_SOURCES: Final = ("rule", "sample", "file")


def load_game(path: str | Path) -> Game:
    """A game from a TOML file; nothing in the file is ever run.

    Parameters
    ----------
    path : path
        Of the file. Samples that it names lie in its folder or below, as ``.csv`` or ``.npy``.

    Returns
    -------
    Game

    Raises
    ------
    MisuseError
        If the file cannot be read, or something in it is not as it should be; one sentence says what.

    Notes
    -----
    Keys: ``name``, ``description``, ``paper``; ``[discriminator]`` and ``[generator]`` with ``states`` and ``loss`` (a
    generator without one descends minus the discriminator's); ``[parameters]``; ``[[random]]`` with ``variables`` and
    one of ``rule`` ("gauss_hermite" or "gauss_legendre", with ``nodes``, and ``low`` and ``high`` for the second),
    ``sample`` or ``file``; ``[symmetries.NAME]``, ``[equilibria.NAME]``, ``[domain]``, ``[projection]`` and
    ``[endings]``.

    Examples
    --------
    >>> import tempfile
    >>> text = '''
    ... name = "noisy"
    ... discriminator = {states = ["psi"], loss = "-mean(tanh(psi*(theta + s*eps))) + psi**2/2"}
    ... generator = {states = ["theta"]}
    ... parameters = {s = 0.5}
    ... random = [{variables = ["eps"], rule = "gauss_hermite", nodes = 20}]
    ... '''
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "noisy.toml"
    ...     _ = path.write_text(text)
    ...     game = load_game(path)
    >>> game.states, game.parameters
    (('psi', 'theta'), {'s': 0.5})
    """
    where = Path(path)
    table = _read(where)
    shown = quoted(where.name)
    try:
        random = [_random(entry, number, where.parent) for number, entry in enumerate(table.get("random", []), 1)]
        _check_tables(table)
        return Game.from_strings(
            str(table.get("name") or where.stem.replace("-", "_")),
            **{key: table[key] for key in _KEYS if key in table and key not in ("name", "random")},
            random=random,
        )
    except GanBifurcationError as error:
        raise MisuseError(f"In the game file {shown}: {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise MisuseError(f"The game file {shown} holds a value of a wrong kind: {error}.") from error


def files_of_game(path: str | Path) -> list[Path]:
    """The file of a game and those of its samples, which together are the whole game."""
    where = Path(path)
    entries = [e for e in _read(where).get("random", []) if isinstance(e, dict)]
    try:
        return [where, *(_inside(where.parent, e["file"]) for e in entries if "file" in e)]
    except MisuseError as error:
        raise MisuseError(f"In the game file {quoted(where.name)}: {error}") from error


def _read(path: Path) -> dict[str, Any]:
    shown = quoted(path.name)
    text = _bytes_of(path, _MOST_BYTES, "game file")
    try:
        table = tomllib.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise MisuseError(f"The game file {shown} is no text in UTF-8 (byte {error.start}).") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise MisuseError(f"The game file {shown} is not valid TOML: {str(error) or 'nested too deeply'}.") from error
    for key, value in table.items():
        if key not in _KEYS:
            raise MisuseError(f"In the game file {shown}: {unknown_name('key', key, _KEYS)}")
        if not isinstance(value, _KEYS[key]):
            kinds: dict[type, str] = {str: "text", dict: "a table", list: "a list of tables"}
            raise MisuseError(f"In the game file {shown}: '{key}' is {kinds[_KEYS[key]]}, got {quoted(repr(value))}.")
    for key in ("discriminator", "generator"):
        if key not in table:
            raise MisuseError(f"The game file {shown} lacks the section [{key}] with 'states' and 'loss'.")
    return table


def _bytes_of(path: Path, most: int, what: str) -> bytes:
    shown = quoted(str(path))
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except FileNotFoundError as error:
        raise MisuseError(f"The {what} {shown} does not exist; give the path of one that does.") from error
    except (OSError, ValueError) as error:
        raise MisuseError(
            f"The {what} {shown} cannot be read ({getattr(error, 'strerror', None) or error})."
        ) from error
    if len(data) > most:
        raise MisuseError(f"The {what} {shown} is larger than {most >> 10} KiB; a smaller one will do.")
    return data


def _check_tables(table: Mapping[str, Any]) -> None:
    """Tables of tables or of text, before anything is made of them."""
    for key in ("symmetries", "equilibria"):
        for name, inner in table.get(key, {}).items():
            if not isinstance(inner, dict) or not all(isinstance(text, str) for text in inner.values()):
                raise MisuseError(
                    f'[{key}.{name}] gives each state as text, such as "0", but got {quoted(repr(inner))}.'
                )
    for key, what in (("domain", "reason"), ("endings", "name")):
        for name, text in table.get(key, {}).items():
            if not isinstance(text, str):
                raise MisuseError(f"[{key}] gives a {what} as text for '{name}', but got {quoted(repr(text))}.")


# -- random variables -----------------------------------------------------------------------------------------------


def _random(entry: Any, number: int, folder: Path) -> NodeTable:
    where = f"random[{number}]"
    if not isinstance(entry, dict):
        raise MisuseError(f"'{where}' is a table with 'variables' and one of 'rule', 'sample' and 'file'.")
    for key in entry:
        if key not in _RANDOM_KEYS:
            raise unknown_name(f"key of '{where}'", key, _RANDOM_KEYS)
    names = entry.get("variables")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise MisuseError(f"'{where}.variables' is a list of names, but got {quoted(repr(names))}.")
    given = [key for key in _SOURCES if key in entry]
    if len(given) != 1:
        raise MisuseError(
            f"'{where}' needs one of 'rule', 'sample' and 'file', but has {' and '.join(given) or 'none'}."
        )
    if given == ["rule"]:
        return _quadrature(entry, names, where)
    rows = _rows(entry["sample"], where) if given == ["sample"] else _rows_of_file(folder, entry["file"], names)
    if rows.ndim == 1:
        rows = rows[:, None]
    if rows.ndim != 2 or rows.shape[1] != len(names) or not len(rows):
        raise MisuseError(
            f"The sample of '{where}' needs rows of {len(names)} numbers for {', '.join(names)}, but has the shape "
            f"{rows.shape}."
        )
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if bad.size:
        raise MisuseError(
            f"The sample of '{where}' holds a number that is not finite in row {bad[0] + 1}; remove the row."
        )
    return sample_table(tuple(names), rows)


def _quadrature(entry: Mapping[str, Any], names: Sequence[str], where: str) -> NodeTable:
    rules = {"gauss_hermite": gauss_hermite, "gauss_legendre": gauss_legendre}
    rule, nodes = entry["rule"], entry.get("nodes", 20)
    if rule not in rules:
        raise unknown_name(f"rule of '{where}'", str(rule), rules)
    if len(names) != 1:
        raise MisuseError(f"A rule gives one variable, but '{where}' names {len(names)}; write a section for each.")
    bounds = {key: entry[key] for key in ("low", "high") if key in entry}
    if bounds and rule == "gauss_hermite":
        raise MisuseError(
            f"'{where}' has the rule gauss_hermite, the standard normal, which has no '{next(iter(bounds))}'."
        )
    for key, value in bounds.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise MisuseError(f"'{where}.{key}' is a number, but got {quoted(repr(value))}.")
    return gauss_legendre(names[0], nodes, **bounds) if rule == "gauss_legendre" else gauss_hermite(names[0], nodes)


def _rows(sample: Any, where: str) -> NDArray[np.float64]:
    try:
        return np.array(sample, dtype=float)
    except (TypeError, ValueError):
        raise MisuseError(
            f"'{where}.sample' is a list of numbers, or of rows of numbers that are equally long."
        ) from None


def _inside(folder: Path, name: Any) -> Path:
    """A file in the folder or below: a game from a stranger reads nothing else."""
    if not isinstance(name, str) or not name:
        raise MisuseError(f"'file' is the name of a .csv or .npy file, but got {quoted(repr(name))}.")
    try:
        found = (folder / name).resolve()
        outside = Path(name).is_absolute() or not found.is_relative_to(folder.resolve())
    except (OSError, ValueError):
        outside = True
    if outside:
        raise MisuseError(f"The file {quoted(name)} lies outside the folder of the game; put it beside the game file.")
    return found


def _rows_of_file(folder: Path, name: Any, variables: Sequence[str]) -> NDArray[np.float64]:
    path = _inside(folder, name)
    if path.suffix == ".npy":
        return _rows_of_npy(path)
    if path.suffix != ".csv":
        raise MisuseError(f"A sample is read from a .csv or .npy file, but got {quoted(str(name))}.")
    data = _bytes_of(path, _MOST_DATA, "sample")
    try:
        lines = [line for line in csv.reader(io.StringIO(data.decode("utf-8"))) if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise MisuseError(f"The sample {quoted(path.name)} is no table of comma-separated numbers.") from error
    head = [cell.strip() for cell in lines[0]] if lines else []
    columns = list(range(len(head)))
    if any(not _is_number(cell) for cell in head):
        missing = [v for v in variables if v not in head]
        if missing:
            raise unknown_name(f"column of {quoted(path.name)}", missing[0], head)
        columns, lines = [head.index(v) for v in variables], lines[1:]
    try:
        return np.array([[float(line[k]) for k in columns] for line in lines], dtype=float)
    except (ValueError, IndexError):
        bad = next(n for n, line in enumerate(lines, 1) if not _complete(line, columns))
        raise MisuseError(
            f"Row {bad} of the sample {quoted(path.name)} lacks a number; every row has one for every column."
        ) from None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _complete(line: Sequence[str], columns: Sequence[int]) -> bool:
    return all(k < len(line) and _is_number(line[k]) for k in columns)


def _rows_of_npy(path: Path) -> NDArray[np.float64]:
    _bytes_of(path, _MOST_DATA, "sample")
    try:
        # Mapped and not read: a header that claims more than the file holds is refused before anything is allocated.
        stored = np.lib.format.open_memmap(path, mode="r")
        if stored.dtype.kind not in "fiu":
            raise MisuseError(f"The sample {quoted(path.name)} holds {stored.dtype}, not numbers.")
        return np.array(stored, dtype=float)
    except (ValueError, OSError, EOFError, SyntaxError, TokenError) as error:
        if isinstance(error, GanBifurcationError):
            raise
        raise MisuseError(f"The sample {quoted(path.name)} is no array of numbers as numpy.save writes it.") from error
