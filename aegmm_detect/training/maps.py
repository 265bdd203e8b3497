"""Training of self-organising maps as settings say."""

from collections.abc import Sequence

import numpy as np

from aegmm_detect.configs.maps import MapTraining
from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.numerics.som_training import trained_map
from aegmm_detect.types import FloatArray


def train_map(
    X: FloatArray,
    side: int,
    seed: int | np.random.SeedSequence,
    training: MapTraining | None = None,
) -> FloatArray:
    """Train one map.

    Parameters
    ----------
    X
        Prepared rows, (N, F).
    side
        Nodes along either axis, 2 or more; ``numerics.som_training.default_side`` has a rule.
    seed
        The same seed and rows make the same map.
    training
        Settings. None for the defaults of `MapTraining`.

    Returns
    -------
    The map, float32 (side, side, F).

    Raises
    ------
    ConfigurationError
        If `side` is not a whole number of at least 2.
    InvalidInputError
        If there are no rows, or if rows are not flat or not finite.
    """
    return trained_map(X, side, seed, **dict(training or MapTraining()))


def train_maps(
    X: FloatArray, sides: Sequence[int], seed: int, training: MapTraining | None = None
) -> tuple[FloatArray, ...]:
    """Train several maps, each with random numbers of its own.

    With more sides, the first maps stay the same.

    Parameters
    ----------
    X, training
        As for `train_map`.
    sides
        Nodes along either axis of each map.
    seed
        The same seed and rows make the same maps.

    Returns
    -------
    Maps, float32 (S, S, F), each with its own S.

    Raises
    ------
    ConfigurationError, InvalidInputError
        As `train_map`, or `sides` is empty.
    """
    if not len(sides):
        raise ConfigurationError("sides=[]: pass the side of each map, such as [16, 16].")
    seeds = np.random.SeedSequence(seed).spawn(len(sides))
    return tuple(train_map(X, side, own, training) for side, own in zip(sides, seeds, strict=True))
