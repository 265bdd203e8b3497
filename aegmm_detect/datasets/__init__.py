"""Data for examples, tests and benchmarks: embedded real sets and seeded toys."""

from typing import TYPE_CHECKING

from aegmm_detect._lazy import lazy_names

if TYPE_CHECKING:
    from aegmm_detect.datasets.base import Dataset
    from aegmm_detect.datasets.catalog import load_thyroid
    from aegmm_detect.datasets.synthetic import make_blobs_with_outliers, make_images

__all__ = ["Dataset", "load_thyroid", "make_blobs_with_outliers", "make_images"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Dataset": "aegmm_detect.datasets.base",
        "load_thyroid": "aegmm_detect.datasets.catalog",
        "make_blobs_with_outliers": "aegmm_detect.datasets.synthetic",
        "make_images": "aegmm_detect.datasets.synthetic",
    },
)
