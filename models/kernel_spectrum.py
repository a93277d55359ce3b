"""The exact spectrum of a kernel GAN at any of its equilibria, without features: a small matrix.

Only the gradients g_j of the discriminator at the generated points couple to the points, so that 2 n d numbers carry
the linear dynamics of n points in d dimensions; all other directions of the discriminator decay with -lam.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.models.kernel_profiles import Kernel

__all__ = ["Configuration", "local_matrix", "pull"]

FloatArray = NDArray[np.float64]
Steps = Literal["flow", "simultaneous", "alternating"]


@dataclass(frozen=True, eq=False)
class Configuration:
    """Generated and true points with their masses, under a kernel.

    Attributes
    ----------
    generated : float array (n, d)
    q : float array (n,)
    true : float array (N, d)
    p : float array (N,)
    kernel : Kernel
    """

    generated: FloatArray
    q: FloatArray
    true: FloatArray
    p: FloatArray
    kernel: Kernel

    @classmethod
    def of(
        cls,
        generated: ArrayLike,
        q: Sequence[float],
        kernel: Kernel,
        true: ArrayLike = 0.0,
        p: Sequence[float] = (1.0,),
    ) -> "Configuration":
        """A configuration; in one dimension flat sequences of positions will do.

        Examples
        --------
        >>> from gan_bifurcation.models.kernel_profiles import gaussians
        >>> Configuration.of([0.0, 0.1], [0.4, 0.4], gaussians(1.0)).generated.shape
        (2, 1)
        """
        points = [np.array(a, dtype=float, ndmin=1) for a in (generated, true)]
        x, t = (a[:, None] if a.ndim == 1 else a for a in points)
        if x.shape != (len(q), t.shape[1]) or len(t) != len(p):
            raise MisuseError(
                f"Got positions of shape {x.shape} and {t.shape} for {len(q)} and {len(p)} masses; "
                "give one mass for each point."
            )
        return cls(x, np.array(q, dtype=float), t, np.array(p, dtype=float), kernel)


def pull(c: Configuration) -> FloatArray:
    """G_j = sum_i p_i grad1 K(x_j, t_i) - sum_l q_l grad1 K(x_j, x_l), shape (n, d): zero at every equilibrium.

    It contains neither lam nor the rates: these move no equilibrium.
    """
    x = c.generated
    attraction = np.einsum("i,jic->jc", c.p, c.kernel.gradient(x[:, None] - c.true[None]))
    repulsion = np.einsum("l,jlc->jc", c.q, c.kernel.gradient(x[:, None] - x[None]))
    return np.asarray(attraction - repulsion)


def local_matrix(
    c: Configuration, *, lam: float, eta_d: float = 1.0, eta_g: float = 1.0, steps: Steps = "flow"
) -> FloatArray:
    """The linearisation in (g, x) at an equilibrium, shape (2 n d, 2 n d).

    Parameters
    ----------
    c : Configuration
        At an equilibrium: `pull(c)` is zero.
    lam, eta_d, eta_g : float
        With "flow", rates multiply the velocities.
    steps : "flow", "simultaneous" or "alternating"

    Returns
    -------
    float array
        With M features in all, the remaining M - n d eigenvalues are -eta_d lam (of steps: 1 - eta_d lam).

    Notes
    -----
    J = [[-eta_d lam I, -eta_d H Q], [eta_g Q, eta_g Q F]], with H_jl the mixed second derivatives of K(x_j, x_l),
    F_j = f''(x_j) the block diagonal of the equilibrium discriminator's second derivatives, Q the masses. Alternating
    steps apply the second row to the result of the first.

    Examples
    --------
    >>> from gan_bifurcation.models.kernel_profiles import gaussians
    >>> c = Configuration.of([0.0], [0.8], gaussians(1.0))
    >>> np.linalg.eigvals(local_matrix(c, lam=0.5)).real.round(12).tolist()
    [-0.41, -0.41]
    """
    n, d = c.generated.shape
    x = c.generated
    # K(x, y) = K(x - y), so that the mixed derivative is minus the second one.
    mixed = -c.kernel.hessian(x[:, None] - x[None])
    H = mixed.transpose(0, 2, 1, 3).reshape(n * d, n * d)
    second = np.einsum("i,jiab->jab", c.p, c.kernel.hessian(x[:, None] - c.true[None]))
    second = (second - np.einsum("l,jlab->jab", c.q, -mixed)) / lam
    F = np.zeros((n * d, n * d))
    for j in range(n):
        F[j * d : (j + 1) * d, j * d : (j + 1) * d] = second[j]
    Q = np.diag(np.repeat(c.q, d))
    eye = np.eye(n * d)
    top = np.hstack([-eta_d * lam * eye, -eta_d * H @ Q])
    bottom = eta_g * Q @ np.hstack([eye, F])
    if steps == "flow":
        return np.vstack([top, bottom])
    top[:, : n * d] += eye
    if steps == "alternating":
        bottom = eta_g * Q @ (top + np.hstack([0 * eye, F]))
    elif steps != "simultaneous":
        raise MisuseError(f"'steps' must be 'flow', 'simultaneous' or 'alternating', but got {steps!r}.")
    bottom[:, n * d :] += eye
    return np.vstack([top, bottom])
