"""The keys `encodings` and `bytes`: in how many bytes the training images are stored."""

from typing import Annotated, Any, Literal

from PIL import features
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from petite.training.byte_search import parse_budget
from petite.util.encoded_names import ORIGINAL, WORDS, encoding_name
from petite.util.errors import PetiteError
from petite.util.validation import Strict

# Pillow's names of the codecs, where they are others.
IN_PILLOW = {"jpeg": "jpg"}


class EncodingSettings(Strict):
    """An encoding of the training images; `original` has neither side nor quality."""

    side: int | None = Field(
        None, ge=8, le=4096, description="side of the encoded images, in pixels"
    )
    codec: Literal["webp", "avif", "jpeg", "original"] = Field(
        description="format of the files; original: the files as they are"
    )
    quality: int | None = Field(None, ge=1, le=100, description="as the codec counts it")

    @property
    def name(self) -> str:
        """Its name in paths and tables."""
        if self.codec == ORIGINAL:
            return ORIGINAL
        assert self.side is not None and self.quality is not None
        return encoding_name(self.side, self.codec, self.quality)

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> "EncodingSettings":
        given = {"side": self.side, "quality": self.quality}
        if self.codec == ORIGINAL:
            if named := [key for key, value in given.items() if value is not None]:
                raise ValueError(f"{named[0]}: originals stay as they are: omit it")
        elif missing := [key for key, value in given.items() if value is None]:
            raise ValueError(f"{missing[0]}: is missing: {self.codec} needs a side and a quality")
        elif not features.check(IN_PILLOW.get(self.codec, self.codec)):
            raise ValueError(
                f"codec: this installation of Pillow has no {WORDS[self.codec]}: install another "
                "build of Pillow, or use another codec"
            )
        return self


def _named(value: Any) -> Any:
    """Take the word `original` for this codec."""
    return {"codec": ORIGINAL} if value == ORIGINAL else value


def _once_each(encodings: list[EncodingSettings]) -> list[EncodingSettings]:
    names = [one.name for one in encodings]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{twice[0]} is named twice")
    return encodings


Encodings = Annotated[
    list[
        Annotated[
            EncodingSettings,
            BeforeValidator(_named, json_schema_input_type=EncodingSettings | Literal["original"]),
        ]
    ],
    AfterValidator(_once_each),
    Field(min_length=1),
]


def _budget(value: Any) -> Any:
    """Check a number of bytes or of percent; a number without a unit is none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str):
        try:
            parse_budget(value)
        except PetiteError as error:
            raise ValueError(str(error)) from None
    return value


Budget = Annotated[str, BeforeValidator(_budget, json_schema_input_type=str)]
