"""Numerical bifurcation analysis of GAN training: where it converges, oscillates or diverges.

A game and an update rule make a system; a curve problem on a system is traced into a branch; branches and attractors
make the regime map, and its graph is the record of where training converges, oscillates or diverges.

>>> import gan_bifurcation as gb
>>> game = gb.models.dirac_gan(gamma=0.3)
>>> game.discriminator.states, game.generator.states
(('psi',), ('theta',))

Importing this package loads numpy at most: every public name is loaded when it is first used.
"""

from importlib import import_module
from types import ModuleType
from typing import Any, Final

__version__ = "0.1.0"

# Where each public name lives.
_HOMES: Final[dict[str, str]] = {
    name: f"gan_bifurcation.{module}"
    for module, names in {
        "branch": ("Branch", "Point"),
        "continuation": (
            "bifurcation_set",
            "branch_point_to_branch",
            "find_equilibria",
            "flip_to_period_two",
            "hopf_to_cycles",
            "neimark_sacker_to_circles",
            "normal_form",
            "point",
            "spectrum",
            "trace",
        ),
        "errors": (
            "GanBifurcationError",
            "MisuseError",
            "Outcome",
            "ResultsError",
            "StudyFileError",
            "UnknownNameError",
        ),
        "game": ("DomainBound", "Equilibrium", "Game", "Player", "Symmetry", "check_game"),
        "integrator": ("simulate",),
        "interop": ("register", "to_contclass"),
        "ranges": ("Range", "log_range"),
        "regimes": ("judge", "regime_map"),
        "reports": ("write_report",),
        "rules": ("Alternating", "Flow", "Simultaneous", "Update", "check_rule", "system"),
        "studies": ("load", "run_study"),
        "system": ("System", "iterate", "poincare", "restrict", "tie"),
    }.items()
    for name in names
}
_SUBPACKAGES: Final = ("figures", "models")

__all__ = sorted([*_HOMES, *_SUBPACKAGES, "__version__"])


class _Package(ModuleType):
    """This package, with public names that a submodule of the same name cannot hide.

    Importing the module ``gan_bifurcation.system`` sets the attribute ``system`` of the package; without this class,
    ``gb.system(game, rule)`` would call a module from then on.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (isinstance(value, ModuleType) and name in _HOMES):
            ModuleType.__setattr__(self, name, value)


def __getattr__(name: str) -> Any:
    """Load a public name at its first use (PEP 562)."""
    if name in _SUBPACKAGES:
        return import_module(f"gan_bifurcation.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'gan_bifurcation' has no attribute '{name}'")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _protect() -> None:
    from sys import modules

    modules[__name__].__class__ = _Package


_protect()
