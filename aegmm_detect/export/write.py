"""Export a detector: write, reload, compare, and only then put it in its place."""

import dataclasses
import hashlib
import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np

from aegmm_detect.configs.export import (
    METADATA_FILE,
    ExportedInput,
    ExportedMeta,
    ExportMetadata,
    Format,
)
from aegmm_detect.configs.rows import NanPolicy
from aegmm_detect.exceptions import ArtefactError, ConfigurationError
from aegmm_detect.export import check
from aegmm_detect.export.formats import INPUT, WRITERS, Writer, program
from aegmm_detect.export.logs import logging_kept
from aegmm_detect.export.place import listed, put, recover, refuse_foreign, where_to_export
from aegmm_detect.files import staged_folder
from aegmm_detect.input_checks import check_shape, non_finite_rows
from aegmm_detect.inputs import as_rows
from aegmm_detect.nets.graph import Operations, ScoringGraph
from aegmm_detect.nets.normalizer import Normalizer
from aegmm_detect.processes import check_process
from aegmm_detect.scoring.runtimes import RUNTIMES
from aegmm_detect.scoring.trial import identity, note_passed
from aegmm_detect.types import FloatArray

logger = logging.getLogger(__name__)

# Rows of the user's that are compared: enough for every path through a graph.
_COMPARED = 1024


@dataclasses.dataclass(frozen=True)
class Exported:
    """What is exported."""

    graph: Callable[[Operations], ScoringGraph]  # by operations of a runtime
    normalizer: Normalizer | None
    reference: Callable[[FloatArray], FloatArray]  # scores of any rows
    threshold: float
    nan_policy: NanPolicy
    meta: dict[str, Any]
    row_shape: tuple[int, ...]
    names: tuple[str, ...] | None


def export(
    exported: Exported, path: str | os.PathLike[str], format: str, X: Any = None
) -> ExportMetadata:
    """Write a graph and its metadata to the directory `path`, after comparing it.

    Parameters
    ----------
    exported
        A fitted detector's parts.
    path
        Directory, made if need be; an export that is there is replaced.
    format
        'savedmodel', 'onnx' or 'litert'.
    X
        Rows to compare on, the first 1,024 of them; None for made-up ones.

    Returns
    -------
    What stands in the metadata file.

    Raises
    ------
    ArtefactError
        The graph cannot be converted, is refused by its runtime or scores otherwise; something
        else is at `path`. Nothing is left behind, and what was at `path` stays.
    ConfigurationError
        An unknown format, or a `path` that is no name of a directory, or the working directory.
    MissingExtraError
        The format's converter or runtime is not installed.
    """
    if format not in WRITERS:
        raise ConfigurationError(f"format={format!r}: pass one of {', '.join(get_args(Format))}.")
    target = where_to_export(path)
    check_process()
    known: Format = format
    writer = WRITERS[known]
    with logging_kept():
        writer.needs()
    recover(target)
    refuse_foreign(target)
    graph = exported.graph(writer.operations)
    rows = _rows(X, exported)
    metadata = _describe(exported, known, "float32" if writer.float32 else graph.row_dtype)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, for a move within one file system.
    with staged_folder(target) as staged:
        if target.is_dir():  # nobody sees more of the new one than of the former
            staged.chmod(stat.S_IMODE(target.stat().st_mode) | stat.S_IRWXU)
        metadata = _write(writer, graph, metadata, staged)
        metadata = _compare(writer, exported, metadata, staged, rows)
        put(staged, target)
    if metadata.format in RUNTIMES:
        note_passed(identity(metadata))
    return metadata


def _describe(exported: Exported, format: Format, dtype: str) -> ExportMetadata:
    rows = {"name": INPUT, "shape": exported.row_shape, "dtype": dtype, "columns": exported.names}
    return ExportMetadata(
        format=format,
        input=ExportedInput.of(**rows),
        threshold=exported.threshold,
        nan_policy=exported.nan_policy,
        meta=ExportedMeta.of(**exported.meta),
    )


def _rows(X: Any, exported: Exported) -> FloatArray:
    """What is compared, rows that are not finite among them."""
    if X is None:
        rows = check.made_up_rows(exported.normalizer, exported.row_shape)
    else:
        rows = next(as_rows(X, exported.names).batches(_COMPARED), np.empty(0))[:_COMPARED]
        check_shape(rows, exported.row_shape)
        rows = np.delete(rows, non_finite_rows(rows), axis=0)
        if not len(rows):
            raise ConfigurationError("X holds no finite rows to compare on: leave it out.")
    return check.with_non_finite(rows)


def _write(
    writer: Writer, graph: ScoringGraph, metadata: ExportMetadata, folder: Path
) -> ExportMetadata:
    rows = metadata.input
    with logging_kept():
        writer.write(program(graph, metadata.threshold, rows.shape, rows.dtype), folder)
    model = folder / metadata.model_file
    if not model.is_file():
        raise ArtefactError(f"The converter to {metadata.format} has written no {model.name}.")
    hashed = hashlib.sha256(model.read_bytes()).hexdigest()
    return _save(metadata.replace(sha256=hashed, files=listed(folder)), folder)


def _compare(
    writer: Writer, exported: Exported, metadata: ExportMetadata, folder: Path, rows: FloatArray
) -> ExportMetadata:
    run = writer.load(folder, metadata)

    def scored(rows: FloatArray) -> Any:
        with np.errstate(over="ignore"):
            return run(rows.astype(metadata.input.dtype))

    try:
        largest = check.compare(scored, exported.reference, metadata.threshold, rows)
        finite = np.delete(rows, non_finite_rows(rows), axis=0)
        n_equal = check.check_at_threshold(scored, metadata.threshold, finite)
    except ArtefactError as error:
        raise ArtefactError(f"{error} {_advice(metadata)}") from error
    logger.info(
        "%s export: scores of %d rows differ from the detector's by at most %.2g of "
        "max(1, |score|); %d rows exactly at the threshold are inliers.",
        metadata.format,
        len(rows),
        largest,
        n_equal,
    )
    return _save(metadata.replace(largest_difference=largest), folder)


def _advice(metadata: ExportMetadata) -> str:
    if metadata.format == "litert":
        return (
            "LiteRT takes rows of float32: export to ONNX if columns need more digits (times in "
            "seconds), or pass rows of float32 as X= if yours have no more."
        )
    return "Pass rows of your own as X= to compare on, or try another format."


def _save(metadata: ExportMetadata, folder: Path) -> ExportMetadata:
    (folder / METADATA_FILE).write_text(metadata.to_json(), encoding="utf-8")
    return metadata
