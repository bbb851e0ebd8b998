"""The section `checks`: what the report says of the labels and of the images themselves."""

from typing import Literal

from pydantic import Field

from petite.util.validation import Strict


class CheckSettings(Strict):
    """Checks of the labels and the images, for the report; they change no other result."""

    cues: bool = Field(
        True, description="whether brightness, file size or another cue alone predicts the class"
    )
    label_errors: Literal[True, False, "random_conv", "pixels", "own"] = Field(
        True,
        description="likely label errors: true: by embeddings, if the run embeds the images; or by "
        "the features of a space; own also needs rows of the validation and test images",
    )
    near_duplicates: bool = Field(
        True,
        description="validation and test images that nearly repeat a training image, if the run "
        "embeds the images",
    )
