"""The section `evidence`: how subsets are compared."""

from pydantic import Field

from petite.config.values import MetricName
from petite.evaluation.metrics import AUTO
from petite.util.validation import Strict


class EvidenceSettings(Strict):
    """How subsets are compared."""

    tolerance: float = Field(
        0.01,
        gt=0,
        lt=1,
        description="acceptable loss of the metric against the full set; 0.01 is one point",
    )
    metric: MetricName = Field(
        AUTO,
        description="metric to compare; auto: balanced_accuracy if the largest class has more "
        "than twice the test images of the smallest, otherwise accuracy",
    )
    pilot_sd: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="standard deviation of paired differences in an earlier run; 0.01 is one point",
    )
