"""Feature spaces: the vectors by which selection methods compare images."""
