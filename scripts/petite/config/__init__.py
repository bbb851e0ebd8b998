"""The configuration of a run.

    config = load(mapping)      checked and typed, or one error with all that is wrong
    plan = Plan(config)         what follows from it: subsets, runs and what they are made of

A section has a module of its own name; `schema` puts them together, `messages` says what is wrong,
and `layers` finds out what was written where.
"""

from petite.config.plan import Plan
from petite.config.schema import Config, load

__all__ = ["Config", "Plan", "load"]
