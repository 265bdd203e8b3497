"""PerClassAEGMM: a detector for each class of a labelled data set (S-DAGMM)."""

import logging
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NoReturn, Self

import keras
import numpy as np

from aegmm_detect.configs.aegmm import DetectorConfig, FitConfig
from aegmm_detect.configs.rows import NanPolicy
from aegmm_detect.detector.parts import Parts
from aegmm_detect.exceptions import ConfigurationError, InvalidInputError
from aegmm_detect.input_checks import check_label_count, check_shape, non_finite_rows
from aegmm_detect.inputs import Rows, as_rows
from aegmm_detect.od.aegmm import OutlierAEGMM
from aegmm_detect.od.mixture import MixtureDetector
from aegmm_detect.per_class.decisions import ClassDecisions
from aegmm_detect.per_class.fitted import FittedClasses
from aegmm_detect.per_class.fitting import fit_in_turn, fit_together, rows_of_classes
from aegmm_detect.per_class.labels import as_labels, class_numbers, classes_of
from aegmm_detect.per_class.members import Make, checked_member, new_member
from aegmm_detect.per_class.nets import NetsOfClasses
from aegmm_detect.per_class.parts import members_from, parts_of
from aegmm_detect.scoring_loop import refuse_flagged
from aegmm_detect.types import UNSET, Array

logger = logging.getLogger(__name__)


class PerClassAEGMM(ClassDecisions):
    """One autoencoding mixture detector for each class of a labelled data set (S-DAGMM).

    It cleans a labelled set of outliers, and flags new rows. There are three ways to judge a row:

    - by its own class, where the label is known: ``score(X, y=labels)`` is the score of that
      class's detector, and ``predict(X, y=labels)`` and `clean` compare it with that class's
      threshold;
    - by the least strange class, where it is not: ``score(X)`` is the minimum over the classes of
      their scores, each less its median and divided by its interquartile range over the class's
      training rows. An inlier of any class is an inlier;
    - by vote, as in the paper: ``predict(X, min_votes=...)`` counts the classes whose threshold
      the row is above. A good row of one class is strange to most of the others, so that few
      votes mean little; all votes, ``min_votes=1.0``, are the second way with one threshold for
      each class.

    Parameters
    ----------
    member
        What each class gets: an `OutlierAEGMM` that the package builds (`auto`, `from_sizes`,
        `from_blueprint`), which is copied and left as it is; the nets of all classes then train as
        one program. Or a function of the number of columns that returns a new detector, with nets
        of your own for example: it is called once for each class, and they train one after the
        other. It must not return the same nets twice.
    threshold
        Of the scores of ``score(X)``, in spreads of the class. Default None: `infer_threshold`.
    data_type, nan_policy
        As for `OutlierAEGMM`, with a function; a detector brings its own.

    Raises
    ------
    NetTypeError
        `member` is neither.
    ConfigurationError
        `member` has nets that cannot be built again for each class.

    Notes
    -----
    Tra, Amayri and Bouguila (2022), "Outlier detection via multiclass deep autoencoding Gaussian
    mixture model for building chiller diagnosis", Energy and Buildings 259: detectors of classes,
    the 80th percentile of training energies as their thresholds, votes. The minimum over classes
    and cleaning by thresholds of held-out rows are this package's.

    """

    def __init__(
        self,
        member: MixtureDetector | Make,
        threshold: float | None = None,
        data_type: str | None = None,
        *,
        nan_policy: NanPolicy | None = None,
    ) -> None:
        checked = checked_member(member)
        given = {"data_type": data_type, "nan_policy": nan_policy}
        given = {name: value for name, value in given.items() if value is not None}
        if isinstance(checked, MixtureDetector):
            if given:
                raise ConfigurationError(
                    f"{' and '.join(given)} would contradict member or repeat it: give them to the "
                    "OutlierAEGMM that is passed as member."
                )
            config = checked.config
        else:
            config = DetectorConfig.of(**given)
        self._set_up(checked, config, threshold)

    def _set_up(
        self, member: MixtureDetector | Make | None, config: DetectorConfig, threshold: float | None
    ) -> None:
        super().__init__(config, threshold)
        self._member = member

    @classmethod
    def auto(
        cls,
        n_features: int,
        *,
        threshold: float | None = None,
        ensemble: int = 1,
        **settings: Any,
    ) -> Self:
        """Detectors for rows of `n_features` numbers, for users with no opinion on nets.

        Parameters
        ----------
        n_features
            Width of a row.
        threshold
            As for the constructor.
        ensemble
            Nets of each class. Default 1, unlike `OutlierAEGMM.auto`: there is a net for each class
            already, and every row is scored by all of them.
        **settings
            As for `OutlierAEGMM.auto`; ``contamination=`` for training rows with outliers among
            them.

        Returns
        -------
        A detector whose every `fit` starts from fresh weights.
        """
        # A threshold keeps the template from advising to infer one.
        template = OutlierAEGMM.auto(n_features, ensemble=ensemble, threshold=math.inf, **settings)
        return cls(template, threshold)

    def to_parts(self) -> Parts:
        """See `Detector.to_parts`."""
        return parts_of(self)

    @classmethod
    def from_parts(
        cls, parts: Parts, threshold: float | None, custom_objects: Mapping[str, Any]
    ) -> Self:
        """See `Detector.from_parts`."""
        template, members = members_from(parts)
        detector = cls.__new__(cls)
        detector._set_up(template, DetectorConfig.of(**parts.settings["config"]), threshold)
        if members:
            detector._take(members, None if parts.rows is None else parts.rows.names)
        return detector

    def fit(
        self,
        X: Any,
        y: Any = None,
        w_energy: float = UNSET,
        w_cov_diag: float = UNSET,
        optimizer: Any = UNSET,
        epochs: int = UNSET,
        batch_size: int = UNSET,
        verbose: bool | int | str = True,
        callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.Callback | None = None,
        *,
        seed: int | None = UNSET,
        validation_split: float = UNSET,
        jit_compile: bool | str = UNSET,
        steps_per_execution: int = UNSET,
    ) -> keras.callbacks.History:
        """Fit a detector to the rows of each class.

        All classes start from the same weights. Each has its own scaling, density and rows. Where
        their nets train as one program and the classes have equally many rows, each learns what it
        would learn alone, but for Dropout's masks and `clip_norm`, which goes by the gradient of
        all nets together. A step takes one batch of each class; an epoch is a pass over the largest
        class, in which rows of smaller ones come up several times. Memory goes with the rows of the
        largest class times the number of classes.

        Parameters
        ----------
        X
            Instances, shape (N, ...). With `y`: in memory.
        y
            Class labels, (N,), of any type that can be compared for equality. Default None: all
            rows are of one class, 0, and the detector is that of the class.
        w_energy, w_cov_diag, optimizer, epochs, batch_size, verbose, callbacks
            As for `OutlierAEGMM.fit`.
        seed, validation_split, jit_compile, steps_per_execution
            As for `OutlierAEGMM.fit`.

        Returns
        -------
        Keras's `History`: the means over the classes.

        Raises
        ------
        InvalidInputError
            As for `OutlierAEGMM.fit`; labels that do not fit; a class with too few rows.
        ConfigurationError, NonFiniteLossError, IndefiniteCovarianceError
            As for `OutlierAEGMM.fit`. Whatever is raised, the detector is left as it was.
        """
        given = {
            "w_energy": w_energy,
            "w_cov_diag": w_cov_diag,
            "optimizer": optimizer,
            "epochs": epochs,
            "batch_size": batch_size,
            "verbose": verbose,
            "callbacks": callbacks,
            "seed": seed,
            "validation_split": validation_split,
            "jit_compile": jit_compile,
            "steps_per_execution": steps_per_execution,
        }
        rows = as_rows(X)
        former = tuple(self.members.values())
        if y is None:
            member = new_member(self._member, rows, former, self.config.nan_policy)
            history = member.fit(X, **given)
            assert member.state is not None  # `fit` has ended well
            self._replace({0: member}, member.state.names)
            return history
        classes, parts = self._rows_per_class(rows, y)
        names = rows.columns.names
        template = self._member
        if isinstance(template, MixtureDetector) and len(classes) > 1:
            members, history = fit_together(template, parts, names, given)
        else:
            members, history = fit_in_turn(
                lambda made: new_member(template, rows, (*former, *made), self.config.nan_policy),
                parts,
                names,
                given,
            )
        self._replace(dict(zip(classes, members, strict=True)), names)
        return history

    @property
    def fit_config(self) -> FitConfig | None:
        """What `fit` uses for arguments that are left out; None where a function says so."""
        return self._member.fit_config if isinstance(self._member, MixtureDetector) else None

    @property
    def template(self) -> MixtureDetector | None:
        """What the members are made like; None where a function makes them."""
        return self._member if isinstance(self._member, MixtureDetector) else None

    @property
    def net(self) -> keras.Model:
        """The nets of all classes, as one model.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        members = self._required_fit("net").members
        return NetsOfClasses([member.net for member in members.values()])

    def export(self, *_: Any, **__: Any) -> NoReturn:
        """Refused: there is no single graph; export the detectors of the classes one by one."""
        raise ConfigurationError(
            "PerClassAEGMM has a scoring graph for each class and none of its own: export them, "
            "members[label].export(path, format), and take their minimum or votes on the host."
        )

    def update(self, *_: Any, **__: Any) -> NoReturn:
        """Refused: new rows are of one class or another; update the detector of that class."""
        raise ConfigurationError(
            "PerClassAEGMM does not know the class of new rows: members[label].update(X) learns on "
            "from those of one class, and clears what was decided on its scores."
        )

    def _rows_per_class(self, rows: Rows, y: Any) -> tuple[tuple[Hashable, ...], list[Array]]:
        """Classes in order, and the usable rows of each."""
        if rows.array is None:
            raise ConfigurationError(
                "y= needs all rows in memory: pass an array, or leave the labels out for a stream."
            )
        array, labels = rows.array, as_labels(y)
        if array.ndim < 2:
            check_shape(array, (1,))
        check_label_count(labels, len(array))
        bad = np.zeros(len(array), dtype=bool)
        bad[non_finite_rows(array)] = True
        if self.config.nan_policy == "raise":
            refuse_flagged(bad, rows)
        if bad.any():
            logger.warning("%d rows hold NaN or infinity and are left out of training.", bad.sum())
        classes = classes_of(labels)
        if not classes:
            raise InvalidInputError("X holds no rows, and so no class to fit a detector to.")
        numbers = class_numbers(labels, classes)
        return classes, rows_of_classes(array, numbers, classes, np.flatnonzero(~bad))

    def _replace(
        self, members: dict[Hashable, MixtureDetector], names: tuple[str, ...] | None
    ) -> None:
        """After a fit: what was decided on the old scores does not go with the new ones."""
        if any(threshold is not None for threshold in self.class_thresholds.values()):
            logger.warning(
                "The classes' thresholds were set for the former fit and are cleared: call "
                "infer_class_thresholds again."
            )
        self._forget_fit()
        self._take(members, names)

    def _take(
        self, members: dict[Hashable, MixtureDetector], names: tuple[str, ...] | None
    ) -> None:
        fitted = FittedClasses(members, names)
        self._decided_on = fitted.made_by
        self._adopt(fitted)
