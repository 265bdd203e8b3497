"""How good is a detector? Protocols without leaks, metrics, simple baselines, benchmarks."""

from typing import TYPE_CHECKING

from aegmm_detect._lazy import lazy_names

if TYPE_CHECKING:
    from aegmm_detect.evaluation.baselines import BASELINES
    from aegmm_detect.evaluation.benchmark import run
    from aegmm_detect.evaluation.contenders import DetectorContender, auto
    from aegmm_detect.evaluation.protocols import (
        PROTOCOLS,
        Split,
        SplitOptions,
        distinct_rows,
        make_split,
    )

__all__ = [
    "BASELINES",
    "PROTOCOLS",
    "DetectorContender",
    "Split",
    "SplitOptions",
    "auto",
    "distinct_rows",
    "make_split",
    "run",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "BASELINES": "aegmm_detect.evaluation.baselines",
        "PROTOCOLS": "aegmm_detect.evaluation.protocols",
        "DetectorContender": "aegmm_detect.evaluation.contenders",
        "Split": "aegmm_detect.evaluation.protocols",
        "SplitOptions": "aegmm_detect.evaluation.protocols",
        "auto": "aegmm_detect.evaluation.contenders",
        "distinct_rows": "aegmm_detect.evaluation.protocols",
        "make_split": "aegmm_detect.evaluation.protocols",
        "run": "aegmm_detect.evaluation.benchmark",
    },
)
