"""Petite's logger plugin for Snakemake: what the terminal shows of a run of the workflow.

`handler` is the plugin; `logs` reads the logs of the jobs, `failures` says why a job failed.
"""
