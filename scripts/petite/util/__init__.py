"""What all parts of Petite use: files, memory, seeds, errors, messages and formats."""
