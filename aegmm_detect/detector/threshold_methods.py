"""The methods of `infer_threshold`. Their arguments are checked before rows are scored."""

import dataclasses
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from aegmm_detect import argument_checks
from aegmm_detect.detector import threshold_advice
from aegmm_detect.detector.threshold_warnings import warn_of_labels, warn_of_ties
from aegmm_detect.exceptions import ConfigurationError, InvalidInputError
from aegmm_detect.input_checks import INLIER, check_label_count, check_labels
from aegmm_detect.numerics import labelled_thresholds, thresholds
from aegmm_detect.types import BoolArray, FloatArray, IntArray

logger = logging.getLogger(__name__)

DEFAULT_PERCENTAGE = 95.0


@dataclasses.dataclass(frozen=True)
class Method:
    """A method: its function of scores and of arguments of `infer_threshold`, in this order."""

    infer: Callable[..., float]
    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()  # arguments with a default
    # Share of rows the method should flag, from the arguments given.
    share: Callable[[Mapping[str, Any]], float] | None = None
    # Number of rows it flags out of n rows, if all scores differ. With ties it flags fewer.
    asks: Callable[[Mapping[str, Any], int], float] | None = None
    held_out: bool = False  # whether its rows must not be training rows
    advice: threshold_advice.Advice = threshold_advice.none  # advice to append to its errors

    @property
    def takes(self) -> tuple[str, ...]:
        """Names of all its arguments."""
        return self.needs + self.may


def _of_inliers(given: Mapping[str, Any], n: int) -> float:
    """Number of `n` rows above the conformal threshold for a rate of `fpr`."""
    return math.floor((n + 1) * given["fpr"]) - 1


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "percentile": Method(
            thresholds.percentile,
            ("threshold_perc",),
            share=lambda given: (100.0 - given["threshold_perc"]) / 100.0,
            asks=lambda given, n: (100.0 - given["threshold_perc"]) / 100.0 * n,
        ),
        "contamination": Method(
            thresholds.contamination,
            ("contamination",),
            share=lambda given: given["contamination"],
            asks=lambda given, n: round(given["contamination"] * n),
        ),
        "fpr": Method(
            thresholds.conformal,
            ("fpr",),
            asks=_of_inliers,
            held_out=True,
            advice=threshold_advice.on_fpr,
        ),
        "pot": Method(thresholds.pot, ("fpr",), held_out=True, advice=threshold_advice.on_pot),
        "mad": Method(thresholds.mad, (), ("k",), advice=threshold_advice.on_mad),
        "fbeta": Method(
            labelled_thresholds.fbeta, ("y",), ("beta",), advice=threshold_advice.on_both_labels
        ),
        "youden": Method(
            labelled_thresholds.youden, ("y",), advice=threshold_advice.on_both_labels
        ),
        "inliers": Method(
            labelled_thresholds.inliers,
            ("y", "fpr"),
            asks=_of_inliers,
            held_out=True,
            advice=threshold_advice.on_inliers,
        ),
        "pu": Method(labelled_thresholds.pu, ("y",), advice=threshold_advice.on_pu),
    }
)


def _percentage(perc: Any) -> float:
    percentage = argument_checks.check_percentage(perc, "threshold_perc")
    if 0.0 < percentage < 1.0:
        logger.warning(
            "threshold_perc=%g is a percentage: %g %% of X will count as normal. If you mean "
            "a share, pass threshold_perc=%g.",
            percentage,
            percentage,
            100.0 * percentage,
        )
    return percentage


_CHECKS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "threshold_perc": _percentage,
        "y": check_labels,
        "fpr": lambda value: argument_checks.check_share(value, "fpr"),
        "contamination": lambda value: argument_checks.check_share(value, "contamination"),
        "beta": lambda value: argument_checks.check_positive(value, "beta"),
        "k": lambda value: argument_checks.check_positive(value, "k"),
    }
)


@dataclasses.dataclass(frozen=True, eq=False)
class Inference:
    """A method with its checked arguments."""

    method: Method
    given: Mapping[str, Any]

    @property
    def inliers(self) -> BoolArray | None:
        """Rows labelled as inliers; None without labels, when all rows should be inliers."""
        return self.given["y"] == 0 if "y" in self.given else None

    def threshold(self, scores: FloatArray) -> float:
        """Threshold from scores (N,). Rows that score NaN are ignored, and their labels too.

        Raises
        ------
        InvalidInputError
            No rows are usable, the number of labels differs from that of the rows, or the method
            cannot use the scores.
        """
        usable = ~np.isnan(scores)
        given = dict(self.given)
        if "y" in given:
            check_label_count(given["y"], len(scores))
            given["y"] = given["y"][usable]
        if not usable.any():
            raise InvalidInputError("X holds no usable rows to infer a threshold from.")
        self._warn_if_too_few(int(usable.sum()))
        threshold = self._inferred(scores[usable], given)
        self._warn_of_surprises(scores[usable], threshold, given.get("y"))
        return threshold

    def _inferred(self, scores: FloatArray, given: Mapping[str, Any]) -> float:
        """Call the method's function. Append the method's advice to its errors."""
        arguments = (given[name] for name in self.method.takes if name in given)
        try:
            return self.method.infer(scores, *arguments)
        except (ConfigurationError, InvalidInputError) as error:
            advice = self.method.advice(error, given.get("y", np.empty(0, dtype=np.int64)))
            raise type(error)(f"{error} {advice}".rstrip()) from error

    def _warn_of_surprises(self, scores: FloatArray, threshold: float, y: IntArray | None) -> None:
        if y is not None:
            warn_of_labels(scores, threshold, y)
        if self.method.asks is not None:
            meant = scores if y is None else scores[y == INLIER]
            warn_of_ties(meant, threshold, self.method.asks(self.given, len(meant)))

    def _warn_if_too_few(self, n_rows: int) -> None:
        if self.method.share is None:
            return
        share = self.method.share(self.given)
        if 0.0 < share * n_rows < 1.0 - 1e-9:
            logger.warning(
                "%.3g %% of %d rows is less than one row, so the threshold rests on the highest "
                "score alone: pass at least %d rows.",
                100.0 * share,
                n_rows,
                math.ceil(1.0 / share - 1e-9),
            )


def takes(name: Any) -> tuple[str, ...]:
    """Names of the arguments of the method `name`; empty if there is no such method."""
    method = _known(name)
    return () if method is None else method.takes


def choose(
    name: Any, threshold_perc: Any, *, check_trained: bool = True, **given: Any
) -> Inference:
    """Return the method `name` with its checked arguments.

    Parameters
    ----------
    name
        A key of `METHODS`.
    threshold_perc
        For 'percentile'; other methods need its default.
    check_trained
        May be False only for methods that look for training rows.
    given
        All other arguments of methods; None if not given.

    Raises
    ------
    ConfigurationError
        The method is unknown; or an argument is missing, out of range, or not used by the method.
    InvalidInputError
        `y` does not hold labels.
    """
    method = _known(name)
    if method is None:
        raise ConfigurationError(f"method={name!r}: choose one of {', '.join(METHODS)}.")
    chosen = {argument: value for argument, value in given.items() if value is not None}
    # The default 95.0 is allowed for all methods: a caller may pass batch_size by position.
    if name == "percentile" or np.any(threshold_perc != DEFAULT_PERCENTAGE):
        chosen["threshold_perc"] = threshold_perc
    takes = _listed(method.takes)
    if ignored := [argument for argument in chosen if argument not in method.takes]:
        takers = [other for other, its in METHODS.items() if ignored[0] in its.takes]
        raise ConfigurationError(
            f"method={name!r} would ignore {_listed(ignored)}: it takes {takes}. Leave the rest "
            f"out; {ignored[0]}= is for method={' or '.join(map(repr, takers))}."
        )
    if missing := [argument for argument in method.needs if argument not in chosen]:
        raise ConfigurationError(f"method={name!r} needs {_listed(missing)}: it takes {takes}.")
    if not check_trained and not method.held_out:
        held_out = [repr(other) for other, its in METHODS.items() if its.held_out]
        raise ConfigurationError(
            f"method={name!r} looks for no trained rows: check_trained=False is for "
            f"{', '.join(held_out)}."
        )
    return Inference(method, {a: _CHECKS[a](value) for a, value in chosen.items()})


def _known(name: Any) -> Method | None:
    return METHODS.get(name) if isinstance(name, str) else None


def _listed(names: Sequence[str]) -> str:
    return " and ".join(f"{name}=" for name in names)
