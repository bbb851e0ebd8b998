"""The section `evidence`: how subsets are compared."""

from typing import Literal

from pydantic import Field

from petite.util.validation import Strict


class EvidenceSettings(Strict):
    """How subsets are compared."""

    tolerance: float = Field(
        0.01,
        gt=0,
        lt=1,
        description="acceptable loss of the metric against the full set; 0.01 is one point",
    )
    metric: Literal["auto", "accuracy", "balanced_accuracy"] = Field(
        "auto",
        description="metric to compare; auto: balanced_accuracy if the largest class has more "
        "than twice the test images of the smallest, otherwise accuracy",
    )
    pilot_sd: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="standard deviation of paired differences in an earlier run; 0.01 is one point",
    )
