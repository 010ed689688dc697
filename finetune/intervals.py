"""How sure a figure is: bootstrap intervals over pairs, and over the differences between two that answered the same.

Every figure is a sum over pairs divided by another (a mean, where the other counts them). Pairs are drawn again with
replacement (Efron 1979), always whole, so that what two answered to the same comment stays together.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
SEED = 42
FEWEST = 6  # pairs from which a difference can be clear: of five, all fall on one side by chance once in sixteen times

Values = NDArray[np.float64]
"""(pairs, 2): what each pair adds above the line, and below it."""


@dataclass(frozen=True)
class Figure:
    """A figure with its 95 % interval."""

    value: float
    low: float | None  # None, as `high`, where one pair tells nothing of how far others lie
    high: float | None
    pairs: int

    @property
    def clear(self) -> bool:
        """Of a difference: whether 0 lies outside its interval, and there are pairs enough to say so."""
        if self.low is None or self.high is None or self.pairs < FEWEST:
            return False
        return self.low > 0 or self.high < 0


def figure(values: Values, exp: bool = False, share: bool = False) -> Figure | None:
    """The figure that `values` give, or None for no pairs. `exp`: e to the power of it.

    `share`: each pair is a no or a yes (0 or 1). For the interval alone, one imagined pair of each is added: nine of
    nine don't prove that the tenth will be alike, though no resample of them shows another (as Agresti and Coull 1998).
    """
    return _figure([values], exp, share)


def difference(ours: Values, theirs: Values, exp: bool = False, share: bool = False) -> Figure | None:
    """The figure of `ours` minus that of `theirs`, whose rows are of the same pairs; see `figure`."""
    return _figure([ours, theirs], exp, share)


def means(values: list[float]) -> Values:
    """Values whose figure is their mean."""
    return np.column_stack([np.asarray(values, dtype=np.float64), np.ones(len(values))])


def jackknifed(whole: float, without: list[float]) -> Values:
    """Values for a figure that is no sum over pairs: `whole` is it, `without` what it is without each pair.

    Their mean is `whole`, and they differ as the jackknife's pseudo-values do (Tukey 1958). To draw pairs again would
    not do where repeats are what is counted.
    """
    left_out = np.asarray(without, dtype=np.float64)
    return means(list(whole + (len(without) - 1) * (left_out.mean() - left_out)) if without else [])


def _figure(sides: list[Values], exp: bool, share: bool) -> Figure | None:
    pairs = len(sides[0])
    if not pairs:
        return None
    value = float(_level(sides, np.ones((1, pairs)), exp)[0])
    if share:
        ends = np.array([[0.0, 1.0], [1.0, 1.0]])
        sides = [np.vstack([side, ends[:: 1 - 2 * at]]) for at, side in enumerate(sides)]
    rows = len(sides[0])
    if rows < 2:
        return Figure(value, None, None, pairs)
    low, high = np.quantile(_level(sides, _drawn(rows), exp), [_tail(rows), 1 - _tail(rows)])
    if share:  # the jackknife may lead past the ends
        low, high = np.clip([low, high], 1.0 - len(sides), 1.0)
    return Figure(value, float(low), float(high), pairs)


def _level(sides: list[Values], weights: NDArray[np.float64], exp: bool) -> NDArray[np.float64]:
    """The figure, or the difference of two, for each row of `weights`: how often each pair was drawn."""
    levels = [(weights @ side[:, 0]) / (weights @ side[:, 1]) for side in sides]
    if exp:
        levels = [np.exp(level) for level in levels]
    return levels[0] - levels[1] if len(levels) == 2 else levels[0]


@lru_cache(maxsize=8)
def _drawn(rows: int) -> NDArray[np.float64]:
    """(RESAMPLES, rows): how often each row is drawn; the same each time, so that figures are repeatable."""
    drawn = np.random.default_rng(SEED).multinomial(rows, np.full(rows, 1 / rows), size=RESAMPLES)
    return drawn.astype(np.float64)


def _tail(rows: int) -> float:
    """The share of resamples left out at each end.

    With few pairs 2.5 % is too narrow; this widens it as Student's t does (Hesterberg 2015, arXiv:1411.5279, the
    expanded percentile interval). The quantile of t is Cornish and Fisher's expansion.
    """
    z, nu = NormalDist().inv_cdf(0.975), rows - 1
    t = (
        z
        + (z**3 + z) / (4 * nu)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * nu**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * nu**3)
    )
    return NormalDist().cdf(-t * math.sqrt(rows / nu))
