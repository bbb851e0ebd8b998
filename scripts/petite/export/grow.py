"""The new images to add in class folders, in their order."""

from pathlib import Path

import pandas as pd

from petite.export.label_next import numbered_names, place_file
from petite.util.files import atomic_folder


def export_new(added: pd.DataFrame, folder: Path, images: Path, links: bool) -> None:
    """Write the files to add as CLASS/0001_name.jpg and so on, with their rank as the number.

    Parameters
    ----------
    added : DataFrame
        In order, with the columns rank, file and class.
    folder : Path
        The folder that the files are below.
    images : Path
        The folder to write; it is replaced.
    links : bool
        Whether to link to the files instead of copying them.

    Raises
    ------
    PetiteError
        If a file is gone.
    """
    with atomic_folder(images) as made:
        for name, file, class_name in zip(
            numbered_names(added), added["file"], added["class"], strict=True
        ):
            (made / class_name).mkdir(exist_ok=True)
            place_file(folder.absolute(), file, made / class_name / name, links)
