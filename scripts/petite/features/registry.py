"""The feature spaces: what computes each, from which settings, and what it is given.

A new space is a function in a module of this package and an entry in `SPACES`; the config, the
rules and the estimate follow. Importing this module loads none of those that compute.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from petite.data.store import Store


@dataclass(frozen=True)
class Space:
    """A feature space.

    Attributes
    ----------
    name : str
        As in the config.
    function : str or None
        What computes it: `module.function` in this package, with the arguments of `compute`. None
        for a space that the proxy's training makes, one for each seed.
    settings : tuple of str
        The keys of the config's section `features` that decide it.
    file : str or None
        The key among them that names a file of the user's.
    needs_embeddings : bool
        Whether it is made of the embeddings of the source's images.
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
        return self.function is None

    @property
    def module(self) -> str:
        """The module that computes it, such as `petite.features.pixels`."""
        assert self.function is not None
        return f"petite.features.{self.function.rpartition('.')[0]}"

    def compute(
        self, store: Store, image_ids: pd.Series, settings: Mapping[str, Any], threads: int = 1
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Compute the features of some images.

        Parameters
        ----------
        store : Store
            Of the decoded images.
        image_ids : Series of shape (n,) of str
            Which images.
        settings : mapping
            Values for the keys in `Space.settings`; for a space that needs embeddings also
            `embeddings`, the files of all shards.
        threads : int
            CPU threads to use.

        Returns
        -------
        features : ndarray of shape (n, d), float32
        record : dict
            What the record beside the file says of them, as JSON can hold it.
        """
        assert self.function is not None
        function = self.function.rpartition(".")[2]
        return getattr(importlib.import_module(self.module), function)(
            store, image_ids, settings, threads
        )


SPACES: dict[str, Space] = {
    space.name: space
    for space in (
        Space("pixels", "pixels.compute", ("dimensions", "seed")),
        Space("random_conv", "random_conv.compute", ("dimensions", "seed")),
        Space("own", "own.compute", ("path",), file="path"),
        Space("backbone", "backbone.compute", needs_embeddings=True),
        Space("proxy", None),
        Space("gradients", None, is_offered=False),
    )
}
