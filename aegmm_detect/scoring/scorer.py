"""The light scorer: an exported detector, run by onnxruntime or LiteRT."""

import concurrent.futures
import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from aegmm_detect.configs.export import (
    LARGEST_METADATA,
    LARGEST_MODEL,
    METADATA_FILE,
    ExportMetadata,
)
from aegmm_detect.decision import is_outlier
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.prediction import prediction
from aegmm_detect.scoring.runtimes import RUNTIMES, CheckedRuntime, rows_at_once
from aegmm_detect.scoring.trial import identity, note_passed, try_graph
from aegmm_detect.scoring_loop import DEFAULT_BATCH_SIZE, score_rows
from aegmm_detect.types import FloatArray
from aegmm_detect.untrusted.files import read_inside
from aegmm_detect.untrusted.graph import check_graph

_WORKERS = min(8, os.cpu_count() or 1)


class Scorer:
    """Scores rows as the detector did that was exported; neither TensorFlow nor Keras is loaded.

    The graph is read before the runtime sees it, and only operations of exports are run. If this
    process has neither exported nor opened the same graph before, a child process first scores a
    few rows with it, within limits on time and memory.

    A scorer pickles as its path and is loaded again where it is unpickled, without another trial of
    the same graph. Threads may share one.

    Parameters
    ----------
    path
        Directory that ``detector.export(path, format='onnx')`` or ``format='litert'`` has written.
    trusted
        Whether to leave out the trial in a child process, which takes most of the time to open an
        export. Default False: whoever has written the files is unknown.

    Raises
    ------
    ArtefactError
        Nothing there; foreign, damaged, of a newer format; a graph that no detector has exported,
        or that fails in the trial; or a SavedModel, which needs TensorFlow.
    MissingExtraError
        The runtime is not installed.
    """

    def __init__(self, path: str | os.PathLike[str], trusted: bool = False) -> None:
        self._path, self._trusted = Path(path).absolute(), trusted
        self._metadata, model = read_export(self._path)
        if self._metadata.format not in RUNTIMES:
            raise ArtefactError(
                f"{path} is a SavedModel, which needs TensorFlow, and is a program that can do "
                "anything: if you trust whoever wrote it, use tf.saved_model.load. For a Scorer, "
                "export with format='onnx' or 'litert'."
            )
        self._where = where = str(self._path / self._metadata.model_file)
        RUNTIMES[self._metadata.format].engine()
        check_graph(model, self._metadata.format, where)
        if not trusted:
            try_graph(model, self._metadata, where)
        self._runtime = CheckedRuntime(model, self._metadata, where)

    def __repr__(self) -> str:
        return f"Scorer({str(self._path)!r})"

    def __reduce__(self) -> tuple[Any, tuple[str, bool, str]]:
        return _again, (str(self._path), self._trusted, identity(self._metadata))

    @property
    def metadata(self) -> ExportMetadata:
        """What stands next to the graph: its input, the threshold, the largest difference found."""
        return self._metadata

    @property
    def meta(self) -> dict[str, Any]:
        """That of the detector: a fresh dictionary each time, the caller's to change."""
        return self._metadata.meta.model_dump()

    @property
    def threshold(self) -> float:
        """Score above which a row is an outlier."""
        return self._metadata.threshold

    def score(self, X: Any, batch_size: int = DEFAULT_BATCH_SIZE) -> FloatArray:
        """Anomaly scores of the rows of `X`.

        Parameters
        ----------
        X
            Instances, shape (N, ...): an array, a data frame, or a stream of batches. N may be 0.
        batch_size
            Rows per pass over arrays: memory only.

        Returns
        -------
        Scores, shape (N,), float32: those of the detector but for rounding. Last digits can depend
        on a row's place in `X`.

        Raises
        ------
        InvalidInputError
            Other columns or shapes than at ``fit``; rows with NaN or infinity unless the detector
            had ``nan_policy='flag'``.
        """
        rows = self._metadata.input
        return score_rows(
            X, self._score_batch, rows.shape, rows.columns, self._metadata.nan_policy, batch_size
        )

    def predict(
        self, X: Any, batch_size: int = DEFAULT_BATCH_SIZE, return_instance_score: bool = True
    ) -> dict[str, dict[str, Any]]:
        """Score rows and say which are outliers.

        Parameters
        ----------
        X, batch_size
            As for `score`.
        return_instance_score
            Whether to return the scores, too.

        Returns
        -------
        The dictionary that the detector's ``predict`` returns.

        Raises
        ------
        InvalidInputError
            As for `score`.
        """
        scores = self.score(X, batch_size)
        # The graph answers which rows are outliers, too: `export` has compared them.
        outlier = is_outlier(scores, self.threshold)
        return prediction(scores if return_instance_score else None, outlier, self.meta)

    def _score_batch(self, batch: FloatArray) -> FloatArray:
        size = rows_at_once(batch.shape[1:])
        if len(batch) <= size:
            return self._score_span(batch)
        spans = (batch[i : i + size] for i in range(0, len(batch), size))
        with concurrent.futures.ThreadPoolExecutor(_WORKERS) as pool:
            return np.concatenate(list(pool.map(self._score_span, spans)))

    def _score_span(self, rows: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):  # beyond float32 is infinite, and scores NaN
            converted = np.ascontiguousarray(rows, dtype=self._metadata.input.dtype)
            scores = self._runtime(converted)[0]
            unknown = np.isnan(scores)
            # Or the rows would be blamed for what the graph does.
            if unknown.any() and _has_finite_row(converted[unknown].astype(np.float32)):
                raise ArtefactError(
                    f"{self._where} scores NaN for rows that are finite: it is not a graph that a "
                    "detector has exported. Export it again."
                )
        return scores


def _has_finite_row(rows: FloatArray) -> bool:
    return bool(np.isfinite(rows.reshape(len(rows), -1)).all(axis=1).any())


def _again(path: str, trusted: bool, known: str) -> Scorer:
    """A scorer out of a pickle. Whoever trusts the pickle trusts what it says about a graph."""
    if not trusted:
        note_passed(known)
    return Scorer(path, trusted)


def read_export(folder: Path) -> tuple[ExportMetadata, bytes]:
    """Metadata and graph of an export; each file is opened once, and only regular ones within it.

    Raises
    ------
    ArtefactError
        Nothing there; foreign, damaged, too large or of a newer format.
    """
    described = folder / METADATA_FILE
    what = "is not a directory" if folder.exists() else "does not exist"
    try:
        text = read_inside(folder, METADATA_FILE, LARGEST_METADATA) if folder.is_dir() else None
    except FileNotFoundError:
        text, what = None, f"has no {METADATA_FILE}"
    if text is None:
        raise ArtefactError(
            f"{folder} {what}: there is no exported detector. Pass the directory that "
            "detector.export wrote."
        )
    metadata = ExportMetadata.from_json(text, str(described))
    path = folder / metadata.model_file
    try:
        model = read_inside(folder, metadata.model_file, LARGEST_MODEL)
    except FileNotFoundError as error:
        raise ArtefactError(
            f"{path} is missing: copy all of what detector.export wrote."
        ) from error
    if hashlib.sha256(model).hexdigest() != metadata.sha256:
        raise ArtefactError(
            f"{path} is damaged, or not the file that {METADATA_FILE} was written for: its sha256 "
            "differs. Export it again."
        )
    return metadata, model
