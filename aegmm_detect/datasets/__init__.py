"""Labelled data: real sets by name, files of one's own, seeded toys.

The environment variable ``AEGMM_DATA_HOME`` names a folder in which files are looked for and into
which they are downloaded; without it, it is the user's cache.
"""

from typing import TYPE_CHECKING

from aegmm_detect._lazy import lazy_names

if TYPE_CHECKING:
    from aegmm_detect.datasets.base import Dataset
    from aegmm_detect.datasets.catalog import available, load
    from aegmm_detect.datasets.files import from_file
    from aegmm_detect.datasets.ids import load_ids2018, load_usb_ids
    from aegmm_detect.datasets.kdd import load_kdd99, load_kdd99_sample, load_nsl_kdd
    from aegmm_detect.datasets.odds import load_arrhythmia, load_thyroid
    from aegmm_detect.datasets.synthetic import make_blobs_with_outliers, make_images

__all__ = [
    "Dataset",
    "available",
    "from_file",
    "load",
    "load_arrhythmia",
    "load_ids2018",
    "load_kdd99",
    "load_kdd99_sample",
    "load_nsl_kdd",
    "load_thyroid",
    "load_usb_ids",
    "make_blobs_with_outliers",
    "make_images",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Dataset": "aegmm_detect.datasets.base",
        "available": "aegmm_detect.datasets.catalog",
        "from_file": "aegmm_detect.datasets.files",
        "load": "aegmm_detect.datasets.catalog",
        "load_arrhythmia": "aegmm_detect.datasets.odds",
        "load_ids2018": "aegmm_detect.datasets.ids",
        "load_kdd99": "aegmm_detect.datasets.kdd",
        "load_kdd99_sample": "aegmm_detect.datasets.kdd",
        "load_nsl_kdd": "aegmm_detect.datasets.kdd",
        "load_thyroid": "aegmm_detect.datasets.odds",
        "load_usb_ids": "aegmm_detect.datasets.ids",
        "make_blobs_with_outliers": "aegmm_detect.datasets.synthetic",
        "make_images": "aegmm_detect.datasets.synthetic",
    },
)
