"""The search within a budget of bytes, on surfaces whose best point is known."""

import math

import numpy as np
import pytest

from petite.training.byte_search import (
    Measured,
    NoRoom,
    Point,
    coarse_grid,
    count_within,
    search,
)

LARGEST = 128


def bytes_of(point: Point) -> float:
    """About what WebP takes for a photograph."""
    return 60 + 0.02 * point.side**1.7 * point.quality**0.35


def surface(budget: float, most: int, noise: float = 0.0, seed: int = 0):
    """Accuracy rises with the count, the side and the quality; the budget makes them compete."""
    rng = np.random.default_rng(seed)

    def value(point: Point) -> Measured | None:
        count = min(most, int(budget / bytes_of(point)))
        if count < 2:
            return None
        loss = 0.6 * count**-0.35 + 0.4 * 2 ** (-point.side / 14) + 0.15 * 2 ** (-point.quality / 6)
        return Measured(point, count, 0.99 - loss + noise * rng.normal())

    return value


def best(budget: float, most: int) -> float:
    value = surface(budget, most)
    points = [Point(side, q) for side in range(16, LARGEST + 1, 4) for q in range(3, 91)]
    return max(one.score for point in points if (one := value(point)))


@pytest.mark.parametrize("budget", [3_000, 20_000, 200_000, 3_000_000])
@pytest.mark.parametrize("most", [500, 20_000])
def test_it_comes_within_a_point_of_the_optimum_within_the_budget(budget: int, most: int) -> None:
    losses = []
    for seed in range(10):
        measured: list[Point] = []
        noisy, exact = surface(budget, most, 0.003, seed), surface(budget, most)

        def measure(point: Point, noisy=noisy, measured=measured) -> Measured | None:
            measured.append(point)
            return noisy(point)

        winner, found = search(LARGEST, measure)
        assert winner in found and len(measured) == len(set(measured)) <= 16
        assert winner.images * bytes_of(winner.point) <= budget
        true = exact(winner.point)
        assert true
        losses.append(best(budget, most) - true.score)
    assert np.mean(losses) < 0.01


def test_a_quadratic_optimum_is_found_though_it_is_not_on_the_grid() -> None:
    def measure(point: Point) -> Measured:
        x, y = math.log2(point.side / 60), math.log2(point.quality / 11)
        return Measured(point, 10, 0.9 - 0.05 * x * x - 0.02 * y * y + 0.01 * x * y)

    winner, _ = search(LARGEST, measure)
    assert winner.score > 0.898


def test_the_highest_of_many_equal_points_is_not_taken_for_its_luck() -> None:
    """One lucky point far from the maximum of a smooth surface."""

    def measure(point: Point) -> Measured:
        x = math.log2(point.side / 56)
        lucky = 0.03 * (point == Point(128, 5))
        return Measured(point, 10, 0.9 - 0.05 * x * x + lucky)

    assert search(LARGEST, measure)[0].point.side < 100


def test_sides_are_those_that_the_judge_sees() -> None:
    for largest in (16, 20, 64, 96, 224):
        sides = {point.side for point in coarse_grid(largest)}
        assert max(sides) == largest and min(sides) >= 16 and len(sides) <= 4


def test_a_budget_for_one_point_only_is_searched_without_a_surface() -> None:
    winner, found = search(
        LARGEST, lambda point: Measured(point, 2, 0.5) if point == Point(32, 5) else None
    )
    assert winner.point == Point(32, 5) and found == [winner]
    with pytest.raises(NoRoom):
        search(LARGEST, lambda point: None)


def test_subsets_of_other_images_are_within_the_budget_too() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.lognormal(6, 0.4, 20_000).astype(np.int64)
    for budget in (10_000, 50_000, 2_000_000):
        count = count_within(budget, sizes[:200], 60, len(sizes))
        totals = np.array(
            [
                60 + sum(size + len(str(size)) + 1 for size in rng.choice(sizes, count).tolist())
                for _ in range(200)
            ]
        )
        assert (totals <= budget).mean() > 0.97
        assert totals.mean() > 0.5 * budget
    assert count_within(50, sizes[:200], 60, 100) == 0


# Photographs of cats and dogs in 96.5 KB, by a probe: side, quality and validation accuracy.
PHOTOGRAPHS = {
    **{(48, 5): 0.922, (48, 20): 0.952, (48, 60): 0.965},
    **{(80, 5): 0.945, (80, 20): 0.963, (80, 60): 0.970},
    **{(128, 5): 0.973, (128, 20): 0.967, (128, 60): 0.960},
    **{(200, 5): 0.968, (200, 20): 0.955, (200, 60): 0.942},
}


def test_a_ridge_that_runs_across_the_grid_is_followed() -> None:
    """Small images of high quality are as good as large ones of low quality."""

    def measure(point: Point) -> Measured:
        x, y = math.log2(point.side / 100), math.log2(point.quality / 12)
        return Measured(point, 9, PHOTOGRAPHS.get(point, 0.972 - 0.012 * (0.8 * x + 0.45 * y) ** 2))

    winner, _ = search(200, measure)
    assert winner.score > 0.962
