"""The typed configuration, and how it is put together from what was written."""
