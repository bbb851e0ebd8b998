"""Petite's logger plugin for Snakemake: the terminal output of a run.

`handler` is the plugin, `logs` reads the logs of jobs, and `failures` explains why a job failed.
"""
