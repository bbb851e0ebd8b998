"""The selection methods, a family in each module."""
