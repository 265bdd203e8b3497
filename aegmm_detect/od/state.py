"""What a fit leaves besides the weights of the nets."""

import dataclasses

import keras
import numpy as np
from keras import ops

from aegmm_detect.configs.aegmm import ScoreType
from aegmm_detect.configs.density import DensityConfig
from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.nets.aegmm import forward_pass
from aegmm_detect.nets.normalizer import Normalizer
from aegmm_detect.nets.scoring import ScoringGraph
from aegmm_detect.numerics.density import Density, Scale, ScoreScales, combine
from aegmm_detect.numerics.families import GAUSSIAN, Family
from aegmm_detect.od.row_scorer import RowScorer
from aegmm_detect.row_sketch import RowSketch
from aegmm_detect.training.estimate import estimate_density, rows_per_pass, sample_rows
from aegmm_detect.training.prepare import TrainingRows
from aegmm_detect.training.tracing import compiled
from aegmm_detect.types import FloatArray, Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class FittedState:
    """All that a mixture detector needs, nets apart, to score as it does."""

    density: Density
    normalizer: Normalizer | None
    row_shape: tuple[int, ...]
    names: tuple[str, ...] | None = None  # of the columns, where rows came in a frame
    eager: bool = False  # the nets run uncompiled
    scales: ScoreScales | None = None  # of training rows; None where there were none to see
    # Rows that the mixtures stand for: their weight when new ones are merged. None: not known.
    n_rows: float | None = None
    trained_on: RowSketch | None = None  # None where it is not known
    noise: FloatArray | None = None  # (S, latent)  draws by which a drawn code is scored

    def graph(
        self,
        net: keras.Model,
        score_type: ScoreType = "energy",
        kind: type[ScoringGraph] = ScoringGraph,
    ) -> ScoringGraph:
        """Raw rows -> scores.

        Parameters
        ----------
        net
            Prepared rows -> (x_recon, z, gamma).
        score_type
            What the score is made of.
        kind
            `ScoringGraph`, or a subclass for runtimes that lack some of its operations.

        Raises
        ------
        ConfigurationError
            A `score_type` that needs scales, and there are none.
        """
        if score_type != "energy" and self.scales is None:
            raise ConfigurationError(
                f"score_type={score_type!r} compares with the errors of training rows, which this "
                "detector has not seen: use 'energy', or fit it again."
            )
        return kind(self.normalizer, net, self.density, score_type, self.scales, self.noise)

    def scorer(self, net: keras.Model, score_type: ScoreType = "energy") -> RowScorer:
        """The same, compiled, for any number of rows."""
        return RowScorer(self.graph(net, score_type), self.eager)

    def prepared(self, batch: FloatArray) -> FloatArray:
        """Raw rows as the nets take them, float32."""
        if self.normalizer is None:
            return batch.astype(np.float32)
        return self.normalizer.transform(batch)


def state_of(
    net: keras.Model,
    prepared: TrainingRows,
    config: DensityConfig,
    members: int | None,
    seed: int | None,
    names: tuple[str, ...] | None = None,
    eager: bool = False,
    noise: FloatArray | None = None,
    family: Family = GAUSSIAN,
) -> FittedState:
    """What a trained net scores rows by.

    Parameters
    ----------
    net
        Prepared rows -> (x_recon, z, gamma), trained.
    prepared
        Training rows and their scaling.
    config, members, seed, family
        See `estimate_density`.
    names, eager, noise
        See `FittedState`. The density is of rows that have a draw each, the draws in turn.
    """

    def outputs(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if noise is None:
            return net(x, training=False)
        turns = ops.arange(ops.shape(x)[0]) % len(noise)
        draws = ops.take(ops.convert_to_tensor(noise, "float32"), turns, axis=0)
        out = forward_pass(net, x, False, draws)
        return out.x_recon, out.z, out.gamma

    usual = prepared.usual  # a copy, where anomalies are labelled
    forward = compiled(outputs, prepared.shape, eager)
    density = estimate_density(forward, usual, config, members, seed, family)
    state = FittedState(
        density,
        prepared.normalizer,
        prepared.shape,
        names,
        eager,
        n_rows=usual.n_rows,
        trained_on=prepared.trained_on,
        noise=noise,
    )
    sample = sample_rows(usual, config.max_rows, seed)
    return dataclasses.replace(state, scales=_scales(state.graph(net), sample, eager))


def _scales(graph: ScoringGraph, sample: FloatArray, eager: bool) -> ScoreScales:
    """Of prepared rows, by the very graph that scores."""
    size = rows_per_pass(sample.shape[1:])
    both = compiled(graph.parts, sample.shape[1:], eager)
    batches = (ops.convert_to_tensor(sample[i : i + size]) for i in range(0, len(sample), size))
    energies, errors = zip(*(map(ops.convert_to_numpy, both(b)) for b in batches), strict=True)
    by_net = np.concatenate(errors, axis=1).astype(np.float64)
    residual = Scale.robust(by_net)
    error = ops.convert_to_numpy(combine(by_net, *residual, None))
    return ScoreScales(residual, Scale.robust(np.stack([np.concatenate(energies), error])))
