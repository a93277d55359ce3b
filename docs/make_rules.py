"""Write docs/rules.md, the table of which rule works on which game, by running all of them."""

from collections.abc import Callable
from pathlib import Path

from gan_bifurcation import models
from gan_bifurcation.compatibility import compatibility, compatibility_page
from gan_bifurcation.game import Game


def games() -> dict[str, Callable[[], Game]]:
    """All models with their default settings, and one with a projection."""
    return {
        **{name: models.get(name) for name in models.names()},
        "dirac_gan, clipped": lambda: models.dirac_gan(variant="wgan", clip=1.0),
    }


def page() -> str:
    """The page as it should be now."""
    return compatibility_page(compatibility(games()))


if __name__ == "__main__":
    Path(__file__).with_name("rules.md").write_text(page(), encoding="utf-8")
