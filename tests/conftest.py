"""Small nets and small data that many tests share."""

import gc
import importlib.util
import os

# Before TensorFlow loads: its start-up notices are no concern of a test.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest

pytest_plugins = ["tests.counting"]

# Machines are noisy: time is measured by benchmarks.
hypothesis.settings.register_profile("untimed", deadline=None, max_examples=50)
hypothesis.settings.load_profile("untimed")


def pytest_collection_finish(session):
    """Objects of imported modules, some million, are no garbage: collecting it need not look.

    Nor need it look often, as graphs are made of many objects that stay.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)


@pytest.fixture(autouse=True, scope="session")
def _scoring_of_shared_detectors():
    """Detectors of the whole session are made before any module says how it scores."""
    from aegmm_detect.programs.tracing import SCORING

    SCORING["mode"] = "graph"
    yield
    SCORING["mode"] = "xla"


@pytest.fixture(autouse=True, scope="module")
def _scoring_mode(request, _scoring_of_shared_detectors):
    """Scores by a plain graph, which compiles in a quarter of the time; by XLA where marked so."""
    from aegmm_detect.programs.tracing import SCORING

    SCORING["mode"] = "xla" if any(request.node.iter_markers("xla")) else "graph"
    yield
    SCORING["mode"] = "graph"
    # What a module leaves open is an error of this module, and its graphs make room.
    gc.collect()


@pytest.fixture(scope="session")
def make_nets() -> Callable[..., dict[str, Any]]:
    """Constructor arguments of a small tabular detector; the same seed gives the same weights."""
    import keras

    def make(
        n_features: int = 6,
        n_gmm: int = 2,
        n_recon: int = 2,
        seed: int = 0,
        dropout: float = 0.0,
        batch_norm: bool = False,
        kernel_regularizer: Any = None,
    ) -> dict[str, Any]:
        layers = keras.layers
        seeds = iter(range(seed * 100, seed * 100 + 100))

        def dense(width: int, activation: str | None = None) -> Any:
            init = keras.initializers.GlorotUniform(seed=next(seeds))
            return layers.Dense(
                width,
                activation,
                kernel_initializer=init,
                kernel_regularizer=kernel_regularizer,
            )

        middle = [layers.BatchNormalization()] if batch_norm else []
        drop = [layers.Dropout(dropout, seed=next(seeds))] if dropout else []
        return {
            "encoder_net": keras.Sequential(
                [keras.Input((n_features,)), dense(8, "tanh"), *middle, dense(1)]
            ),
            "decoder_net": keras.Sequential(
                [keras.Input((1,)), dense(8, "tanh"), dense(n_features)]
            ),
            "gmm_density_net": keras.Sequential(
                [
                    keras.Input((1 + n_recon,)),
                    dense(6, "tanh"),
                    *drop,
                    dense(n_gmm, "softmax"),
                ]
            ),
            "n_gmm": n_gmm,
        }

    return make


# A long double is a double on some machines.
@pytest.fixture(params=["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "g"])
def real_dtype(request: pytest.FixtureRequest) -> str:
    """Each dtype of real numbers."""
    return str(request.param)


@pytest.fixture(scope="session")
def normal_rows() -> np.ndarray:
    """600 correlated rows of 6 features, float32."""
    rng = np.random.default_rng(7)
    return (rng.normal(size=(600, 6)) @ rng.normal(size=(6, 6))).astype(np.float32)


@pytest.fixture(scope="session")
def fitted(make_nets: Callable[..., dict[str, Any]], normal_rows: np.ndarray) -> Any:
    """A fitted detector with a threshold; tests must leave it as it is."""
    from aegmm_detect.od import OutlierAEGMM

    detector = OutlierAEGMM(threshold=2.0, **make_nets())
    detector.fit(normal_rows, epochs=3, batch_size=64, verbose=0, seed=0)
    return detector


# Packages that each format of an export needs.
NEEDS = {
    "savedmodel": (),
    "onnx": ("tf2onnx", "onnx", "onnxruntime"),
    "litert": ("ai_edge_litert",),
}


def _skip_unless_installed(format_: str) -> None:
    missing = [name for name in NEEDS[format_] if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{format_} needs {', '.join(missing)}")


@pytest.fixture(scope="session", params=sorted(NEEDS))
def format_(request: pytest.FixtureRequest) -> str:
    """Each format of an export."""
    _skip_unless_installed(request.param)
    return str(request.param)


@pytest.fixture(scope="session", params=["onnx", "litert"])
def light_format(request: pytest.FixtureRequest) -> str:
    """Each format that the light scorer runs."""
    _skip_unless_installed(request.param)
    return str(request.param)


@pytest.fixture(scope="session")
def exported(fitted: Any, light_format: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a light export of `fitted`."""
    path = tmp_path_factory.mktemp("export") / light_format
    fitted.export(path, light_format)
    return path
