"""The fitted detectors of several classes, combined."""

import dataclasses
import functools
from collections.abc import Hashable, Mapping

import numpy as np

from aegmm_detect.nets.graph import BEYOND
from aegmm_detect.nets.scoring import SCORES
from aegmm_detect.numerics.density import Scale
from aegmm_detect.od.mixture import MixtureDetector
from aegmm_detect.per_class.votes import on_one_scale
from aegmm_detect.row_sketch import RowSketch
from aegmm_detect.types import FloatArray, IntArray


@dataclasses.dataclass(frozen=True, eq=False)
class FittedClasses:
    """Scores rows by the class to which they are least strange.

    Parameters
    ----------
    members
        The fitted detector of each class, by label.
    names
        Column names at `fit`, if the rows came in a data frame; else None.
    """

    members: Mapping[Hashable, MixtureDetector]
    names: tuple[str, ...] | None

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one row at `fit`."""
        return next(iter(self.members.values())).required_fit("row_shape").row_shape

    @property
    def trained_on(self) -> RowSketch | None:
        """Sketch of the training rows of all classes; None if they are not known."""
        sketches = [member._trained_on for member in self.members.values()]
        known = [sketch for sketch in sketches if sketch is not None]
        return functools.reduce(RowSketch.merge, known) if known else None

    def score(self, batch: FloatArray) -> FloatArray:
        """Minimum over the classes of their scores on one scale, (N,) float32."""
        nearest = self.on_one_scale(self.of_all(batch)).min(axis=1)
        return np.minimum(nearest, BEYOND).astype(np.float32)

    def of_all(self, batch: FloatArray) -> FloatArray:
        """Scores (N, C) of checked rows by the detectors of all classes."""
        return np.column_stack([m.required_fit("score()").score(batch) for m in self._in_order])

    def of_own(self, batch: FloatArray, numbers: IntArray) -> FloatArray:
        """Scores (N,) by the class of which `numbers` (N,) has the number."""
        scores = np.zeros(len(batch), dtype=np.float32)
        for number, member in enumerate(self._in_order):
            chosen = np.flatnonzero(numbers == number)
            if len(chosen):
                scores[chosen] = member.required_fit("score()").score(batch[chosen])
        return scores

    def on_one_scale(self, scores: FloatArray) -> FloatArray:
        """Scores (N, C) in spreads of their class, above its median."""
        scales = [_scale(member) for member in self._in_order]
        return on_one_scale(scores, Scale(*(np.array(part) for part in zip(*scales, strict=True))))

    @property
    def made_by(self) -> tuple[object, ...]:
        """What the scores come from; other objects when a member was changed from outside."""
        return tuple(member._fitted for member in self._in_order)

    @property
    def _in_order(self) -> list[MixtureDetector]:
        return [*self.members.values()]


def _scale(member: MixtureDetector) -> tuple[float, float]:
    """Median and spread of a member's scores over its training rows."""
    part = SCORES[member.score_type].part
    if part is None:
        return 0.0, 1.0  # on such a scale already
    scales = member.required_fit("score()").state.scales
    assert scales is not None  # a fit leaves them
    return float(scales.parts.centre[part]), float(scales.parts.spread[part])
