"""Detectors of several kinds, nets that are exported by themselves, and exports that tests read."""

import dataclasses
import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from aegmm_detect.configs.export import ExportMetadata
from aegmm_detect.export import formats
from aegmm_detect.export.write import Exported, export
from aegmm_detect.nets.graph import (
    TENSORFLOW,
    Operations,
    ScoringGraph,
    numbers_for_finite_rows,
)
from aegmm_detect.od import OutlierAEGMM
from tests.untrained import untrained


@dataclasses.dataclass(frozen=True)
class Sum:
    """Scores a row by the sum of what a net makes of it."""

    operations: Operations = TENSORFLOW

    def __call__(self, net, parameters, x):
        scores = ops.sum(ops.cast(net(x, training=False), "float32"), axis=-1)
        return numbers_for_finite_rows(scores, x, self.operations)


@pytest.fixture(scope="session")
def graph_of():
    """Of a net and a runtime's operations: the graph that scores by `Sum`."""
    return lambda net, operations: ScoringGraph(Sum(operations), net, (), "float32")


@pytest.fixture(scope="session")
def export_net(graph_of):
    """`export` of a net that nothing was fitted to: most laws do not ask what trained it."""

    def export_net(net, path, format, X=None, threshold=0.0):
        def reference(rows):
            with np.errstate(over="ignore"):
                rows = rows.astype(np.float32)
            return ops.convert_to_numpy(Sum()(net, (), ops.convert_to_tensor(rows)))

        exported = Exported(
            graph=lambda operations: graph_of(net, operations),
            normalizer=None,
            reference=reference,
            threshold=threshold,
            nan_policy="raise",
            meta=OutlierAEGMM.auto(6, ensemble=1).meta,
            row_shape=net.input_shape[1:],
            names=None,
        )
        return export(exported, path, format, X)

    return export_net


@dataclasses.dataclass(frozen=True)
class PlainExport:
    """What `plain_export` made."""

    path: Path
    metadata: ExportMetadata
    logging_after: tuple[list[Any], int]  # of the root logger: handlers and level


@pytest.fixture(scope="session")
def plain_export(fitted, format_, tmp_path_factory):
    """An export of `fitted`, by a converter that changes the root logger; tests only read it."""
    writer = formats.WRITERS[format_]

    def write(program, folder):
        logging.warning("as tf2onnx does")
        logging.getLogger().setLevel(logging.DEBUG)
        writer.write(program, folder)

    root = logging.getLogger()
    path = tmp_path_factory.mktemp("plain") / "export"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(root, "handlers", [])
        patch.setattr(root, "level", logging.ERROR)
        patch.setitem(formats.WRITERS, format_, dataclasses.replace(writer, write=write))
        metadata = fitted.export(path, format_)
        after = list(root.handlers), root.level
    return PlainExport(path, metadata, after)


def _plain(make_nets, rows):
    nets = make_nets(dropout=0.2, batch_norm=True)
    # As if it were trained: fresh, it would do nothing.
    norm = nets["encoder_net"].layers[1]
    rng = np.random.default_rng(0)
    norm.set_weights([rng.uniform(0.5, 2.0, weight.shape) for weight in norm.weights])
    return OutlierAEGMM(threshold=0.0, **nets), rows


def _auto(make_nets, rows):
    # Columns as they come: other units, and a middle far from zero.
    return OutlierAEGMM.auto(6, ensemble=2, threshold=0.0, seed=3), 50.0 * rows + 1e3


def _both(make_nets, rows):
    return OutlierAEGMM.auto(6, ensemble=1, threshold=0.0, seed=3, score_type="both"), rows


def _image(make_nets, rows):
    layers = keras.layers
    detector = OutlierAEGMM(
        threshold=0.0,
        encoder_net=keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                layers.Conv2D(4, 3, 2, "same", activation="relu"),
                layers.Flatten(),
                layers.Dense(2),
            ]
        ),
        decoder_net=keras.Sequential(
            [
                keras.Input((2,)),
                layers.Dense(64),
                layers.Reshape((4, 4, 4)),
                layers.Conv2DTranspose(1, 3, 2, "same"),
            ]
        ),
        gmm_density_net=keras.Sequential([keras.Input((4,)), layers.Dense(2, "softmax")]),
        normalize="minmax",
    )
    return detector, np.random.default_rng(1).random((300, 8, 8, 1), np.float32)


KINDS = {"plain": _plain, "auto": _auto, "both": _both, "image": _image}


@pytest.fixture(scope="session", params=sorted(KINDS))
def subject(request, make_nets, normal_rows):
    """A fitted detector with a threshold among its scores, and its rows."""
    detector, rows = KINDS[request.param](make_nets, normal_rows)
    with untrained():
        detector.fit(rows, epochs=2, verbose=0, seed=0)
    detector.infer_threshold(rows, 90.0)
    return detector, rows
