"""The learning rate of each step of a training, and the steps at which it is evaluated."""

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


def evaluation_steps(steps: int, evaluations: int) -> list[int]:
    """The steps after which the model is evaluated; the last is `steps`.

    There are `evaluations` of them, evenly spaced, or one per step if there are fewer steps.
    """
    points = np.arange(1, evaluations + 1) * steps / evaluations
    return sorted({int(step) for step in np.ceil(points)})


def early_evaluation(steps: list[int], share: float) -> int:
    """Which evaluation is closest to a share of the run, from 0 (ties: the earlier)."""
    return int(np.argmin([abs(step - share * steps[-1]) for step in steps]))
