"""Subsets as tables, and augmented images as recipes."""
