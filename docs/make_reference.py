"""Write docs/reference.md, the table of public names, from the docstrings."""

import inspect
from pathlib import Path

import gan_bifurcation as gb
from gan_bifurcation import models
from gan_bifurcation.figures import __all__ as figures

HEAD = """# Public names

Made from the docstrings by `python docs/make_reference.py`; `help(gb.trace)` has all of it: parameters, errors,
formulas, references and examples.

"""


def sentence(thing: object) -> str:
    """The first paragraph of a docstring, in one line."""
    text = inspect.getdoc(thing) or ""
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")


def table(title: str, rows: list[tuple[str, str]]) -> str:
    """A heading and a table of two columns."""
    return "\n".join([f"## {title}", "", "| | |", "|---|---|", *(f"| {left} | {right} |" for left, right in rows), ""])


def page() -> str:
    """The page as it should be now."""
    public = {name: getattr(gb, name) for name in gb.__all__ if name != "__version__"}
    functions = {name: thing for name, thing in public.items() if inspect.isroutine(thing)}
    errors = {n: t for n, t in public.items() if inspect.isclass(t) and issubclass(t, Exception)}
    rules = {n: t for n, t in public.items() if inspect.isclass(t) and hasattr(t, "assemble")}
    values = {n: t for n, t in public.items() if n not in {*functions, *errors, *rules} and not inspect.ismodule(t)}
    parts = [
        ("Functions: `gb.name(...)`", functions),
        ("Values", values),
        ("Update rules", rules),
        ("Errors", errors),
        ("Models: `gb.models.name(...)`", {name: models.get(name) for name in models.names()}),
        ("Figures: `gb.figures.name(...)`", {name: getattr(gb.figures, name) for name in figures}),
    ]
    tables = [table(title, [(f"`{n}`", sentence(t)) for n, t in sorted(part.items())]) for title, part in parts]
    others = "`models`, `figures`: the two subpackages above; `__version__`: the version.\n"
    return HEAD + "\n".join(tables) + "\n" + others


if __name__ == "__main__":
    Path(__file__).with_name("reference.md").write_text(page(), encoding="utf-8")
