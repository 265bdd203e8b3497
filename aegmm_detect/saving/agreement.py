"""Do the parts of a saved detector belong to each other? Asked before any is used."""

import itertools
import math
from typing import Any

import keras
import numpy as np

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.nets.aegmm import AEGMM
from aegmm_detect.nets.blueprint import Blueprint
from aegmm_detect.od.mixture import MixtureDetector
from aegmm_detect.od.state import FittedState
from aegmm_detect.saving.manifest import Manifest


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
    widths = sum(a * b for a, b in itertools.pairwise(hiddens))
    planned = widths * (blueprint.members or 1)
    weights = net.encoder.weights if isinstance(net, AEGMM) else []
    found = sum(math.prod(weight.shape) for weight in weights)
    # Its encoder has these products, biases, and for some kinds of code a second head.
    if not planned <= found <= 4 * planned + 2**16:
        raise ArtefactError(
            f"Its blueprint is of an encoder with {planned:,} weights and more; the one beside it "
            f"has {found:,}."
        )


def check_widths(net: keras.Model, state: FittedState) -> None:
    """Refuse rows that do not fit the nets, and a density of more columns than these return.

    Raises
    ------
    ArtefactError
        Says what does not fit.
    """
    encoder = getattr(net, "encoder", net)
    taken = getattr(encoder, "input_shape", None)
    if isinstance(taken, tuple) and any(
        size not in (None, found) for size, found in zip(taken[1:], state.row_shape, strict=False)
    ):
        raise ArtefactError(
            f"Rows of shape {state.row_shape} do not fit nets that take {taken[1:]}."
        )
    _, z, _ = net(np.zeros((2, *state.row_shape), np.float32), training=False)
    projection = state.density.projection
    width = z.shape[-1] + (0 if projection is None else projection.axes.shape[1])
    stacked = len(z.shape) == 3
    if (z.shape[0] if stacked else 1) != len(state.density.members) or any(
        mixture.n_dim > width for mixture in state.density.mixtures
    ):
        raise ArtefactError(f"Its density does not fit its nets, whose z has shape {z.shape}.")
