"""The fit of a mixture detector: check, train, estimate."""

import logging
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from aegmm_detect.configs.aegmm import FitConfig
from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.input_checks import check_labels
from aegmm_detect.inputs import as_rows
from aegmm_detect.nets import checks
from aegmm_detect.od.objective import must_run_eagerly, objective_of
from aegmm_detect.od.state import FittedState, state_of
from aegmm_detect.processes import check_process
from aegmm_detect.programs.pure import forget_programs
from aegmm_detect.programs.structure import structure_of
from aegmm_detect.training.checkpoint import Checkpoint
from aegmm_detect.training.fit import FitOptions, fit
from aegmm_detect.training.prepare import TrainingRows, prepare
from aegmm_detect.types import UNSET, Array, IntArray

if TYPE_CHECKING:
    from aegmm_detect.od.mixture import MixtureDetector

logger = logging.getLogger(__name__)


def fit_detector(
    detector: "MixtureDetector",
    X: Any,
    y: Any,
    loss_fn: Any,
    settings: FitConfig,
    options: FitOptions,
    trains: bool,
) -> keras.callbacks.History:
    """Train the nets of `detector` and estimate its mixtures.

    Parameters
    ----------
    detector
        The detector. It is unchanged if a check fails.
    X, y, loss_fn
        As for `MixtureDetector.fit`.
    settings, options
        Settings and options of this fit.
    trains
        Whether to train the nets. If False, only the mixtures are estimated.
    """
    check_process()
    checks.check_one_device(detector.net)
    labels = _labels(detector, y)
    own_loss = _checked_loss(detector, loss_fn, y, settings)
    if not trains:
        _check_nothing_to_train(detector, options)
    checkpoint = None if options.checkpoint_dir is None else Checkpoint(options.checkpoint_dir)
    if checkpoint is not None:
        settings = settings.replace(seed=checkpoint.seed(settings.seed))
    config, built = detector.config, detector.blueprint
    rows = as_rows(X)
    prepared = prepare(
        rows,
        checks.row_shape(detector.net),
        config.normalize,
        config.nan_policy,
        settings.validation_split,
        settings.seed,
        detector._trained_on if built is None else None,
        labels,
    )
    net = detector.net_for(prepared, settings)
    sample = next(iter(prepared.train.batches(2)))
    sample = sample if len(sample) > 1 else np.repeat(sample, 2, axis=0)
    outputs, eager_net = _tried(detector, net, sample, own_loss)
    loss = detector.loss(settings, prepared)
    objective, eager_loss = objective_of(own_loss, loss, sample, outputs)

    def begin() -> None:
        detector.forget("the former fit", fit=True)
        forget_programs(detector.net)
        if built is not None:
            built.reset(net, settings.seed)
        detector.net = net
        detector.start(net, prepared, settings)

    if trains:
        described = {
            **settings.model_dump(mode="json"),
            # All settings of the detector that affect training or the prepared rows.
            **config.model_dump(mode="json", exclude={"data_type", "score_type", "seed"}),
            "family": detector.FAMILY.name,
            "loss_fn": own_loss,
            "log_metric": options.log_metric,
        }
        history = fit(
            net,
            objective,
            prepared,
            settings,
            options,
            eager=eager_net or eager_loss,
            begin=begin,
            checkpoint=checkpoint,
            described=described,
        )
    else:
        detector.forget("the former fit", fit=True)
        forget_programs(net)
        history = keras.callbacks.History()
        history.epoch = []
    detector.adopt(state_after(detector, prepared, settings, rows.columns.names, eager_net))
    detector.inspect(prepared, settings)
    return history


def _tried(
    detector: "MixtureDetector", net: keras.Model, sample: Array, own_loss: Any
) -> tuple[tuple[Array, ...], bool]:
    """Outputs of a net for two rows, and whether it must run without compiling.

    Nets that the package built are not run, and the outputs are empty, unless the user's loss needs
    outputs for its checks.
    """
    outputs: tuple[Array, ...] = ()
    if detector.blueprint is None:
        outputs = checks.probe(net, sample, detector.config.n_gmm)
    elif own_loss is not None:
        outputs = tuple(map(keras.ops.convert_to_numpy, net(sample, training=False)))
    # Nets with a known structure consist of layers that compile, so they are not tried.
    return outputs, structure_of(net) is None and must_run_eagerly(net, sample)


def state_after(
    detector: "MixtureDetector",
    prepared: TrainingRows,
    settings: FitConfig,
    names: tuple[str, ...] | None,
    eager: bool,
) -> FittedState:
    """The fitted state for the trained nets of `detector`."""
    members = None if detector.blueprint is None else detector.blueprint.members
    recipe = (settings.density, members, settings.seed)
    draws = detector.draws(settings)
    return state_of(detector.net, prepared, *recipe, names, eager, draws, detector.FAMILY)


def _checked_loss(detector: "MixtureDetector", loss_fn: Any, y: Any, settings: FitConfig) -> Any:
    """Check and return the user's loss; None means the detector's own."""
    own = None if loss_fn is UNSET else loss_fn
    if own is None:
        return None
    if not callable(own):
        raise ConfigurationError(
            f"loss_fn is a {type(own).__name__}, not a function. The second argument of fit is "
            f"the loss; {'labels are y=' if detector.LABELS else 'it takes no labels'}."
        )
    if settings.autoencoder_share:
        raise ConfigurationError(
            "autoencoder_share holds back terms that loss_fn replaces: leave one of them out."
        )
    if y is not None:
        raise ConfigurationError(
            "loss_fn sees no labels, so y would be ignored: leave one of them out."
        )
    return own


def _check_nothing_to_train(detector: "MixtureDetector", options: FitOptions) -> None:
    if detector.blueprint is not None:
        raise ConfigurationError(
            "epochs=0 keeps the weights that nets have, and nets that the package builds start "
            "every fit from fresh ones: pass epochs=1 or more. epochs=0 is for trained nets of "
            "your own."
        )
    if options.checkpoint_dir is not None:
        raise ConfigurationError(
            "epochs=0 trains nothing, so there is nothing to go on with: leave checkpoint_dir out."
        )


def _labels(detector: "MixtureDetector", y: Any) -> IntArray | None:
    if y is None:
        return None
    if not detector.LABELS:
        raise ConfigurationError(
            f"{type(detector).__name__} learns from unlabelled rows: leave y out, and pass only "
            "the rows that you treat as normal."
        )
    labels = check_labels(y)
    if np.count_nonzero(labels == 1) > len(labels) / 2:
        logger.warning(
            "More than half of the rows are labelled anomalies: y is 0 for normal, 1 for "
            "anomaly, -1 for unlabelled. scikit-learn's 1 and -1 are np.where(y == -1, 1, 0)."
        )
    return labels
