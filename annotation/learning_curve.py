"""What more labels are worth: a power law through the points of the curve, carried on to the next labels, with its interval.

y = a - b * n^-c by weighted least squares, later points heavier (Figueroa et al., "Predicting sample size required for
classification performance", 2012). For each c the best a and b are those of a linear regression, so c alone is searched,
over a grid, for a thousand curves at once: pages can afford it, and nothing has to be imported.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from maner_core.evaluation import FEWEST_SENTENCES, Counts

Floats = npt.NDArray[np.float64]

FEWEST_SIZES = 4
"""Different numbers of labels that a curve with three unknowns is fitted to at least."""
EXPONENTS = np.geomspace(0.05, 2.0, 60)
DRAWS = 500


@dataclass(frozen=True, slots=True)
class Forecast:
    """The F1 (0 to 1) that so many more labels are expected to add, with its 95 % interval."""

    labels: int
    gain: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """y = a - b * n^-c; each (n_curves,)."""

    a: Floats
    b: Floats
    c: Floats

    def __call__(self, n: float) -> Floats:
        """The height of each curve at n labels."""
        height: Floats = self.a - self.b * n**-self.c
        return height


def fit(sizes: npt.ArrayLike, heights: npt.ArrayLike) -> PowerLaw:
    """The best curve with a <= 1 and b >= 0 for each row of `heights` (n_curves, n_points) at `sizes` (n_points,) > 0.

    A point weighs as much as it has labels.
    """
    n, y = np.asarray(sizes, dtype=np.float64), np.atleast_2d(np.asarray(heights, dtype=np.float64))
    w = n / n.sum()  # (n_points,)
    x = n ** -EXPONENTS[:, None]  # (n_exponents, n_points)
    x_mean, y_mean = x @ w, y @ w  # (n_exponents,), (n_curves,)
    x_variance = (x - x_mean[:, None]) ** 2 @ w
    covariance = y @ (w * (x - x_mean[:, None])).T  # (n_curves, n_exponents)
    b = np.maximum(-covariance / x_variance, 0.0)
    a = y_mean[:, None] + b * x_mean
    # Where the ceiling would lie above 1 it is 1, and only the slope is left to choose.
    b_below_1 = np.maximum((1 - y) @ (w * x).T / (x**2 @ w), 0.0)
    a, b = np.where(a > 1, 1.0, a), np.where(a > 1, b_below_1, b)
    errors = ((y[:, None, :] - a[:, :, None] + b[:, :, None] * x) ** 2) @ w
    rows, best = np.arange(len(y)), errors.argmin(axis=1)
    return PowerLaw(a[rows, best], b[rows, best], EXPONENTS[best])


def forecast(
    sizes: Sequence[int], counts: Sequence[Counts], more: Sequence[int], draws: int = DRAWS, seed: int = 0
) -> list[Forecast]:
    """What `more` labels are expected to add to the last of `sizes`.

    [] for fewer than FEWEST_SIZES different sizes, or than FEWEST_SENTENCES evaluation sentences. `counts` has
    (n_sentences, 3) entity counts of each run on the same evaluation sentences. The interval holds both noises: evaluation
    sentences are drawn anew for all runs together, and what the curve does not explain, that is by how much trainings
    differ by chance, is drawn from its residuals.
    """
    if len(set(sizes)) < FEWEST_SIZES or len(counts[0]) < FEWEST_SENTENCES:
        return []
    n = np.asarray(sizes, dtype=np.float64)
    table = np.stack(counts).astype(np.float64)  # (n_runs, n_sentences, 3)
    curve = fit(n, _f1(table.sum(axis=1)))
    rng = np.random.default_rng(seed)
    n_sentences = table.shape[1]
    weights = rng.multinomial(n_sentences, np.full(n_sentences, 1 / n_sentences), size=draws).astype(np.float64)
    resampled = _f1(np.einsum("ds,rsk->drk", weights, table))  # (draws, n_runs)
    residuals = _f1(table.sum(axis=1)) - np.array([curve(size)[0] for size in n])
    spread = np.sqrt(len(n) / max(len(n) - 3, 1))  # three unknowns take that much of the noise into the curve
    curves = fit(n, resampled + spread * rng.choice(residuals, size=resampled.shape))
    last = float(n[-1])
    forecasts = []
    for labels in more:
        gain = float((curve(last + labels) - curve(last))[0])
        low, high = np.quantile(curves(last + labels) - curves(last), [0.025, 0.975])
        forecasts.append(Forecast(labels, gain, min(float(low), gain), max(float(high), gain)))
    return forecasts


def _f1(totals: Floats) -> Floats:
    f1: Floats = 2 * totals[..., 0] / np.maximum(totals[..., 1] + totals[..., 2], 1)
    return f1
