"""The models: functions with keyword-only parameters that return a `Game`; a file a paper, with known facts beside.

A package of somebody else adds models by the entry point group ``gan_bifurcation.models``: each entry is a name and the
function behind it, as in ``my_gan = my_package.games:my_gan``. Nothing of it is imported before the model is asked for.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from gan_bifurcation.errors import MisuseError, quoted, unknown_name
from gan_bifurcation.lazy import lazy_names

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from gan_bifurcation.game import Game
    from gan_bifurcation.tables import Table

# Where each model lives; its module loads when the model is first used.
_HOMES: Final[dict[str, str]] = {
    "bilinear": "gan_bifurcation.models.dirac_gan",
    "dirac_gan": "gan_bifurcation.models.dirac_gan",
    "gaussian_wgan": "gan_bifurcation.models.gaussian_wgan",
    "functional_gan": "gan_bifurcation.models.functional_gan",
    "functional_mode": "gan_bifurcation.models.functional_gan",
    "interval_gan": "gan_bifurcation.models.mixture_gan",
    "kernel_gan": "gan_bifurcation.models.kernel_gan",
    "kernel_gan_reduced": "gan_bifurcation.models.kernel_reduced",
    "lq_gan": "gan_bifurcation.models.lq_gan",
    "rsee_lsgan": "gan_bifurcation.models.rsee_lsgan",
    "mixture_gan": "gan_bifurcation.models.mixture_gan",
    "second_moment_gan": "gan_bifurcation.models.second_moment",
    "single_point_gan": "gan_bifurcation.models.kernel_reduced",
    "symmetric_mixture_gan": "gan_bifurcation.models.mixture_gan",
    "torus_gan": "gan_bifurcation.models.torus_gan",
    "torus_order_one": "gan_bifurcation.models.torus_order_one",
}

# The modules of the tables that models offer to studies: functions with keyword-only settings that return a Table.
_TABLES: Final[dict[str, str]] = {
    "gradient_penalty_cycles": "gan_bifurcation.models.dirac_tables",
    "functional_augmentation": "gan_bifurcation.models.functional_tables",
    "functional_cloud": "gan_bifurcation.models.functional_tables",
    "functional_gaps": "gan_bifurcation.models.functional_tables",
    "functional_limits": "gan_bifurcation.models.functional_steps",
    "functional_losses": "gan_bifurcation.models.functional_tables",
    "functional_mixture": "gan_bifurcation.models.functional_tables",
    "functional_noise": "gan_bifurcation.models.functional_tables",
    "functional_nonlinear": "gan_bifurcation.models.functional_tables",
    "functional_rates": "gan_bifurcation.models.functional_tables",
    "functional_rules": "gan_bifurcation.models.functional_steps",
    "functional_spectra": "gan_bifurcation.models.functional_tables",
    "functional_stability": "gan_bifurcation.models.functional_steps",
    "kernel_radii": "gan_bifurcation.models.kernel_heat_map",
    "kernel_trainings": "gan_bifurcation.models.kernel_trainings",
    "mixture_chattering": "gan_bifurcation.models.mixture_tables",
    "mixture_family": "gan_bifurcation.models.mixture_tables",
    "mixture_heat_maps": "gan_bifurcation.models.mixture_tables",
    "mixture_outcomes": "gan_bifurcation.models.mixture_tables",
    "mixture_rates": "gan_bifurcation.models.mixture_tables",
    "mixture_variation": "gan_bifurcation.models.mixture_tables",
    "bilinear_thresholds": "gan_bifurcation.models.bilinear_theory",
    # What needs more than the core is computed above; a table is only named here.
    "rule_costs": "gan_bifurcation.models.bilinear_theory",
    "rule_radii": "gan_bifurcation.models.bilinear_theory",
    "rsee_formulas": "gan_bifurcation.models.rsee_tables",
    "rsee_panels": "gan_bifurcation.models.rsee_tables",
    "rsee_plateau": "gan_bifurcation.models.rsee_tables",
    "rsee_run": "gan_bifurcation.models.rsee_tables",
    "rsee_signs": "gan_bifurcation.models.rsee_tables",
    "rsee_stochastic": "gan_bifurcation.models.rsee_stochastic",
    "rsee_surface": "gan_bifurcation.models.rsee_tables",
    "torus_budget": "gan_bifurcation.models.torus_tables",
    "torus_contraction": "gan_bifurcation.models.torus_tables",
    "torus_orbits": "gan_bifurcation.models.torus_orbits",
    "torus_period": "gan_bifurcation.models.torus_orbits",
    "torus_surface": "gan_bifurcation.models.torus_tables",
    "torus_truncations": "gan_bifurcation.models.torus_tables",
}

# Where packages of others say which models they add.
_GROUP: Final = "gan_bifurcation.models"

__all__ = sorted([*_HOMES, "citation", "get", "names", "problems", "table", "tables"])

_own, _listed = lazy_names(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES or name.startswith("_") or name not in _added()[0]:
        return _own(name)
    return get(name)


def __dir__() -> list[str]:
    return sorted({*_listed(), *_added()[0]})


def names() -> list[str]:
    """The names of all models, sorted: our own, and those that installed packages add.

    >>> "dirac_gan" in names()
    True
    """
    return sorted({*_HOMES, *_added()[0]})


def problems() -> list[str]:
    """A sentence on each model of an installed package that cannot be had under its name.

    >>> problems()
    []
    """
    return _added()[1]


def _added() -> tuple[dict[str, "EntryPoint"], list[str]]:
    """The entry points by name, and what is wrong with the others; nothing is imported."""
    found: dict[str, EntryPoint] = {}
    wrong = []
    for entry in entry_points(group=_GROUP):
        source = quoted(entry.dist.name if entry.dist is not None else entry.value)
        if not entry.name.isidentifier() or entry.name.startswith("_"):
            wrong.append(f"The package {source} adds a model under {quoted(entry.name)}, which is no name; rename it.")
        elif entry.name in _HOMES or entry.name in __all__:
            wrong.append(f"The package {source} adds a model '{entry.name}', but ours has this name; rename theirs.")
        elif entry.name in found and found[entry.name].value != entry.value:
            wrong.append(f"The package {source} adds a model '{entry.name}', but another package did so; rename it.")
        else:
            found[entry.name] = entry
    return found, wrong


def _load(entry: "EntryPoint") -> "Callable[..., Game]":
    """The function of an entry point; whatever goes wrong in code of others becomes one sentence."""
    source = quoted(entry.dist.name if entry.dist is not None else entry.value)
    try:
        function = entry.load()
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise MisuseError(f"The model '{entry.name}' of the package {source} does not load ({said}).") from error
    if not callable(function):
        raise MisuseError(f"The model '{entry.name}' of the package {source} is no function that returns a Game.")
    model: Callable[..., Game] = function
    return model


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
        added = _added()[0]
        if name not in added:
            raise unknown_name("model", str(name), names())
        return _load(added[name])
    model: Callable[..., Game] = _own(name)
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
        Keys of the entries, separated by commas, as in `Game.paper`; an entry itself comes back as it is.

    Examples
    --------
    >>> print(citation("mescheder2018").splitlines()[0])
    @inproceedings{mescheder2018,
    """
    if keys.lstrip().startswith("@"):
        return keys.strip()
    text = files("gan_bifurcation.models").joinpath("references.bib").read_text(encoding="utf-8")
    entries = {
        entry.partition("{")[2].partition(",")[0].strip(): "@" + entry.strip() for entry in text.split("\n@")[1:]
    }
    wanted = [key.strip() for key in keys.split(",") if key.strip()]
    for key in wanted:
        if key not in entries:
            raise unknown_name("citation", key, entries)
    return "\n\n".join(entries[key] for key in wanted)
