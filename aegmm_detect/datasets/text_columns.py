"""Columns of a table that are not numbers: which become dummies, what is wrong with the rest."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aegmm_detect.exceptions import ConfigurationError, InvalidInputError
from aegmm_detect.extras import import_extra
from aegmm_detect.listing import some_of
from aegmm_detect.value_kinds import Found, look_at

# Dummies of a column that nobody chose to have: more are names or free text, and fill the memory.
_MOST_CATEGORIES = 1000
# A column with a value of its own for every second row names rows; small files prove nothing.
_IDENTIFIER_SHARE, _IDENTIFIERS_FROM = 0.5, 20
_SHOWN = 3  # problems that an error spells out


def with_dummies(features: Any, path: Path, one_hot: bool | str | Collection[str]) -> Any:
    """`features` with text columns turned into dummies, and decimals into numbers.

    Parameters
    ----------
    features
        Data frame.
    path
        For errors.
    one_hot
        Whether to, or the names of the columns to turn, whatever they hold.

    Raises
    ------
    ConfigurationError
        `one_hot` names columns that are not there.
    InvalidInputError
        Columns are neither numbers nor categories; says what each of them is.
    """
    pd = import_extra("pandas", "data", f"Reading {path.name}")
    chosen = _chosen(one_hot)
    if unknown := [name for name in chosen if name not in features.columns]:
        raise ConfigurationError(
            f"one_hot={some_of(unknown)}: {path} has no such features; it has "
            f"{some_of(features.columns)}."
        )
    plain: list[str] = []
    problems: list[str] = []
    encoded = list(chosen)
    for name in features:
        if name in chosen or pd.api.types.is_numeric_dtype(features[name]):
            continue
        found = look_at(features[name].to_numpy())
        if found.kind == "decimals" or (found.kind == "numbers" and not _is_text(found.value)):
            features = features.assign(**{name: features[name].astype(float)})
        elif problem := _problem(features[name], found):
            problems.append(f"the column {name!r} holds {problem}")
        else:
            (encoded if one_hot is True else plain).append(name)
    if plain:
        problems.append(
            f"the columns {some_of(plain)} do not hold numbers. Pass one_hot=True to turn text "
            f"columns into dummies, or drop={some_of(plain)}."
        )
    if problems:
        others = len(problems) - _SHOWN
        more = f" {others} other columns have such problems, too." if others > 0 else ""
        raise InvalidInputError(f"{path}: {' Also, '.join(problems[-_SHOWN:])}{more}")
    return pd.get_dummies(features, columns=encoded, dtype=np.float32) if encoded else features


def _chosen(one_hot: bool | str | Collection[str]) -> Sequence[str]:
    if isinstance(one_hot, bool):
        return ()
    return (one_hot,) if isinstance(one_hot, str) else tuple(one_hot)


def _is_text(value: Any) -> bool:
    return isinstance(value, (str, bytes))


def _problem(column: Any, found: Found) -> str | None:
    """What keeps text from being categories, and what to do; None for nothing."""
    drop, codes = f"drop={[column.name]}", f"one_hot={[column.name]}"
    if found.kind == "nearly":
        some = "one value" if found.n_bad == 1 else f"{found.n_bad} values"
        return (
            f"numbers except for {some}, the first {found.shown} in row {found.row} (counted from "
            f"0). If that stands for a missing number, pass na_values=[{found.shown}]; if these "
            f"are codes and not amounts, {codes}; otherwise correct the file, or pass {drop}."
        )
    if found.kind == "commas":
        return (
            f"numbers with a comma, such as {found.shown}. If it is the decimal sign, pass "
            f"decimal=','; otherwise correct the file, or pass {drop}."
        )
    if found.kind in ("dates", "durations"):
        return (
            f"{found.kind}, which are not categories. Turn what matters about them into numbers, "
            f"such as the hour, or pass {drop}."
        )
    if found.kind == "numbers":
        return (
            f"numbers as text, such as {found.shown}. Store them as numbers, or pass {codes} if "
            "these are codes and not amounts."
        )
    n_values, n_rows = column.nunique(), int(column.notna().sum())
    names_rows = n_values >= max(_IDENTIFIERS_FROM, _IDENTIFIER_SHARE * n_rows)
    if names_rows or n_values > _MOST_CATEGORIES:
        return (
            f"{n_values:,} different texts in {n_rows:,} rows, such as {found.shown}: these look "
            f"like names and not like categories. Pass {drop}; {codes} makes a column of each text."
        )
    return None
