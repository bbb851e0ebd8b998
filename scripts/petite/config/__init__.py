"""The configuration of a run: validated, typed, and the plan that follows from it.

    config = load(mapping)      validated and typed, or one error that lists all problems
    plan = Plan(config)         the subsets and runs, and the settings that each depends on

Each section has a module of the same name. `schema` combines them, `messages` describes problems,
and `layers` finds where each value was written.
"""

from petite.config.plan import Plan
from petite.config.schema import Config, load

__all__ = ["Config", "Plan", "load"]
