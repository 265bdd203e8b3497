"""Checks of arguments that are single numbers."""

import math
from typing import Any

import numpy as np

from aegmm_detect.exceptions import ConfigurationError


def check_percentage(perc: Any, name: str) -> float:
    """Return `perc` as a float; `name` is the name of the argument.

    Raises
    ------
    ConfigurationError
        If it is not a number from 0 to 100.
    """
    number = _number(perc)
    if not 0.0 <= number <= 100.0:
        raise ConfigurationError(f"{name}={perc!r}: pass a number from 0 to 100, such as 95.")
    return number


def check_share(share: Any, name: str) -> float:
    """Return `share` as a float; `name` is the name of the argument.

    Raises
    ------
    ConfigurationError
        If it is not a number between 0 and 1, both excluded.
    """
    number = _number(share)
    if not 0.0 < number < 1.0:
        raise ConfigurationError(
            f"{name}={share!r}: pass a number between 0 and 1, such as 0.01 for 1 %."
        )
    return number


def check_positive(value: Any, name: str) -> float:
    """Return `value` as a float; `name` is the name of the argument.

    Raises
    ------
    ConfigurationError
        If it is not a positive, finite number.
    """
    number = _number(value)
    if not 0.0 < number < math.inf:
        raise ConfigurationError(f"{name}={value!r}: pass a positive number.")
    return number


def check_threshold(value: Any) -> float:
    """Return `value` as a float, which may be infinite.

    Raises
    ------
    ConfigurationError
        If it is not a number.
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
