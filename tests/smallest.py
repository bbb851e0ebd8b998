"""The whole workflow, as small as it can be."""

from typing import Any

# For a run to the default target whose figures nothing reads: they take as long as all else.
WITHOUT_FIGURES = ("--omit-from", "figures")


def smallest(
    methods: dict[str, list[float]],
    classes: str = "01",
    steps: int = 8,
    evaluations: int = 2,
    **sections: Any,
) -> dict[str, Any]:
    """A configuration of the name `tiny`, on scikit-learn's digits.

    methods: the fractions of each; classes: the digits; steps, evaluations: of the training;
    sections: in place of those here, or others.
    """
    return {
        "dataset": {"name": "tiny", "source": "digits", "classes": [*classes], "image_size": 8},
        "methods": {name: {"fractions": fractions} for name, fractions in methods.items()},
        "judges": "scratch",
        "features": {"space": "pixels"},
        "proxy": {"of": "network"},
        "seeds": 2,
        "seeds_per_job": 2,
        "training": {
            "budget": {"steps": steps},
            "evaluations": evaluations,
            "batch_size": 16,
            # Few layers: they are traced for longer than they are trained.
            "compact": {"widths": [4, 8], "halvings": [1], "residual_blocks": [0]},
        },
    } | sections
