"""Learning rate schedules."""

import numpy as np

# one_cycle begins and ends at these fractions of the peak, as in cifar10-airbench.
FIRST_SHARE = 0.1
LAST_SHARE = 0.002


def learning_rates(schedule: str, steps: int, peak: float, warm_up: float) -> np.ndarray:
    """The learning rate of every step.

    Parameters
    ----------
    schedule : {"constant", "one_cycle"}
        one_cycle: linear from a tenth of the peak up to the peak, then linear down to 0.2% of it.
    steps : int
        Number of training steps.
    peak : float
        The maximum learning rate.
    warm_up : float
        Fraction of the steps before the peak; one_cycle only.

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
