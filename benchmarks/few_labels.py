"""Does pre-training without labels help a classifier with few labels?

    python -m benchmarks.few_labels > docs/generated/few_labels.rst

Chiller faults (8 classes of the least severity) and NSL-KDD (5 categories of traffic); of the
training rows, all are there without labels and a share has them. Compared are a random forest of
the labelled rows and one net that starts from fresh weights, from a plain autoencoder or from an
`OutlierAEGMM`, both of which see all training rows. The three nets have the same layers, and no
setting was tuned on these data. Accuracy and macro F1 on test rows, by seed.

Needs the data folder (AEGMM_DATA_HOME). Writes benchmarks/results/few_labels.json after every run,
goes on where it was stopped, and prints the table.
"""

import argparse
import dataclasses
import functools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import train_test_split

from aegmm_detect import datasets
from aegmm_detect.datasets.fetch import fetch
from aegmm_detect.datasets.sources import File, Source
from aegmm_detect.evaluation.environment import describe
from aegmm_detect.evaluation.store import Store
from aegmm_detect.evaluation.summary import spread
from aegmm_detect.version import __version__
from benchmarks import tasks
from benchmarks.protocol import ROOT, say
from benchmarks.table import list_table

OUT = ROOT / "benchmarks" / "results" / "few_labels.json"
SHARES = (0.1, 0.03, 0.01, 0.005)
METRICS = {"accuracy": "accuracy", "macro_f1": "macro F1"}
CHILLER = Source(
    title="Chiller faults, ASHRAE RP-1043",
    files=(
        File(
            "chiller_rp1043.npz", "f44ace50c87fc33821dab5405282b2c69756e6c70bf1c42889671f45f359945b"
        ),
    ),
    addresses=(),
    page="ASHRAE Research Project 1043-RP",
    licence="none: for evaluation only",
    citation=(
        "Comstock and Braun (1999), Development of Analysis Tools for the Evaluation of Fault "
        "Detection and Diagnostics in Chillers, ASHRAE Research Project 1043-RP."
    ),
)
# Least severity of a fault, the task of the S-DAGMM project, and the hardest.
LEVEL = 10

# Layers and epochs of the S-DAGMM project's pre-training; Nadam's rate is Keras's own.
HIDDENS = (100, 50, 20)
PRETRAINING = {"epochs": 30, "batch_size": 1024}
FROZEN_EPOCHS, EPOCHS = 10, 100

# Attacks by category, as in the publisher's list; all others are normal.
CATEGORIES = {
    "dos": "apache2 back land mailbomb neptune pod processtable smurf teardrop udpstorm worm",
    "probe": "ipsweep mscan nmap portsweep saint satan",
    "r2l": "ftp_write guess_passwd httptunnel imap multihop named phf sendmail snmpgetattack "
    "snmpguess spy warezclient warezmaster xlock xsnoop",
    "u2r": "buffer_overflow loadmodule perl ps rootkit sqlattack xterm",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Labelled:
    """All training rows, and test rows."""

    X: np.ndarray  # (N, F)
    y: np.ndarray  # (N,)
    X_test: np.ndarray  # (M, F)
    y_test: np.ndarray  # (M,)


def chiller(seed: int) -> Labelled:
    """Training and test rows from alternate blocks of ten minutes; an odd seed turns them round.

    There is one run of each fault: its day is part of its class, for every contender.
    """
    fetch(CHILLER)  # refuses other bytes
    X, kinds, blocks = tasks.chiller()
    used = np.isin(kinds % 100, (0, LEVEL))
    train, test = used & (blocks % 2 == seed % 2), used & (blocks % 2 != seed % 2)
    return Labelled(X[train], kinds[train] // 100, X[test], kinds[test] // 100)


def nsl_kdd(seed: int) -> Labelled:
    """The official parts: 17 types of attacks are in the test part only."""
    return _nsl_kdd()


@functools.cache
def _nsl_kdd() -> Labelled:
    category = {kind: name for name, kinds in CATEGORIES.items() for kind in kinds.split()}
    category["normal"] = "normal"
    train, test = (datasets.load("nsl-kdd", part=part) for part in ("train", "test"))
    y, y_test = (np.array([category[kind] for kind in data.kinds]) for data in (train, test))
    return Labelled(train.X, y, test.X, y_test)


DATA: dict[str, Callable[[int], Labelled]] = {"chiller": chiller, "nsl-kdd": nsl_kdd}


def labelled_rows(y: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Rows that have a label: a stratified share, from which rare classes may be missing."""
    rows, _ = train_test_split(np.arange(len(y)), train_size=share, random_state=seed, stratify=y)
    return rows


def detector(n_features: int, seed: int) -> Any:
    from aegmm_detect.od import OutlierAEGMM

    return OutlierAEGMM.from_sizes(
        n_features,
        HIDDENS,
        (10, 3),
        comp_activation="elu",
        est_dropout_ratio=0.1,
        recon_reduction="sum",
        normalize="standard",
        threshold=0.0,
        seed=seed,
    )


class Pretraining:
    """Each way to pre-train, once for all shares of labels: it sees no label."""

    def __init__(self, X: np.ndarray, seed: int) -> None:
        self._X, self._seed = X, seed

    @functools.cached_property
    def aegmm(self) -> Any:
        import keras

        fitted = detector(self._X.shape[1], self._seed)
        fitted.fit(self._X, optimizer=keras.optimizers.Nadam(1e-3), verbose=0, **PRETRAINING)
        return fitted

    @functools.cached_property
    def autoencoder(self) -> Any:
        from aegmm_detect.few_labels import fit_autoencoder

        return fit_autoencoder(
            self._X, HIDDENS, patience=None, validation_split=0.0, seed=self._seed, verbose=0,
            **PRETRAINING,
        )  # fmt: skip


def forest(pretraining: Pretraining, seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(random_state=seed)


def no_pretraining(pretraining: Pretraining, seed: int) -> Any:
    from aegmm_detect.few_labels import FewLabelClassifier

    # As many epochs as both stages of the others.
    epochs = FROZEN_EPOCHS + EPOCHS
    return FewLabelClassifier(hiddens=HIDDENS, frozen_epochs=0, epochs=epochs, seed=seed)


def from_autoencoder(pretraining: Pretraining, seed: int) -> Any:
    from aegmm_detect.few_labels import FewLabelClassifier

    encoder, normalizer, _ = pretraining.autoencoder
    return FewLabelClassifier(
        encoder, normalizer=normalizer, frozen_epochs=FROZEN_EPOCHS, epochs=EPOCHS, seed=seed
    )


def from_aegmm(pretraining: Pretraining, seed: int) -> Any:
    from aegmm_detect.few_labels import FewLabelClassifier

    return FewLabelClassifier.from_detector(
        pretraining.aegmm, frozen_epochs=FROZEN_EPOCHS, epochs=EPOCHS, seed=seed
    )


CONTENDERS: dict[str, Callable[[Pretraining, int], Any]] = {
    "random forest": forest,
    "no pre-training": no_pretraining,
    "autoencoder": from_autoencoder,
    "AEGMM": from_aegmm,
}


def settings() -> dict[str, Any]:
    """Of all contenders: results of others are not to be mixed with these."""
    from aegmm_detect.few_labels.settings import FewLabelConfig

    return {
        "hiddens": HIDDENS,
        "pretraining": PRETRAINING,
        "frozen_epochs": FROZEN_EPOCHS,
        "epochs": EPOCHS,
        "classifier": FewLabelConfig().model_dump(mode="json"),
        "detector": detector(1, 0).fit_config.model_dump(mode="json"),
        "level": LEVEL,
    }


def one(data: Labelled, pretraining: Pretraining, name: str, share: float, seed: int) -> Any:
    """Fit one contender and judge it."""
    model = CONTENDERS[name](pretraining, seed)
    rows = labelled_rows(data.y, share, seed)
    start = time.perf_counter()
    quiet = {} if name == "random forest" else {"verbose": 0}
    model.fit(data.X[rows], data.y[rows], **quiet)
    seconds = round(time.perf_counter() - start, 2)
    found = model.predict(data.X_test)
    values = {
        "accuracy": float(accuracy_score(data.y_test, found)),
        # A class without a labelled row is never found, and counts 0.
        "macro_f1": float(f1_score(data.y_test, found, average="macro", zero_division=0.0)),
    }
    sizes = {"train": len(data.X), "labelled": len(rows), "test": len(data.X_test)}
    return {"metrics": values, "sizes": sizes, "fit_seconds": seconds, "failure": None}


def row_name(data: str, share: float, contender: str) -> str:
    return f"{data} {100 * share:g} % {contender}"


def table(runs: list[dict[str, Any]]) -> str:
    """Mean and standard deviation over seeds, in %."""
    rows = []
    places = [(data, share, name) for data in DATA for share in SHARES for name in CONTENDERS]
    for place in places:
        mine = [run for run in runs if run["contender"] == row_name(*place)]
        if not mine:
            continue
        cells = []
        for metric in METRICS:
            found = spread([100.0 * run["metrics"][metric] for run in mine])
            sd = "--" if found["sd"] is None else f"{found['sd']:.1f}"
            cells.append(f"{found['mean']:.1f} ± {sd}")
        data, share, name = place
        labels = f"{100 * share:g} % ({mine[0]['sizes']['labelled']:,})"
        rows.append((data, labels, name, *cells, str(len(mine))))
    return list_table(("data", "labels", "start", *METRICS.values(), "seeds"), rows)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.few_labels", description=__doc__)
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--seeds", type=int, default=5, help="0, 1, ...; so many (5)")
    parser.add_argument("--shares", type=float, nargs="+", choices=SHARES, default=SHARES)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args(arguments)
    if "AEGMM_DATA_HOME" not in os.environ:
        parser.error("set AEGMM_DATA_HOME to the folder of the data sets.")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    store = Store(options.out, {"benchmark": "few labels", "version": __version__})
    import keras

    environment, config = store.environment(describe()), settings()
    for name in options.data:
        for seed in range(options.seeds):
            data = DATA[name](seed)
            pretraining = Pretraining(data.X, seed)
            for share in options.shares:
                for contender in CONTENDERS:
                    key = {
                        "contender": row_name(name, share, contender),
                        "split_seed": seed,
                        "model_seed": seed,
                    }
                    if store.find(key, config):
                        continue
                    found = one(data, pretraining, contender, share, seed)
                    store.add({**key, "environment": environment, "config": config, **found})
                    values = "  ".join(f"{k} {v:.3f}" for k, v in found["metrics"].items())
                    say(f"{key['contender']}, seed {seed}: {values}")
            keras.backend.clear_session()
    print(table(store.runs))


if __name__ == "__main__":
    main()
