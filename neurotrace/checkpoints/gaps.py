"""Steps that a regular series of checkpoints lacks."""

from collections.abc import Sequence
from itertools import pairwise

MOST = 10  # a hole wider than this many gaps is a change of schedule, no loss


def regular_gaps(steps: Sequence[int]) -> list[int]:
    """The steps missing from a series that lies on a regular grid around the hole.

    A gap counts as a hole where it is m times (2 to 10) as wide as the gaps beside it: two on
    either side where there are as many, and one at least, all of them equal. A series whose
    gaps grow (0 1 2 4 8 …) has no holes, and neither end of a series can have one.

    Parameters
    ----------
    steps
        Steps of one stage, in any order; repeats count once.

    Returns
    -------
    The missing steps, ascending.

    Examples
    --------
    >>> regular_gaps([0, 10, 20, 40, 50])
    [30]
    >>> regular_gaps([0, 1, 2, 4, 8, 16])
    []
    """
    ordered = sorted(set(steps))
    widths = [after - before for before, after in pairwise(ordered)]
    missing: list[int] = []
    for index, width in enumerate(widths):
        left, right = widths[max(0, index - 2) : index], widths[index + 1 : index + 3]
        beside = {*left, *right}
        if not left or not right or len(beside) > 1:
            continue
        (grid,) = beside
        if width % grid == 0 and 2 <= width // grid <= MOST:
            missing += range(ordered[index] + grid, ordered[index + 1], grid)
    return missing
