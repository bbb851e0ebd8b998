"""Training and judging classifiers: settings, models, the training loop, metrics.

Importing this package loads neither Keras nor a backend: only what trains does.
"""
