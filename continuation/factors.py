"""Factors of dense matrices where a singular one is an answer: scipy warns of it, each time, whoever calls."""

from typing import Any

import numpy as np
import scipy.linalg.lapack

__all__ = ["factors_of"]


def factors_of(matrix: Any, overwrite: bool = False) -> tuple[Any, Any]:
    """What `scipy.linalg.lu_solve` takes; of a singular matrix its solutions are not finite."""
    factorise = scipy.linalg.lapack.zgetrf if np.iscomplexobj(matrix) else scipy.linalg.lapack.dgetrf
    lu, pivots, _ = factorise(matrix, overwrite_a=overwrite)
    return lu, pivots
