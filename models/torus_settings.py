"""The settings that all tables of the torus GAN share, and what checks their lists and numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.game import Game
from gan_bifurcation.models.torus_fourier import FourierSeries, Pair, fourier_coefficients
from gan_bifurcation.models.torus_gan import Discriminator, Objective, torus_gan
from gan_bifurcation.models.torus_theory import eigenvalues, equilibrium
from gan_bifurcation.rules import Flow, system
from gan_bifurcation.system import System

__all__ = ["Settings", "bounded", "columns_of", "whole"]

MOST: Final = 1000


@dataclass(frozen=True)
class Settings:
    """Those of :func:`gan_bifurcation.models.torus_gan`, and what follows from them."""

    objective: Objective
    discriminator: Discriminator
    kappa: float
    mu0: float
    sc: float
    sa: float

    def game(self, order: int | None = None) -> Game:
        return torus_gan(
            objective=self.objective, discriminator=self.discriminator, kappa=self.kappa, mu0=self.mu0, sc=self.sc,
            sa=self.sa, order=order,
        )  # fmt: skip

    def flow(self, order: int | None) -> System:
        return system(self.game(order), Flow())

    @property
    def series(self) -> FourierSeries:
        return fourier_coefficients(self.game())

    @property
    def equilibrium(self) -> Pair:
        return equilibrium(mu0=self.mu0, sc=self.sc, sa=self.sa, discriminator=self.discriminator)

    @property
    def eigenvalues(self) -> tuple[complex, complex]:
        return eigenvalues(
            kappa=self.kappa, mu0=self.mu0, sc=self.sc, sa=self.sa, objective=self.objective,
            discriminator=self.discriminator,
        )  # fmt: skip


def columns_of(columns: dict[str, list[float]]) -> dict[str, NDArray[Any]]:
    """Columns as arrays, for a Table."""
    return {name: np.array(values, dtype=float) for name, values in columns.items()}


def bounded(name: str, values: Sequence[float]) -> list[float]:
    """A list of finite numbers, neither empty nor endless."""
    listed = list(values) if isinstance(values, Sequence | np.ndarray) and not isinstance(values, str) else []
    numbers = [float(value) for value in listed if isinstance(value, int | float)]
    if not 0 < len(numbers) == len(listed) <= MOST or not np.isfinite(numbers).all():
        raise MisuseError(f"'{name}' is a list of 1 to {MOST} finite numbers, but got {values!r}.")
    return numbers


def whole(name: str, value: int) -> int:
    """A whole number from 2 on."""
    if isinstance(value, bool) or not isinstance(value, int) or not 2 <= value <= MOST:
        raise MisuseError(f"'{name}' is a whole number from 2 to {MOST}, but got {value!r}.")
    return value
