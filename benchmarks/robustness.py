"""Sixty fits on awkward data: how many give NaN, fail in silence, or raise the named error?

    python -m benchmarks.robustness

Protocol: 20 seeds x {standardised, min-max, raw x 1e4} heavy-tailed correlated rows of 18
columns, batch sizes 8, 64 and 257 in turn with N % batch_size == 1, alibi-detect's example nets,
Adam(1e-3), 5 epochs, default features. The raw rows are not scaled inside the detector either.
"""

import argparse
import json
import pathlib

import keras
import numpy as np

from aegmm_detect.evaluation.environment import describe
from aegmm_detect.exceptions import NonFiniteLossError
from aegmm_detect.od import OutlierAEGMM

N_FEATURES = 18
BATCH_SIZES = (8, 64, 257)


def heavy_tailed(n_rows: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    latent = rng.standard_t(3, size=(n_rows, 6))
    rows = latent @ rng.normal(size=(6, N_FEATURES)) + rng.normal(size=(n_rows, N_FEATURES))
    rows[:, :6] = np.exp(np.clip(rows[:, :6], -8, 8))  # like byte counts
    rows[:, 6:9] = rows[:, 6:9] > 1.5  # like flags
    return rows


def scaled(rows: np.ndarray, how: str) -> np.ndarray:
    if how == "standardised":
        return (rows - rows.mean(0)) / rows.std(0)
    if how == "min-max":
        return (rows - rows.min(0)) / np.ptp(rows, axis=0)
    return rows * 1e4


def detector(seed: int) -> OutlierAEGMM:
    keras.utils.set_random_seed(seed)
    layers = keras.layers

    def stack(n_inputs: int, *widths: int, last: str | None = None) -> keras.Model:
        hidden = [layers.Dense(width, "tanh") for width in widths[:-1]]
        return keras.Sequential([keras.Input((n_inputs,)), *hidden, layers.Dense(widths[-1], last)])

    return OutlierAEGMM(
        threshold=0.0,
        encoder_net=stack(N_FEATURES, 60, 30, 10, 1),
        decoder_net=stack(1, 10, 30, 60, N_FEATURES),
        gmm_density_net=stack(3, 10, 2, last="softmax"),
        n_gmm=2,
    )


def one(seed: int, how: str, batch_size: int) -> dict[str, object]:
    rows = scaled(heavy_tailed(batch_size * (1200 // batch_size) + 1, seed), how)
    found = {"seed": seed, "scaling": how, "batch_size": batch_size, "n_rows": len(rows)}
    model = detector(seed)
    try:
        history = model.fit(
            rows,
            epochs=5,
            batch_size=batch_size,
            optimizer=keras.optimizers.Adam(1e-3),
            verbose=0,
            seed=seed,
            jit_compile=False,
        )
    except NonFiniteLossError as error:
        return found | {"raised": str(error)}
    numbers = np.concatenate([model.score(rows), model.phi, model.mu.ravel(), model.cov.ravel()])
    finite = bool(np.isfinite(numbers).all() and np.isfinite(history.history["loss"]).all())
    return found | {"finite": finite, "loss": history.history["loss"][-1]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--out", default="benchmarks/results/robustness.json")
    arguments = parser.parse_args()
    fits = []
    for seed in range(arguments.seeds):
        for i, how in enumerate(("standardised", "min-max", "raw x 1e4")):
            fits.append(one(seed, how, BATCH_SIZES[(seed + i) % 3]))
            keras.backend.clear_session()
    summary = {
        "fits": len(fits),
        "finite": sum(fit.get("finite", False) for fit in fits),
        "named errors": sum("raised" in fit for fit in fits),
        "silent NaN": sum(fit.get("finite") is False for fit in fits),
    }
    out = pathlib.Path(arguments.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(
        json.dumps({"summary": summary, "environment": describe(), "fits": fits}, indent=1)
    )
    print(summary)


if __name__ == "__main__":
    main()
