"""What the detectors of classes are made of: one that the package builds, or a function."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from aegmm_detect.configs.rows import NanPolicy
from aegmm_detect.exceptions import ConfigurationError, NetTypeError
from aegmm_detect.input_checks import check_shape
from aegmm_detect.inputs import Rows
from aegmm_detect.od.mixture import MixtureDetector

Make = Callable[[int], MixtureDetector]


def new_member(
    source: MixtureDetector | Make | None,
    rows: Rows,
    others: Sequence[MixtureDetector],
    nan_policy: NanPolicy,
) -> MixtureDetector:
    """A detector for one class.

    Parameters
    ----------
    source
        What `checked_member` returned; None for a detector that was loaded.
    rows
        Of all classes.
    others
        Detectors of the former fit and those made since, with which it may share nothing.
    nan_policy
        That of the detector of classes.

    Raises
    ------
    NetTypeError, ConfigurationError
        The function returns no detector, one with another `nan_policy`, or nets that it had
        returned before.
    """
    if source is None:
        raise ConfigurationError(
            "This detector was loaded from a file, which does not keep the function that makes "
            "nets for each class: call fit of a new PerClassAEGMM(function)."
        )
    if isinstance(source, MixtureDetector):
        member: Any = copy.deepcopy(source)
        member.threshold = None
        return member
    first = next(iter(rows.batches(1)), np.empty((0, 0)))
    if first.ndim < 2:
        check_shape(first, (1,))
    member = source(first.shape[1])
    if not isinstance(member, MixtureDetector):
        raise NetTypeError(
            f"The function returned a {type(member).__name__} and no detector: end it with "
            "return OutlierAEGMM(...)."
        )
    if member.config.nan_policy != nan_policy:
        raise ConfigurationError(
            f"The function returned a detector with nan_policy={member.config.nan_policy!r}, and "
            f"this one has {nan_policy!r}: pass the same to both."
        )
    own = {id(variable) for variable in member.net.variables}
    if any(id(variable) in own for other in others for variable in other.net.variables):
        raise ConfigurationError(
            "The function returned nets that it had returned before, for another class or another "
            "fit: build new ones in it."
        )
    return member


def checked_member(member: Any) -> MixtureDetector | Make:
    """`member` itself, if detectors of classes can be made of it.

    Raises
    ------
    NetTypeError
        It is neither a detector nor a function.
    ConfigurationError
        A detector whose nets cannot be stacked.
    """
    if isinstance(member, MixtureDetector):
        blueprint = member.blueprint
        hooks = ("net_for", "start", "inspect", "draws")
        own = any(
            getattr(type(member), name) is not getattr(MixtureDetector, name) for name in hooks
        )
        more = blueprint is not None and (blueprint.code, blueprint.context) != (None, None)
        if blueprint is None or more or own:
            raise ConfigurationError(
                "member has nets that cannot be stacked for all classes: they are your own, or of "
                "a kind with a code, a context or a start of its own. Pass a function of the "
                "number of columns that builds such a detector."
            )
        return member
    if isinstance(member, (type, MixtureDetector, keras.Model)) or not callable(member):
        raise NetTypeError(
            f"member is {member!r}: pass an OutlierAEGMM that the package builds, for example "
            "OutlierAEGMM.auto(n_features), or a function of the number of columns that returns a "
            "new one."
        )
    return member
