"""Exchange with other programs: PyDSTool.

Importing this package lets ``import PyDSTool`` work in the process; PyDSTool itself is loaded at first use.
"""

from typing import Final

from gan_bifurcation.interop._bridge import install
from gan_bifurcation.lazy import lazy_names

__all__ = [
    "from_pydstool",
    "install",
    "name_map",
    "register",
    "to_contclass",
    "to_pointset",
    "to_pydstool_name",
    "to_trajectory",
]

_HOMES: Final = {name: "gan_bifurcation.interop.pydstool" for name in __all__ if name != "install"}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)

install()
