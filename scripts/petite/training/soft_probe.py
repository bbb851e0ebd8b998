"""Logistic regression on soft labels, which scikit-learn's takes only as many weighted copies."""

from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax
from sklearn.linear_model import LogisticRegression

# Those of scikit-learn's solver of the same name.
MOST_LINE_SEARCH_STEPS = 50
LEAST_PROGRESS = 64 * np.finfo(float).eps


class SoftLogisticRegression(LogisticRegression):
    """The classifier of `LogisticRegression`, fitted to probabilities of the classes.

    It minimizes the sum of weight * cross-entropy over the images, plus the squared norm of the
    weights of the channels divided by 2 C. One-hot probabilities give the classifier of hard
    labels. As there, two classes have one weight vector for their difference. `C`, `tol`,
    `max_iter` and `warm_start` are those of the base class.
    """

    coef_: NDArray[np.floating]
    intercept_: NDArray[np.floating]

    def fit(
        self,
        inputs: NDArray[np.float32],
        targets: NDArray[np.floating],
        weights: NDArray[np.float64] | None = None,
    ) -> Self:
        """Fit to `inputs` (n, d) and the probabilities of their classes, `targets` (n, classes)."""
        n, d = inputs.shape
        classes = targets.shape[1]
        units = 1 if classes == 2 else classes
        probabilities = targets / targets.sum(axis=1, keepdims=True, dtype=np.float64)
        weights = np.ones(n) if weights is None else weights
        share, total = weights / weights.sum(), weights.sum()

        def loss_and_gradient(parameters: NDArray[np.float64]) -> tuple[float, NDArray]:
            coefficients, intercepts = parameters[:-units].reshape(units, d), parameters[-units:]
            logits = (inputs @ coefficients.T.astype(inputs.dtype)).astype(np.float64) + intercepts
            if units == 1:  # the logit of the first class is 0
                logits = np.hstack([np.zeros_like(logits), logits])
            losses = logsumexp(logits, axis=1) - (probabilities * logits).sum(axis=1)
            errors = share[:, None] * (softmax(logits, axis=1) - probabilities)[:, -units:]
            slopes = (inputs.T @ errors.astype(inputs.dtype)).T.astype(np.float64)
            decay = 1 / (self.C * total)
            loss = share @ losses + decay / 2 * (coefficients**2).sum()
            gradient = slopes + decay * coefficients
            return float(loss), np.concatenate([gradient.ravel(), errors.sum(axis=0)])

        start = np.zeros(units * (d + 1))
        if self.warm_start and hasattr(self, "coef_"):
            start = np.concatenate([self.coef_.ravel(), self.intercept_]).astype(np.float64)
        found = minimize(
            loss_and_gradient,
            start,
            method="L-BFGS-B",
            jac=True,
            options={
                "maxiter": self.max_iter,
                "maxls": MOST_LINE_SEARCH_STEPS,
                "gtol": self.tol,
                "ftol": LEAST_PROGRESS,
            },
        )
        self.coef_ = found.x[:-units].reshape(units, d).astype(inputs.dtype)
        self.intercept_ = found.x[-units:].astype(inputs.dtype)
        self.classes_ = np.arange(classes)
        self.n_iter_ = np.array([found.nit])
        self.n_features_in_ = d
        return self
