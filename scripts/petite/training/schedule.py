"""Learning rate by step."""

import numpy as np

# One cycle begins at this share of the peak and ends at this one, as in cifar10-airbench.
FIRST_SHARE = 0.1
LAST_SHARE = 0.002


def learning_rates(schedule: str, steps: int, peak: float, warm_up: float) -> np.ndarray:
    """The learning rate of every step.

    Parameters
    ----------
    schedule : {"constant", "one_cycle"}
        one_cycle: linear from a tenth of the peak up to the peak, then linear down to 0.2% of it.
    steps : int
        How many steps the run has.
    peak : float
        The highest learning rate.
    warm_up : float
        Share of the steps before the peak; one_cycle only.

    Returns
    -------
    ndarray of float64, shape (steps,)

    References
    ----------
    Smith, Topin 2018, "Super-Convergence: Very Fast Training of Neural Networks Using Large
    Learning Rates" (one_cycle).
    """
    if schedule == "constant":
        return np.full(steps, peak)
    done = np.arange(steps) / steps
    down = (1 - done) / (1 - warm_up)
    up = FIRST_SHARE + (1 - FIRST_SHARE) * done / warm_up if warm_up > 0 else np.ones(steps)
    return peak * np.clip(np.minimum(up, down), LAST_SHARE, 1)
