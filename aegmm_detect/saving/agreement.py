"""Do the parts of a saved detector belong to each other? Asked before any is used."""

import itertools
import math
from typing import Any

import keras

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.nets.aegmm import AEGMM
from aegmm_detect.nets.blueprint import Blueprint
from aegmm_detect.od.mixture import MixtureDetector
from aegmm_detect.od.state import FittedState
from aegmm_detect.saving.manifest import Manifest
from aegmm_detect.serialization import allow_list


def check_settings(manifest: Manifest, cls: Any) -> None:
    """Refuse settings of another class of detectors.

    Settings that all detectors share may be missing: an older release did not have them all.
    Those that a class adds are what it was saved with, or it was not saved as one.

    Raises
    ------
    ArtefactError
        Names what is missing.
    """
    for name, stored, base in (
        ("config", manifest.config, MixtureDetector.CONFIG),
        ("fit_config", manifest.fit_config, MixtureDetector.FIT_CONFIG),
    ):
        own = getattr(cls, name.upper(), None) or base
        if missing := own.model_fields.keys() - base.model_fields.keys() - stored.keys():
            raise ArtefactError(
                f"It says that it is an {manifest.detector}, and its {name} lacks "
                f"{', '.join(sorted(missing))}: it was not saved as one."
            )


def check_blueprint(blueprint: Blueprint, net: keras.Model) -> None:
    """Refuse a plan of nets that are not the ones beside it.

    Raises
    ------
    ArtefactError
        `fit` would build larger nets than these, or others.
    """
    sizes = blueprint.sizes
    hiddens = (sizes.n_features, *sizes.comp_hiddens)
    if not isinstance(net, AEGMM):
        raise ArtefactError("It has a blueprint and nets that no blueprint makes.")
    estimation = (net.gmm_density.input_shape[-1], *sizes.est_hiddens)
    for name, widths in (("encoder", hiddens), ("decoder", hiddens), ("gmm_density", estimation)):
        planned = (blueprint.members or 1) * sum(a * b for a, b in itertools.pairwise(widths))
        found = sum(math.prod(weight.shape) for weight in getattr(net, name).weights)
        # These products, biases, and for some kinds of code a second head.
        if not planned <= found <= 4 * planned + 2**16:
            raise ArtefactError(
                f"Its blueprint is of a net {name} with {planned:,} weights and more; the one "
                f"that it has holds {found:,}."
            )
    for activation in (sizes.comp_activation, sizes.est_activation):
        if activation not in allow_list.activations():
            raise ArtefactError(f"Its blueprint has the activation {activation!r:.50}.")


def check_widths(net: keras.Model, state: FittedState) -> None:
    """Refuse rows that do not fit the nets, and a density of more columns than these return.

    The nets are traced and not run.

    Raises
    ------
    ArtefactError
        Says what does not fit.
    """
    taken = getattr(getattr(net, "encoder", net), "input_shape", None)
    if isinstance(taken, tuple) and not (
        len(taken) == len(state.row_shape) + 1
        and all(a in (None, b) for a, b in zip(taken[1:], state.row_shape, strict=True))
    ):
        raise ArtefactError(
            f"Rows of shape {state.row_shape} do not fit nets that take {taken[1:]}."
        )
    if isinstance(net, AEGMM):
        shape = net.gmm_density.input_shape  # of z
    elif state.eager:
        return  # a model of the user's own that cannot be traced
    else:
        rows = keras.KerasTensor((2, *state.row_shape), "float32")
        shape = net.compute_output_spec(rows)[1].shape
    projection = state.density.projection
    width = shape[-1] + (0 if projection is None else projection.axes.shape[1])
    if (shape[0] if len(shape) == 3 else 1) != len(state.density.members) or any(
        mixture.n_dim > width for mixture in state.density.mixtures
    ):
        raise ArtefactError(f"Its density does not fit its nets, whose z has shape {shape}.")
