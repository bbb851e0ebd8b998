"""The setting `seeds`: a number of runs, or looks at which what is decided gets no more of them."""

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, model_validator

from petite.evaluation.looks import Looks, usual_levels
from petite.evaluation.statistics import ALPHA, least_p
from petite.util.validation import SeedCount, Strict


class LooksSettings(Strict):
    """Seeds until decided."""

    looks: list[SeedCount] = Field(
        min_length=2, description="numbers of seeds at which the comparisons are tested"
    )
    levels: list[Annotated[float, Field(gt=0, lt=1)]] | None = Field(
        None, description="level of the tests at each look; null: 5% divided among them"
    )

    @model_validator(mode="after")
    def _looks_can_decide(self) -> "LooksSettings":
        if sorted(set(self.looks)) != self.looks:
            raise ValueError(f"looks: must rise, got {self.looks}: write {sorted(set(self.looks))}")
        levels = self.as_looks().levels
        if len(levels) != len(self.looks):
            raise ValueError(
                f"levels: give one for each of the {len(self.looks)} looks, got {len(levels)}"
            )
        if sum(levels) > ALPHA + 1e-9:
            raise ValueError(
                f"levels: their sum, the rate of false effects, must be at most {ALPHA:g}, got "
                f"{sum(levels):g}"
            )
        for seeds, level in zip(self.looks, levels, strict=True):
            if (least := least_p(seeds)) > level:
                raise ValueError(
                    f"looks: {seeds} seeds cannot decide a comparison with random: the smallest p "
                    f"that they can give is {least:.3g}, and the level of this look is "
                    f"{level:.3g}: leave this look out"
                )
        return self

    def as_looks(self) -> Looks:
        """The looks with their levels."""
        seeds = tuple(self.looks)
        return Looks(seeds, usual_levels(seeds) if self.levels is None else tuple(self.levels))


def _kind(value: Any) -> str:
    return "[looks]" if isinstance(value, dict | LooksSettings) else "[number]"


# The tags are not part of the key in messages, as "[key]" is not.
Seeds = Annotated[
    Annotated[SeedCount, Tag("[number]")] | Annotated[LooksSettings, Tag("[looks]")],
    Discriminator(_kind),
]
