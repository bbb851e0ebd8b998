"""Training and evaluation of classifiers: settings, the training loop, metrics.

Importing this package loads neither Keras nor a backend.
"""
