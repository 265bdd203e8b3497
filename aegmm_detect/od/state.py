"""What a fit leaves behind beside the weights of the nets."""

import dataclasses

import keras

from aegmm_detect.configs.density import DensityConfig
from aegmm_detect.nets.normalizer import Normalizer
from aegmm_detect.nets.scoring import ScoringGraph
from aegmm_detect.numerics.density import Density
from aegmm_detect.numerics.row_sketch import RowSketch
from aegmm_detect.od.row_scorer import RowScorer
from aegmm_detect.training.estimate import estimate_density
from aegmm_detect.training.prepare import TrainingRows
from aegmm_detect.training.tracing import compiled


@dataclasses.dataclass(frozen=True, eq=False)
class FittedState:
    """All that a mixture detector needs, nets apart, to score as it does."""

    density: Density
    normalizer: Normalizer | None
    row_shape: tuple[int, ...]
    names: tuple[str, ...] | None = None  # of the columns, where rows came in a frame
    eager: bool = False  # the nets run uncompiled
    trained_on: RowSketch | None = None  # None where it is not known

    def graph(self, net: keras.Model) -> ScoringGraph:
        """Raw rows -> scores."""
        return ScoringGraph(self.normalizer, net, self.density)

    def scorer(self, net: keras.Model) -> RowScorer:
        """The same, compiled, for any number of rows."""
        return RowScorer(self.graph(net), self.eager)


def state_of(
    net: keras.Model,
    prepared: TrainingRows,
    config: DensityConfig,
    members: int | None,
    seed: int | None,
    names: tuple[str, ...] | None = None,
    eager: bool = False,
) -> FittedState:
    """What a trained net scores rows by.

    Parameters
    ----------
    net
        Prepared rows -> (x_recon, z, gamma), trained.
    prepared
        Training rows and their scaling.
    config, members, seed
        See `estimate_density`.
    names, eager
        See `FittedState`.
    """
    forward = compiled(lambda x: net(x, training=False), prepared.shape, eager)
    density = estimate_density(forward, prepared.train, config, members, seed)
    return FittedState(
        density, prepared.normalizer, prepared.shape, names, eager, prepared.trained_on
    )
