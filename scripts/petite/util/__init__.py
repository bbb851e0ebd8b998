"""What all parts of Petite use: files, memory, seeds, errors, and what a step says."""
