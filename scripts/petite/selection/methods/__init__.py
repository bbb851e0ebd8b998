"""The selection methods, one family per module."""
