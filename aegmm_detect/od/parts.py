"""Mixture detectors in parts and back."""

import itertools
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import keras
from pydantic import Field

from aegmm_detect.configs.aegmm import DetectorConfig, FitConfig
from aegmm_detect.configs.base import Settings
from aegmm_detect.configs.input import InputEntry
from aegmm_detect.configs.nets import CodeConfig, NetSizes
from aegmm_detect.detector.parts import Parts
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.nets.aegmm import AEGMM, NET_NAMES, computes_as_aegmm
from aegmm_detect.nets.blueprint import Blueprint
from aegmm_detect.od.state import FittedState
from aegmm_detect.od.stored import arrays_of
from aegmm_detect.serialization import allow_list
from aegmm_detect.serialization.describe import Described
from aegmm_detect.serialization.features import features_from_json, features_to_json

# Nets of an AEGMM that not every kind has.
OptionalPart = Literal["code", "context"]
_OPTIONAL: tuple[OptionalPart, ...] = ("code", "context")
_ALWAYS = tuple(name for name in NET_NAMES if name not in _OPTIONAL)
_READY = "net"


class NetEntry(Settings):
    """How the nets make a model: three parts and features, or a ready one."""

    kind: Literal["aegmm", "ready"]
    n_gmm: Annotated[int, Field(ge=1)] | None = None
    recon_features: dict[str, Any] | None = None  # by what they are: see `serialization`
    parts: tuple[OptionalPart, ...] = ()  # besides the three


class BlueprintEntry(Settings):
    """What the package built the nets from."""

    sizes: NetSizes
    members: Annotated[int, Field(ge=1, le=1024)] | None = None
    code: CodeConfig | None = None


def parts_of(detector: Any) -> Parts:
    """All of a mixture detector but its decisions.

    Raises
    ------
    ArtefactError
        Its nets have changed since its fit, or hold what cannot be described.
    """
    net, blueprint, state = detector.net, detector.blueprint, detector.state
    if state is not None and not detector.required_fit("to_parts()").scorer.is_current():
        raise ArtefactError(
            "The weights of its nets have changed since its fit, and its scores have not: call "
            "fit(X, epochs=0) to estimate its mixtures for these weights."
        )
    entry, nets, described = _net_parts(net)
    settings = {
        "config": detector.config.model_dump(mode="json"),
        "fit_config": detector.fit_config.model_dump(mode="json"),
        "net": entry.model_dump(mode="json"),
        "blueprint": None
        if blueprint is None
        else BlueprintEntry(
            sizes=blueprint.sizes, members=blueprint.members, code=blueprint.code
        ).model_dump(mode="json"),
    }
    if state is None:
        return Parts(settings, nets, described=described)
    rows = InputEntry(
        shape=state.row_shape, dtype=state.row_dtype, names=state.names, eager=state.eager
    )
    return Parts(settings, nets, arrays_of(state), rows, described=described)


def settings_from(
    parts: Parts, config: type[DetectorConfig], fit_config: type[FitConfig]
) -> tuple[Any, Any]:
    """Settings of a detector and of its fits, as these classes check them.

    Those that all mixture detectors share may be missing: an older release did not have them all.
    Those that a class adds are what it was saved with, or it was not saved as one.

    Raises
    ------
    ArtefactError
        Names what is missing.
    """
    made: list[Any] = []
    for name, own, base in (
        ("config", config, DetectorConfig),
        ("fit_config", fit_config, FitConfig),
    ):
        stored = parts.settings[name]
        if missing := own.model_fields.keys() - base.model_fields.keys() - stored.keys():
            raise ArtefactError(
                f"Its {name} lacks {', '.join(sorted(missing))}: it was saved as a detector of "
                "another class."
            )
        made.append(own.of(**stored))
    return made[0], made[1]


def net_from(
    parts: Parts, custom_objects: Mapping[str, Any]
) -> tuple[keras.Model, Blueprint | None]:
    """The model that the nets make, and what they were built from.

    Raises
    ------
    ArtefactError
        Nets or a blueprint that do not fit.
    """
    entry = NetEntry.of(**parts.settings["net"])
    planned = parts.settings.get("blueprint")
    if entry.kind == "ready":
        parts.check_nets(_READY)
        net = parts.nets[_READY]
        if planned is not None:
            raise ArtefactError("It has a blueprint and nets that no blueprint makes.")
        return net, None
    parts.check_nets(*_ALWAYS, *entry.parts)
    features = features_from_json(entry.recon_features, custom_objects)
    encoder, decoder, density = (parts.nets[name] for name in _ALWAYS)
    code, context = (parts.nets.get(name) for name in _OPTIONAL)
    three = (encoder, decoder, density)
    net = AEGMM(*three, entry.n_gmm, features, code=code, context=context)
    if planned is None:
        return net, None
    plan = BlueprintEntry.of(**planned)
    blueprint = Blueprint(plan.sizes, features, plan.members, plan.code, net.context)
    _check_blueprint(blueprint, net)
    return net, blueprint


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


def _net_parts(
    net: keras.Model,
) -> tuple[NetEntry, dict[str, keras.Model], tuple[Described, ...]]:
    # A subclass may compute something else: it is saved as a whole.
    if not computes_as_aegmm(net):
        return NetEntry(kind="ready"), {_READY: net}, ()
    features, described = features_to_json(net.recon_features)
    more = tuple(name for name in _OPTIONAL if getattr(net, name) is not None)
    entry = NetEntry(kind="aegmm", n_gmm=net.n_gmm, recon_features=features, parts=more)
    return entry, {name: getattr(net, name) for name in (*_ALWAYS, *more)}, (described,)


def _check_blueprint(blueprint: Blueprint, net: AEGMM) -> None:
    """Refuse a plan of nets by which `fit` would build larger ones than these, or others."""
    sizes = blueprint.sizes
    hiddens = (sizes.n_features, *sizes.comp_hiddens)
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
