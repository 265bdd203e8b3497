"""One fit for each class of a labelled data set: as one program, or one after the other."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.inputs import as_rows
from aegmm_detect.od.fitting import state_after
from aegmm_detect.od.mixture import MixtureDetector
from aegmm_detect.per_class.labels import listed
from aegmm_detect.per_class.nets import net_of_class, stack_per_class
from aegmm_detect.per_class.rows import one_of_each
from aegmm_detect.training.fit import FitOptions, fit
from aegmm_detect.training.prepare import prepare
from aegmm_detect.types import Array, IntArray

# A covariance needs two; `prepare` says the same of a detector alone.
_FEWEST = 2


def rows_of_classes(
    array: Array, numbers: IntArray, classes: Sequence[Any], usable: Array
) -> list[Array]:
    """The usable rows of each class.

    Parameters
    ----------
    array
        All rows, (N, ...).
    numbers
        Of the class of each row, (N,).
    classes
        C labels.
    usable
        Row numbers.

    Raises
    ------
    InvalidInputError
        Names the classes that have too few.
    """
    own = [usable[numbers[usable] == number] for number in range(len(classes))]
    few = [label for label, rows in zip(classes, own, strict=True) if len(rows) < _FEWEST]
    if few:
        counts = ", ".join(str(len(rows)) for rows in own if len(rows) < _FEWEST)
        raise InvalidInputError(
            f"Too few usable rows of class {listed(few)} ({counts}): a covariance needs at least "
            f"{_FEWEST} for each class, and a detector hundreds. Leave the class out, or merge it "
            "with one that is like it."
        )
    return [array[rows] for rows in own]


def fit_together(
    template: MixtureDetector,
    parts: Sequence[Array],
    names: tuple[str, ...] | None,
    given: Mapping[str, Any],
) -> tuple[list[MixtureDetector], keras.callbacks.History]:
    """Detectors like `template`, one for each of `parts`, whose nets train as one program.

    Parameters
    ----------
    template
        With a blueprint; left as it is.
    parts
        Finite rows (N_c, F) of each class.
    names
        Of the columns.
    given
        Arguments of `OutlierAEGMM.fit`.
    """
    names_of_options = {field.name for field in dataclasses.fields(FitOptions)}
    options = FitOptions(**{k: v for k, v in given.items() if k in names_of_options})
    settings = template.settings(**{k: v for k, v in given.items() if k not in names_of_options})
    config, blueprint = template.config, template.blueprint
    assert blueprint is not None  # the constructor of the detector of classes asks for one
    shape = (blueprint.sizes.n_features,)
    prepared = [
        prepare(
            as_rows(own),
            shape,
            config.normalize,
            config.nan_policy,
            settings.validation_split,
            settings.seed,
        )
        for own in parts
    ]
    rows = one_of_each(prepared, settings.seed)
    net = stack_per_class(blueprint, len(parts), settings.seed)
    objective = template.loss(settings, prepared[0]).objective
    history = fit(net, objective, rows, settings, options)
    members: list[MixtureDetector] = []
    for number, own in enumerate(prepared):
        alone = net_of_class(net, blueprint, number)
        # A threshold, for a moment: the advice to infer one would be another detector's.
        member = type(template).of_parts(alone, math.inf, config, template.fit_config, blueprint)
        member.threshold = None
        member.adopt(state_after(member, own, settings, names, eager=False))
        members.append(member)
    return members, history


def fit_in_turn(
    make: Callable[[Sequence[MixtureDetector]], MixtureDetector],
    parts: Sequence[Array],
    names: tuple[str, ...] | None,
    given: Mapping[str, Any],
) -> tuple[list[MixtureDetector], keras.callbacks.History]:
    """Detectors that `make` makes, one for each of `parts`, fitted one after the other.

    Parameters
    ----------
    make
        Function of the detectors made so far that returns a new one.
    parts, names, given
        As for `fit_together`.

    Returns
    -------
    The detectors, and a history of the means over them, by epoch, as far as all of them have one.
    """
    members: list[MixtureDetector] = []
    logs = []
    for own in parts:
        member = make(members)
        logs.append(member.fit(own, **given).history)
        assert member.state is not None  # `fit` has ended well
        member.adopt(dataclasses.replace(member.state, names=names))
        members.append(member)
    history = keras.callbacks.History()
    for column in logs[0]:
        n_epochs = min(len(log[column]) for log in logs)
        per_class = [log[column][:n_epochs] for log in logs]
        history.history[column] = np.mean(per_class, axis=0).tolist()
        history.epoch = list(range(n_epochs))
    return members, history
