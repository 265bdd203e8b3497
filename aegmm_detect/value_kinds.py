"""What values that are not numbers are, and how each kind becomes numbers.

Only errors ask: whatever holds numbers never gets here.
"""

import datetime
import decimal
import numbers
import reprlib
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

from aegmm_detect.types import Array

Kind = Literal["dates", "durations", "decimals", "numbers", "nearly", "commas", "text"]
# Of the values that are there: a column with more numbers than that is numeric, and has errors.
_MOSTLY = 0.5


class Found(NamedTuple):
    """What a column holds."""

    kind: Kind
    value: Any = None  # the first that is not a number
    row: int = 0  # of it, counted from 0
    n_bad: int = 0  # such values

    @property
    def shown(self) -> str:
        """The value, short."""
        text = str(self.value) if isinstance(self.value, np.str_) else self.value
        return reprlib.repr(text)


def look_at(values: Array) -> Found:
    """Kind of the values (N,) of a column that is not numeric, missing ones apart."""
    if values.dtype.kind in "Mm":
        return Found("dates" if values.dtype.kind == "M" else "durations")
    present = [(row, value) for row, value in enumerate(values) if not is_missing(value)]
    if not present:
        return Found("text", None)
    types: tuple[tuple[Kind, Any], ...] = (
        ("dates", (datetime.date, np.datetime64)),
        ("durations", (datetime.timedelta, np.timedelta64)),
        ("decimals", decimal.Decimal),
    )
    for kind, own in types:
        if all(isinstance(value, own) for _, value in present):
            return Found(kind, present[0][1], present[0][0])
    bad = [(row, value) for row, value in present if not _parses(value, float)]
    if not bad:
        return Found("numbers", present[0][1], present[0][0])
    (row, value), n_bad = bad[0], len(bad)
    if n_bad < (1.0 - _MOSTLY) * len(present):
        return Found("nearly", value, row, n_bad)
    if sum(_parses(value, _with_comma) for _, value in bad) > _MOSTLY * n_bad:
        return Found("commas", value, row, n_bad)
    if all(_parses(value, datetime.datetime.fromisoformat) for _, value in present[:100]):
        return Found("dates", value, row, n_bad)
    return Found("text", value, row, n_bad)


def is_missing(value: Any) -> bool:
    """Whether a value stands for none: None, NaN, pandas' NA and NaT."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))


def remedy(found: Found, column: str) -> str:
    """How `column`, an expression such as ``X['a']``, becomes numbers."""
    match found.kind:
        case "dates":
            how = ", format='ISO8601'" if isinstance(found.value, str) else ""
            return (
                "dates: take what matters about them as numbers, such as the hour or the seconds "
                f"since a fixed day, (pd.to_datetime({column}{how}) - pd.Timestamp('2000-01-01'))"
                ".dt.total_seconds()"
            )
        case "durations":
            return f"durations: use {column}.dt.total_seconds()"
        case "decimals":
            return f"decimal.Decimal: use {column}.astype(float)"
        case "numbers":
            return f"numbers stored as text, such as {found.shown}: use {column}.astype(float)"
        case "nearly":
            return (
                f"numbers stored as text except for {found.n_bad} "
                f"value{'s' if found.n_bad > 1 else ''}, the first {found.shown} in row "
                f"{found.row} (counted from 0): pd.to_numeric({column}, errors='coerce') makes "
                "those NaN"
            )
        case "commas":
            return (
                f"numbers with a comma, such as {found.shown}: where it is the decimal sign, use "
                f"{column}.str.replace(',', '.').astype(float)"
            )
        case "text":
            what = "text" if isinstance(found.value, (str, bytes)) else "objects"
            example = "" if found.value is None else f", such as {found.shown}"
            return (
                f"{what}{example}: encode it, for example with "
                "sklearn.preprocessing.OneHotEncoder, or drop it"
            )


def _with_comma(value: Any) -> float:
    return float(value.replace(".", "").replace(",", "."))


def _parses(value: Any, parse: Callable[[Any], Any]) -> bool:
    # float() also takes arrays of one number.
    if not isinstance(value, (str, bytes, numbers.Real, np.bool_)):
        return False
    try:
        parse(value)
    except (TypeError, ValueError, AttributeError):
        return False
    return True
