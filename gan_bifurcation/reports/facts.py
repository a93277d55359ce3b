"""What is known of a game, as plain values and as lines of text: what `gan-bifurcation show` prints."""

import inspect
import re
import unicodedata
from collections.abc import Callable, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Final

from gan_bifurcation import models
from gan_bifurcation.errors import GanBifurcationError
from gan_bifurcation.facts import Symmetry
from gan_bifurcation.game import Game
from gan_bifurcation.reports.equations import as_latex, as_text
from gan_bifurcation.system import System

_LONGEST: Final = 160
_INDENT: Final = "  "
_ACCENTS: Final[Mapping[str, str]] = {"'": "\u0301", "`": "\u0300", '"': "\u0308", "^": "\u0302", "~": "\u0303"}


def about(system: System, model: str = "", latex: bool = False) -> dict[str, Any]:
    """Everything that is known of a system and its game, as plain values.

    Parameters
    ----------
    system : System
    model : str
        The name of the model that made its game, "" for a game of one's own.
    latex : bool
        Whether equations are LaTeX.

    Returns
    -------
    dict

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> known = about(gb.system(gb.models.dirac_gan(), gb.Flow()), "dirac_gan")
    >>> known["players"], known["symmetries"][0]["action"], known["smooth"]
    ({'discriminator': ['psi'], 'generator': ['theta']}, 'psi -> -psi, theta -> -theta', True)
    """
    found: dict[str, Any] = {
        "name": system.name, "kind": system.kind, "rule": repr(system.rule) if system.rule is not None else "",
        "description": system.description, "states": list(system.states), "parameters": dict(system.parameters),
        "equations": as_latex(system) if latex else as_text(system),
    }  # fmt: skip
    game = system.game
    if game is not None:
        found |= _of_game(game)
    found |= {"settings": settings_of(model), "functions": functions_beside(model)}
    return found


def _of_game(game: Game) -> dict[str, Any]:
    return {
        "players": {"discriminator": list(game.discriminator.states), "generator": list(game.generator.states)},
        "equilibria": [
            {
                "name": e.name,
                "condition": f"{e.condition} >= 0" if e.condition else "",
                "state": {state: _cut(str(value)) for state, value in e.state.items()},
            }
            for e in game.equilibria
        ],
        "symmetries": [{"name": s.name, "order": s.order, "action": _action(s)} for s in game.symmetries],
        "domain": [{"inside": f"{_cut(bound.expression)} >= 0", "reason": bound.reason} for bound in game.domain],
        "endings": [{"where": f"{_cut(e.expression)} > 0", "name": e.name} for e in game.endings],
        "projection": {state: list(bounds) for state, bounds in game.projection.items()},
        "smooth": game.smooth,
        "why_not_smooth": "" if game.smooth else game.why_not_smooth or "a loss has kinks",
        "paper": game.paper,
        "citation": citation_or_empty(game.paper),
    }


def _action(symmetry: Symmetry) -> str:
    moves = [f"{state} -> {'-' if sign < 0 else ''}{other}" for state, (sign, other) in symmetry.action.items()]
    return _cut(", ".join(moves))


def citation_or_empty(paper: str) -> str:
    """BibTeX of papers, "" if they are not among ours."""
    try:
        return models.citation(paper) if paper else ""
    except GanBifurcationError:
        # A paper that only a person's own game knows.
        return ""


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ... ({len(text)} characters)"


def settings_of(model: str) -> dict[str, str]:
    """The settings of a model's function with their defaults, as text.

    >>> settings_of("dirac_gan")["gamma"]
    '0.0'
    """
    if not model:
        return {}
    signature = inspect.signature(models.get(model))
    return {
        name: "" if p.default is inspect.Parameter.empty else _cut(repr(p.default))
        for name, p in signature.parameters.items()
        if p.kind not in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    }


def functions_beside(model: str) -> dict[str, str]:
    """The functions beside a model that say what is known of it, each with its first sentence.

    >>> "r1_largest_step" in functions_beside("dirac_gan")
    True
    """
    if not model:
        return {}
    home = models.get(model).__module__
    package, _, own = home.rpartition(".")
    # The theory of dirac_gan.py is in dirac_theory.py.
    stem = own.removesuffix("_gan").removesuffix("_lsgan")
    beside = [m.name for m in iter_modules(models.__path__) if m.name.startswith(f"{stem}_") and m.name != own]
    found = {}
    for name in (home, *(f"{package}.{other}" for other in beside if package == models.__name__)):
        module = import_module(name)
        for public in getattr(module, "__all__", ()):
            value = getattr(module, public, None)
            if inspect.isfunction(value) and value.__module__ == name and public not in models.names():
                found[public] = first_sentence(value)
    return found


def first_sentence(documented: Callable[..., Any]) -> str:
    """The first paragraph of a docstring up to its first full stop, on one line."""
    text = " ".join((documented.__doc__ or "").strip().partition("\n\n")[0].split())
    head, stop, _ = re.sub(r":\w+:`~?([^`]*)`", r"\1", text).partition(". ")
    return f"{head}." if stop else head


def as_lines(known: Mapping[str, Any]) -> list[str]:
    """What `about` found, for people."""
    how = f" under {known['rule']}" if known["rule"] else ""
    lines = [f"{known['name']}{how}, a {known['kind']}", _INDENT + known["description"]]
    if "players" in known:
        lines += ["players", *(f"{_INDENT}{who}: {', '.join(names)}" for who, names in known["players"].items())]
    mark = (
        "a plus marks the value after one iteration" if known["kind"] == "map" else "a prime marks the rate of change"
    )
    lines += [f"equations ({mark})", *(_INDENT + text for text in known["equations"])]
    lines += ["parameters", _INDENT + ", ".join(f"{name} = {value:g}" for name, value in known["parameters"].items())]
    if known["settings"]:
        said = ", ".join(f"{k} = {v}" if v else k for k, v in known["settings"].items())
        lines += ["settings of the model (--setting)", _INDENT + said]
    if "players" in known:
        lines += ["known facts", *(_INDENT + text for text in _facts(known))]
    if known["functions"]:
        lines += ["functions beside the model", *(f"{_INDENT}{k}: {v}" for k, v in known["functions"].items())]
    return lines


def _facts(known: Mapping[str, Any]) -> list[str]:
    lines = []
    for e in known["equilibria"]:
        moved = {state: value for state, value in e["state"].items() if value != "0"}
        rest = "" if len(moved) == len(e["state"]) else ("the other states 0" if moved else "all states 0")
        at = ", ".join([*(f"{k} = {v}" for k, v in moved.items()), *([rest] if rest else [])])
        where = f", where {e['condition']}" if e["condition"] else ""
        lines.append(f"equilibrium '{e['name']}': {at}{where}")
    if not known["equilibria"]:
        lines.append("no equilibrium is known in closed form")
    lines += [f"symmetry '{s['name']}' of order {s['order']}: {s['action']}" for s in known["symmetries"]]
    lines += [f"domain: {d['inside']}; outside: {d['reason']}" for d in known["domain"]]
    lines += [f"ending: {e['name']}, where {e['where']}" for e in known["endings"]]
    lines += [f"projection: {k} stays between {low} and {high}" for k, (low, high) in known["projection"].items()]
    lines.append("smooth" if known["smooth"] else f"not smooth: {known['why_not_smooth'].rstrip('.')}")
    if known["paper"]:
        lines.append(f"paper: {paper_line(known['paper'], known['citation'])}")
    return lines


def paper_line(keys: str, citation: str) -> str:
    """Authors, title and year of BibTeX entries, on one line.

    >>> entry = "@article{k,\\n author = {Ada, A. and Bob, B.},\\n title = {On {GANs}},\\n year = {2020}\\n}"
    >>> paper_line("k", entry)
    'Ada, Bob, On GANs (2020)'
    """
    lines = []
    for fields in _entries(citation):
        year = f" ({fields['year']})" if "year" in fields else ""
        lines.append(f"{', '.join(_authors(fields))}, {fields.get('title', '')}{year}")
    return "; ".join(lines) or keys


def short_name(key: str, citation: str) -> str:
    """Authors and year of one entry, as texts refer to it.

    >>> short_name("k", "@article{k,\\n author = {Ada, A. and Bob, B. and Cid, C.},\\n year = {2020}\\n}")
    'Ada et al. 2020'
    """
    for fields in _entries(citation):
        names = _authors(fields)
        who = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
        return f"{who} {fields.get('year', '')}".strip()
    return key


def _entries(citation: str) -> list[dict[str, str]]:
    """The fields of BibTeX entries that have one field a line."""
    found = []
    for entry in ("\n" + _accented(citation)).split("\n@")[1:]:
        fields = {}
        for line in entry.splitlines()[1:]:
            name, equals, value = line.partition("=")
            if equals:
                fields[name.strip().lower()] = value.strip().rstrip(",").replace("{", "").replace("}", "").strip('"')
        found.append(fields)
    return found


def _authors(fields: Mapping[str, str]) -> list[str]:
    return [author.partition(",")[0].strip() for author in fields.get("author", "").split(" and ")]


def _accented(text: str) -> str:
    r"""BibTeX's accents as letters.

    >>> _accented(r"G\'{o}mez, H\"older")
    'Gómez, Hölder'
    """
    return re.sub(r"\\(['`\"^~])\{?([A-Za-z])\}?", lambda m: unicodedata.normalize("NFC", m[2] + _ACCENTS[m[1]]), text)
