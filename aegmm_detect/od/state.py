"""The result of a fit besides the weights of the nets."""

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from aegmm_detect.configs.aegmm import ScoreType
from aegmm_detect.configs.density import DensityConfig
from aegmm_detect.detector.row_scorer import RowScorer
from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.nets.aegmm import forward_pass
from aegmm_detect.nets.graph import TENSORFLOW, Operations, ScoringGraph
from aegmm_detect.nets.normalizer import Normalizer
from aegmm_detect.nets.scoring import SCORES, ScoreFunction, ScoreParameters
from aegmm_detect.numerics.density import Density, Scale, ScoreScales, combine
from aegmm_detect.numerics.families import GAUSSIAN, Family
from aegmm_detect.programs.pure import NetProgram, PureFunction
from aegmm_detect.programs.tracing import Mode
from aegmm_detect.row_sketch import RowSketch
from aegmm_detect.training.estimate import estimate_density, rows_per_pass, sample_rows
from aegmm_detect.training.prepare import TrainingRows
from aegmm_detect.types import FloatArray, Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class FittedState:
    """All that a mixture detector needs for its scores, besides the nets."""

    density: Density
    normalizer: Normalizer | None
    row_shape: tuple[int, ...]
    names: tuple[str, ...] | None = None  # column names, if the rows came in a data frame
    eager: bool = False  # whether the nets must run without compiling
    # Median and spread of the scores of training rows; None if there were no rows to score.
    scales: ScoreScales | None = None
    # Number of rows behind the mixtures: their weight against new rows in `update`. None: unknown.
    n_rows: float | None = None
    trained_on: RowSketch | None = None  # sketch of the training rows; None if not known
    noise: FloatArray | None = None  # (S, latent)  fixed noise for scoring a variational code

    @property
    def row_dtype(self) -> str:
        """Dtype to which raw rows are cast before scoring."""
        return "float32" if self.normalizer is None else "float64"

    @property
    def parameters(self) -> ScoreParameters:
        """The numbers that `function` needs besides the net."""
        return ScoreParameters.of(self.density, self.normalizer, self.scales, self.noise)

    def function(
        self, score_type: ScoreType = "energy", operations: Operations = TENSORFLOW
    ) -> ScoreFunction:
        """Function that computes scores from a net, `parameters` and raw rows.

        Parameters
        ----------
        score_type
            Kind of score.
        operations
            Operations of the runtime.

        Raises
        ------
        ConfigurationError
            `score_type` needs scales, but there are none.
        """
        if SCORES[score_type].compares and self.scales is None:
            raise ConfigurationError(
                f"score_type={score_type!r} compares with the errors of training rows, which this "
                "detector has not seen: use 'energy', or fit it again."
            )
        squash = self.normalizer is not None and self.normalizer.squash
        density = self.density
        return ScoreFunction(score_type, density.family, density.limit, squash, operations)

    def graph(
        self,
        net: keras.Model,
        score_type: ScoreType = "energy",
        operations: Operations = TENSORFLOW,
    ) -> ScoringGraph:
        """One Keras layer: raw rows -> scores; see `function`."""
        function = self.function(score_type, operations)
        return ScoringGraph(function, net, self.parameters, self.row_dtype)

    def scorer(self, net: keras.Model, score_type: ScoreType = "energy") -> RowScorer:
        """Compiled function: raw rows -> scores, for any number of rows."""
        function = PureFunction(score := self.function(score_type), ("score", score))
        return RowScorer(net, function, self.parameters, self.row_dtype, self.eager)

    def latent(self, net: keras.Model) -> NetProgram:
        """Compiled function: prepared rows -> the vectors that each member's mixtures model."""
        function = self.function()
        pure = PureFunction(function.latent, ("latent", function))
        return NetProgram(net, pure, self.parameters, _mode(self.eager))

    def prepared(self, batch: FloatArray) -> FloatArray:
        """Scale raw rows for the nets; float32."""
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
    """Estimate the fitted state of a trained net.

    Parameters
    ----------
    net
        Trained net: prepared rows -> (x_recon, z, gamma).
    prepared
        Training rows and their scaling.
    config, members, seed, family
        See `estimate_density`.
    names, eager, noise
        See `FittedState`. With noise, the density is estimated with one draw for each row; rows
        take the draws in turn.
    """
    rows = prepared.normal_rows  # take it once: it is a copy if anomalies are labelled
    forward = NetProgram(net, PureFunction(_outputs, "outputs"), (noise,), _mode(eager))
    density = estimate_density(forward, rows, config, members, seed, family)
    state = FittedState(
        density,
        prepared.normalizer,
        prepared.shape,
        names,
        eager,
        n_rows=rows.n_rows,
        trained_on=prepared.trained_on,
        noise=noise,
    )
    sample = sample_rows(rows, config.max_rows, seed)
    return dataclasses.replace(state, scales=_scales(state, net, sample))


def _outputs(net: keras.Model, draws: Sequence[Tensor], x: Tensor) -> tuple[Tensor, ...]:
    (noise,) = draws
    if noise is None:
        return tuple(net(x, training=False))
    turns = ops.arange(ops.shape(x)[0]) % noise.shape[0]
    out = forward_pass(net, x, False, ops.take(noise, turns, axis=0))
    return out.x_recon, out.z, out.gamma


def _scales(state: FittedState, net: keras.Model, sample: FloatArray) -> ScoreScales:
    """Scales of the scores of prepared rows, computed with the same function as scores."""
    function = state.function()
    pure = PureFunction(function.energy_and_errors, ("energy and errors", function))
    both = NetProgram(net, pure, state.parameters, _mode(state.eager))
    size = rows_per_pass(sample.shape[1:])
    batches = (sample[i : i + size] for i in range(0, len(sample), size))
    energies, errors = zip(*(map(ops.convert_to_numpy, both(b)) for b in batches), strict=True)
    by_net = np.concatenate(errors, axis=1).astype(np.float64)
    residual = Scale.robust(by_net)
    error = ops.convert_to_numpy(combine(by_net, *residual, None))
    return ScoreScales(residual, Scale.robust(np.stack([np.concatenate(energies), error])))


def _mode(eager: bool) -> Mode:
    return "eager" if eager else "graph"
