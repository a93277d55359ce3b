"""The models: functions with keyword-only parameters that return a `Game`; a file a paper, with known facts beside."""

from collections.abc import Callable
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from gan_bifurcation.errors import unknown_name
from gan_bifurcation.lazy import lazy_names

if TYPE_CHECKING:
    from gan_bifurcation.game import Game
    from gan_bifurcation.tables import Table

# Where each model lives; its module loads when the model is first used.
_HOMES: Final[dict[str, str]] = {
    "bilinear": "gan_bifurcation.models.dirac_gan",
    "dirac_gan": "gan_bifurcation.models.dirac_gan",
    "gaussian_wgan": "gan_bifurcation.models.gaussian_wgan",
    "functional_gan": "gan_bifurcation.models.functional_gan",
    "functional_mode": "gan_bifurcation.models.functional_gan",
    "kernel_gan": "gan_bifurcation.models.kernel_gan",
    "kernel_gan_reduced": "gan_bifurcation.models.kernel_reduced",
    "lq_gan": "gan_bifurcation.models.lq_gan",
    "rsee_lsgan": "gan_bifurcation.models.rsee_lsgan",
    "second_moment_gan": "gan_bifurcation.models.second_moment",
    "single_point_gan": "gan_bifurcation.models.kernel_reduced",
    "torus_gan": "gan_bifurcation.models.torus_gan",
    "torus_order_one": "gan_bifurcation.models.torus_order_one",
}

# The modules of the tables that models offer to studies: functions with keyword-only settings that return a Table.
_TABLES: Final[dict[str, str]] = {
    "kernel_radii": "gan_bifurcation.models.kernel_heat_map",
    "kernel_trainings": "gan_bifurcation.models.kernel_trainings",
    "torus_budget": "gan_bifurcation.models.torus_tables",
    "torus_contraction": "gan_bifurcation.models.torus_tables",
    "torus_orbits": "gan_bifurcation.models.torus_tables",
    "torus_period": "gan_bifurcation.models.torus_tables",
    "torus_surface": "gan_bifurcation.models.torus_tables",
    "torus_truncations": "gan_bifurcation.models.torus_tables",
}

__all__ = sorted([*_HOMES, "citation", "get", "names", "table", "tables"])

__getattr__, __dir__ = lazy_names(__name__, _HOMES)


def names() -> list[str]:
    """The names of all models, sorted.

    >>> "dirac_gan" in names()
    True
    """
    return sorted(_HOMES)


def get(name: str) -> "Callable[..., Game]":
    """The function that makes a model, by its name.

    >>> get("dirac_gan")(gamma=0.3).parameters
    {'gamma': 0.3}
    >>> get("dirac_gun")
    Traceback (most recent call last):
    ...
    gan_bifurcation.errors.UnknownNameError: Unknown model 'dirac_gun'. Did you mean 'dirac_gan'?
    """
    if name not in _HOMES:
        raise unknown_name("model", str(name), names())
    model: Callable[..., Game] = __getattr__(name)
    return model


def tables() -> list[str]:
    """The names of all tables that models offer to studies, sorted."""
    return sorted(_TABLES)


def table(name: str) -> "Callable[..., Table]":
    """The function that computes a table, by its name."""
    if name not in _TABLES:
        raise unknown_name("table", str(name), tables())
    found: Callable[..., Table] = getattr(import_module(_TABLES[name]), name)
    return found


def citation(keys: str) -> str:
    """The BibTeX entries of papers.

    Parameters
    ----------
    keys : str
        Keys of the entries, separated by commas, as in `Game.paper`.

    Examples
    --------
    >>> print(citation("mescheder2018").splitlines()[0])
    @inproceedings{mescheder2018,
    """
    text = files("gan_bifurcation.models").joinpath("references.bib").read_text(encoding="utf-8")
    entries = {
        entry.partition("{")[2].partition(",")[0].strip(): "@" + entry.strip() for entry in text.split("\n@")[1:]
    }
    wanted = [key.strip() for key in keys.split(",") if key.strip()]
    for key in wanted:
        if key not in entries:
            raise unknown_name("citation", key, entries)
    return "\n\n".join(entries[key] for key in wanted)
