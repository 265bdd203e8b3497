"""Arguments that are single numbers: which ones fit."""

import math
from typing import Any

import numpy as np

from aegmm_detect.exceptions import ConfigurationError


def check_percentage(perc: Any) -> float:
    """`perc` as a float.

    Raises
    ------
    ConfigurationError
        If it is no number or outside [0, 100].
    """
    number = _number(perc)
    if not 0.0 <= number <= 100.0:
        raise ConfigurationError(
            f"threshold_perc={perc!r}: pass a number from 0 to 100, such as 95."
        )
    return number


def check_share(share: Any, name: str) -> float:
    """`share` as a float; `name` is the argument's.

    Raises
    ------
    ConfigurationError
        If it is no number or not between 0 and 1.
    """
    number = _number(share)
    if not 0.0 < number < 1.0:
        raise ConfigurationError(
            f"{name}={share!r}: pass a number between 0 and 1, such as 0.01 for 1 %."
        )
    return number


def check_positive(value: Any, name: str) -> float:
    """`value` as a float; `name` is the argument's.

    Raises
    ------
    ConfigurationError
        If it is no number, not positive or infinite.
    """
    number = _number(value)
    if not 0.0 < number < math.inf:
        raise ConfigurationError(f"{name}={value!r}: pass a positive number.")
    return number


def check_threshold(value: Any) -> float:
    """`value` as a float, which may be infinite.

    Raises
    ------
    ConfigurationError
        If it is no number.
    """
    number = _number(value)
    if math.isnan(number):
        raise ConfigurationError(
            f"threshold={value!r} is not a number. Pass one, or leave it out and call "
            "infer_threshold(X) after fit."
        )
    return number


def _number(value: Any) -> float:
    try:
        # float() takes text and truth values, too.
        return math.nan if isinstance(value, (str, bytes, bool, np.bool_)) else float(value)
    except (TypeError, ValueError):
        return math.nan
