"""Petite: how small can a training set get, which images to keep, and how sure one can be."""

__version__ = "0.1.0"
