"""Forecasts of what a run takes: time, memory and disk, before it begins."""
