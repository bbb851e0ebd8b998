"""The figures: a function for each, and their facts in `registry`."""
