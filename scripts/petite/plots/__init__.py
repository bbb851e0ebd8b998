"""The figures: one function for each, with their inputs and captions in `registry`."""
