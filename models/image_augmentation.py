"""Augmentations of images ranked before any training, by the spectral gap of the images that they make.

References
----------
Khrulkov, Babenko, Oseledets: Functional Space Analysis of Local GAN Convergence (ICML 2021), arXiv 2102.04448.
Zhao, Liu, Lin, Zhu, Han: Differentiable Augmentation for Data-Efficient GAN Training (NeurIPS 2020).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.models.laplacian_estimators import checked_sample, random_fourier

__all__ = ["Augmentation", "Ranked", "augmented", "digits", "rank_augmentations"]

FloatArray = NDArray[np.float64]

_FOLDS: Final = 4
_MOST_COPIES: Final = 20


@dataclass(frozen=True)
class Augmentation:
    """A random change of images.

    Attributes
    ----------
    kind : "none", "translation", "rotation", "noise", "cutout" or "flip"
    strength : float
        Pixels of the largest translation, degrees of the largest rotation, standard deviation of the noise, pixels of
        the side of the square that is cut out. "none" and "flip" (left to right, every second time) have none.
    """

    kind: Literal["none", "translation", "rotation", "noise", "cutout", "flip"]
    strength: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in _CHANGES:
            raise unknown_name("augmentation", str(self.kind), _CHANGES)
        if not (math.isfinite(self.strength) and self.strength >= 0):
            raise MisuseError(f"The strength of '{self.kind}' must be 0 or more, but got {self.strength!r}.")

    @property
    def name(self) -> str:
        return self.kind if self.kind in ("none", "flip") else f"{self.kind} {self.strength:g}"


def augmented(images: ArrayLike, augmentation: Augmentation, *, seed: int = 0) -> FloatArray:
    """Images after a random change of each.

    Parameters
    ----------
    images : array (n, rows, columns)
    augmentation : Augmentation
    seed : int

    Examples
    --------
    >>> augmented(np.ones((1, 4, 4)), Augmentation("cutout", 2)).sum().item()
    12.0
    """
    pictures = _checked_images(images)
    return _CHANGES[augmentation.kind](pictures, augmentation.strength, np.random.default_rng(seed))


def _translation(images: FloatArray, strength: float, rng: np.random.Generator) -> FloatArray:
    reach = round(strength)
    moved = np.zeros_like(images)
    padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach)))
    rows, columns = images.shape[1:]
    for i, (a, b) in enumerate(rng.integers(0, 2 * reach + 1, (len(images), 2)).tolist()):
        moved[i] = padded[i, a : a + rows, b : b + columns]
    return moved


def _rotation(images: FloatArray, strength: float, rng: np.random.Generator) -> FloatArray:
    from scipy.ndimage import rotate

    angles = rng.uniform(-strength, strength, len(images)).tolist()
    # Cubic splines: linear ones blur, and blurred images look as if they had been shrunk.
    return np.array([rotate(image, angle, reshape=False) for image, angle in zip(images, angles, strict=True)])


def _noise(images: FloatArray, strength: float, rng: np.random.Generator) -> FloatArray:
    return images + strength * rng.normal(size=images.shape)


def _cutout(images: FloatArray, strength: float, rng: np.random.Generator) -> FloatArray:
    side = round(strength)
    cut = images.copy()
    tops = rng.integers(0, max(images.shape[1] - side, 0) + 1, len(images)).tolist()
    lefts = rng.integers(0, max(images.shape[2] - side, 0) + 1, len(images)).tolist()
    for image, top, left in zip(cut, tops, lefts, strict=True):
        image[top : top + side, left : left + side] = 0.0
    return cut


def _flip(images: FloatArray, strength: float, rng: np.random.Generator) -> FloatArray:
    return np.where(rng.random(len(images))[:, None, None] < 0.5, images[:, :, ::-1], images)


_CHANGES: Final[Mapping[str, Callable[[FloatArray, float, np.random.Generator], FloatArray]]] = {
    "none": lambda images, strength, rng: images.copy(),
    "translation": _translation,
    "rotation": _rotation,
    "noise": _noise,
    "cutout": _cutout,
    "flip": _flip,
}


@dataclass(frozen=True)
class Ranked:
    """An augmentation and the spectral gap of the data that it makes.

    Attributes
    ----------
    augmentation : Augmentation
    gap : float
        Estimate of xi_1 with the augmented data scaled to the mean variance 1 a pixel.
    error : float
        Its spread between four parts of the images.
    linear_bound : float
        1 over the largest variance in any direction, at the same scale: xi_1 is not larger.
    variance : float
        The mean variance a pixel before scaling; gap/variance is the gap in the units of the images.
    """

    augmentation: Augmentation
    gap: float
    error: float
    linear_bound: float
    variance: float


def rank_augmentations(
    images: ArrayLike,
    augmentations: Sequence[Augmentation],
    *,
    copies: int = 1,
    features: int = 300,
    width: float | None = None,
    regularisation: float = 1e-4,
    seed: int = 0,
) -> tuple[Ranked, ...]:
    """Augmentations by the spectral gap of the augmented images, the largest first.

    Parameters
    ----------
    images : array (n, rows, columns)
    augmentations : sequence of Augmentation
    copies : int
        How often each image is augmented.
    features, regularisation, seed
        Of `random_fourier`, the same for all.
    width : float, optional
        The same; 2.5 sqrt(pixels) by default, some times the distance of two images.

    Returns
    -------
    tuple of Ranked
        Gaps that differ by less than their errors are not ranked. Noise of all pixels counts as gain at this scale,
        since it makes the data rounder: compare `gap/variance` too.

    Raises
    ------
    MisuseError
        If there are too few images, or NaN among them.
    """
    pictures = _checked_images(images)
    if isinstance(copies, bool) or not isinstance(copies, int) or not 1 <= copies <= _MOST_COPIES:
        raise MisuseError(f"'copies' must be a whole number from 1 to {_MOST_COPIES}, but got {copies!r}.")
    checked_sample(pictures.reshape(len(pictures), -1))
    # All copies of an image fall into the same part of the sample, so that the parts are independent.
    pictures = pictures[: len(pictures) - len(pictures) % _FOLDS]
    scale = 2.5 * math.sqrt(pictures[0].size) if width is None else width
    found = []
    for augmentation in augmentations:
        made = [augmented(pictures, augmentation, seed=seed + k) for k in range(copies)]
        sample = np.concatenate(made).reshape(copies * len(pictures), -1)
        variance = float(sample.var(axis=0).mean())
        if variance == 0:
            raise MisuseError(f"After '{augmentation.name}' all images are the same: lower its strength.")
        sample = (sample - sample.mean(axis=0)) / math.sqrt(variance)
        top = float(np.linalg.eigvalsh(sample.T @ sample / len(sample))[-1])
        estimate = random_fourier(
            sample, features=features, width=scale, regularisation=regularisation, count=1, seed=seed
        )
        found.append(Ranked(augmentation, estimate.gap, float(estimate.errors[0]), 1 / top, variance))
    return tuple(sorted(found, key=lambda ranked: -ranked.gap))


def digits() -> FloatArray:
    """The 1797 handwritten digits of scikit-learn, shape (1797, 8, 8), from 0 to 1.

    Raises
    ------
    MisuseError
        If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise MisuseError(
            "The digits come with scikit-learn, which is not installed: install gan_bifurcation[data]."
        ) from None
    return np.asarray(load_digits().images, dtype=float) / 16.0


def _checked_images(images: ArrayLike) -> FloatArray:
    try:
        pictures = np.array(images, dtype=float)
    except (TypeError, ValueError):
        raise MisuseError("Images are an array of numbers (images, rows, columns), but got something else.") from None
    if pictures.ndim != 3 or not pictures.size:
        raise MisuseError(f"Images have the shape (images, rows, columns), but got {pictures.shape}.")
    return pictures
