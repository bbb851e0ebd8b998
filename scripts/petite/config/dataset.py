"""The section `dataset`: where the images come from and how they are stored."""

import re
from glob import has_magic
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from petite.config.values import UserPath, check_no_wildcard
from petite.data.addresses import WEB, is_supported
from petite.data.sources import SOURCES, USUAL_LIMITS
from petite.data.sources.layout import nfc
from petite.util.hints import unknown
from petite.util.validation import Strict

# A folder of results/: letters and digits of any script.
NAME = re.compile(r"\w[\w.-]*")
ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
INFINITY = float("inf")


def _named(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot name a folder of results/: use letters, digits, '_', '-' and '.', "
            "and begin with a letter or a digit"
        )
    return name


class ColumnSettings(Strict):
    """The names of what is read in a source of rows."""

    image: str | None = Field(
        None,
        min_length=1,
        description="column of images; null: found by type and name",
    )
    label: str | None = Field(
        None,
        min_length=1,
        description="column of labels; null: found by type and name",
    )
    split: str | None = Field(
        None,
        min_length=1,
        description="column of train, validation or test; null: found by name",
    )
    group: str | None = Field(
        None,
        min_length=1,
        description="column of groups that stay on one side of the split; null: found by name",
    )


class DatasetSettings(Strict):
    """Where the images come from and how they are stored."""

    name: Annotated[str, AfterValidator(_named)] = Field(
        "silhouettes", description="results go to results/<name>/"
    )
    source: str = Field("silhouettes", description=", ".join(SOURCES))
    path: UserPath | None = Field(
        None,
        description="folder, lsun, huggingface: a folder; archive, npz: a file; parquet, "
        "webdataset: a file, a folder or a pattern; or a URL",
    )
    sha256: str | None = Field(
        None,
        pattern=r"^[0-9a-fA-F]{64}$",
        description="expected SHA-256 of a downloaded file; null: any",
    )
    columns: ColumnSettings = ColumnSettings()
    classes: list[str] | None = Field(None, description="classes to use, in order; null: all")
    limit_per_class: int | None = Field(
        None, ge=2, description="use at most this many readable images per class; null: all"
    )
    min_per_class: int | None = Field(
        None,
        ge=1,
        description="exclude classes with fewer distinct images; null: exclude none",
    )
    image_size: int = Field(
        28, ge=8, le=1024, description="side length of the stored square images, in pixels"
    )
    color: Literal["gray", "rgb"] = Field("gray", description="color of the stored images")
    depth: Literal["stretch", "each", "full"] | tuple[float, float] = Field(
        "stretch",
        description="range of values that maps to black and white, above 8 bits per channel",
    )
    max_bad_share: float = Field(
        0.1, ge=0, lt=1, description="stop if a larger share of the files is unreadable"
    )
    min_side: int = Field(8, ge=1, description="exclude originals with a shorter side, in pixels")
    max_pixels: int = Field(50_000_000, ge=1, description="exclude originals with more pixels")
    max_bytes: int = Field(
        USUAL_LIMITS.max_bytes, ge=1, description="exclude originals with more bytes"
    )
    max_seconds: float = Field(
        60, gt=0, le=86_400, description="exclude originals that take longer to decode, in seconds"
    )
    max_entries: int = Field(
        USUAL_LIMITS.max_entries, ge=1, description="refuse an archive with more entries"
    )
    near_copy_distance: int | None = Field(
        None,
        ge=0,
        le=16,
        description="bits by which near duplicates may differ, of 64; null: exact duplicates only",
    )
    shards: int = Field(
        2,
        ge=1,
        le=10_000,
        description="number of jobs of ingest, embedding and soft labels that can run in parallel",
    )

    @field_validator("depth", mode="before")
    @classmethod
    def _depth_is_known(cls, value: Any) -> Any:
        is_name = isinstance(value, str) and value in ("stretch", "each", "full")
        is_range = (
            isinstance(value, list | tuple)
            and len(value) == 2
            and all(isinstance(count, int | float) and abs(count) < INFINITY for count in value)
            and value[0] < value[1]
        )
        if not is_name and not is_range:
            raise PydanticCustomError(
                "depth",
                "must be stretch, each, full, or the two values that become black and white, such "
                "as [0, 4095]",
            )
        return value

    @field_validator("classes")
    @classmethod
    def _spelled_as_listed(cls, classes: list[str] | None) -> list[str] | None:
        """Spell as the sources do: é is one character on some systems, and two on others."""
        return classes and [nfc(name) for name in classes]

    @model_validator(mode="after")
    def _path_fits_the_source(self) -> "DatasetSettings":
        if self.source not in SOURCES:
            raise ValueError(f"source: {unknown(self.source, SOURCES, 'source')}")
        if SOURCES[self.source].takes_path():
            if not self.path:
                raise ValueError(f"path: the source '{self.source}' needs a path")
            self._check_path(self.path)
        elif self.path is not None:
            raise ValueError(f"path: the source '{self.source}' takes no path: set it to null")
        if self.columns != ColumnSettings() and not SOURCES[self.source].takes_columns:
            having = " or ".join(name for name, kind in SOURCES.items() if kind.takes_columns)
            raise ValueError(
                f"columns: the source '{self.source}' has none: set them to null, or the source "
                f"to {having}"
            )
        return self

    def _check_path(self, path: str) -> None:
        source = SOURCES[self.source]
        if "\0" in path:
            raise ValueError(f"path: {path!r} has a zero byte in it")
        scheme = ADDRESS.match(path)
        if scheme and not is_supported(scheme[1].lower()):
            raise ValueError(
                f"path: '{scheme[0]}' is not supported: give an http:// or https:// URL, that "
                "of an object store (s3://, gs://), or a path"
            )
        if scheme:
            is_web = scheme[1].lower() in WEB
            takes = source.takes_address or (source.takes_remote_folder and not is_web)
            if not takes or (is_web and source.is_folder_at(path)):
                raise ValueError(f"path: {source.instead_of_address}")
            if not is_web and has_magic(path):
                raise ValueError(
                    f"path: {path!r} has a pattern, which works only for local files: give the "
                    "folder"
                )
        if not scheme and not source.has_fingerprints and not source.has_pattern:
            check_no_wildcard(path)

    @model_validator(mode="after")
    def _classes_differ(self) -> "DatasetSettings":
        if self.classes is not None:
            if len(self.classes) < 2:
                raise ValueError(f"classes: name two or more, or null for all, got {self.classes}")
            if len(set(self.classes)) < len(self.classes):
                raise ValueError(f"classes: a class is named twice in {self.classes}")
        return self

    @property
    def channels(self) -> int:
        """Number of color channels: 1 for gray, 3 for RGB."""
        return 3 if self.color == "rgb" else 1

    @property
    def is_remote_folder(self) -> bool:
        """Whether the images are a folder in an object store."""
        is_address = bool(ADDRESS.match(self.path or ""))
        return is_address and SOURCES[self.source].is_folder_at(str(self.path))

    @property
    def is_remote(self) -> bool:
        """Whether the images must be downloaded first."""
        return SOURCES[self.source].wheel is not None or bool(ADDRESS.match(self.path or ""))
