"""The registry of feature spaces: the function of each, its settings and its files.

A new space is a function in a module of this package and an entry in `SPACES`; the config, the
rules and the estimate follow. Importing this module does not import the spaces' modules.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from petite.data.store import Store
from petite.features.io import FeatureRecord
from petite.util.discovery import loaded, module_of


@dataclass(frozen=True)
class Space:
    """A feature space.

    Attributes
    ----------
    name : str
        Its name in the config.
    function : str or None
        The full name of a function with the parameters of `compute`. None for a space that the
        proxy's training computes, once for each seed.
    settings : tuple of str
        The keys of the config's section `features` that it depends on.
    file : str or None
        The key among them that names a file of the user.
    needs_embeddings : bool
        Whether it is computed from the embeddings of the original images.
    is_offered : bool
        Whether a user may choose it; otherwise methods ask for it.
    """

    name: str
    function: str | None
    settings: tuple[str, ...] = ()
    file: str | None = None
    needs_embeddings: bool = False
    is_offered: bool = True

    @property
    def is_of_proxy(self) -> bool:
        """Whether the proxy's training computes it."""
        return self.function is None

    @property
    def module(self) -> str:
        """The module that computes it, such as `petite.features.pixels`."""
        assert self.function is not None
        return module_of(self.function)

    def compute(
        self, store: Store, image_ids: pd.Series, settings: Mapping[str, Any], threads: int = 1
    ) -> tuple[np.ndarray, FeatureRecord]:
        """Compute the features of some images.

        Parameters
        ----------
        store : Store
            Of the decoded images.
        image_ids : Series of shape (n,) of str
            Ids of the images.
        settings : mapping
            Values for the keys in `Space.settings`; for a space that needs embeddings also
            `embeddings`, the files of all shards.
        threads : int
            CPU threads to use.

        Returns
        -------
        features : ndarray of shape (n, d), float32
        record : FeatureRecord
            Facts about the features, for the record next to the file.
        """
        assert self.function is not None
        return loaded(self.function)(store, image_ids, settings, threads)


SPACES: dict[str, Space] = {
    space.name: space
    for space in (
        Space("pixels", "petite.features.pixels.compute", ("dimensions", "seed")),
        Space("random_conv", "petite.features.random_conv.compute", ("dimensions", "seed")),
        Space("own", "petite.features.own.compute", ("path",), file="path"),
        Space("backbone", "petite.features.backbone.compute", needs_embeddings=True),
        Space("proxy", None),
        Space("gradients", None, is_offered=False),
    )
}
