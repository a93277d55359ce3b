"""Exchange with other programs: PyDSTool.

Importing this package lets ``import PyDSTool`` work in the process; PyDSTool itself is loaded at first use.
"""

from gan_bifurcation.interop._bridge import install

install()
