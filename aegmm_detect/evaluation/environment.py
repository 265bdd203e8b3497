"""What a reader has to know about the machine; nothing that tells whose it is."""

import importlib
import os
import platform
from pathlib import Path
from typing import Any

# By the name to install and the name to import: TensorFlow has several of the former, for one
# tensorflow-cpu.
_LIBRARIES = {
    "tensorflow": "tensorflow",
    "keras": "keras",
    "numpy": "numpy",
    "scikit-learn": "sklearn",
}
# By name: a prefix such as TF_ catches other programs' variables, and paths with them.
_SETTINGS = (
    "KERAS_BACKEND",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)


def describe() -> dict[str, Any]:
    """Versions, processor, memory, settings of the environment that change speed."""
    return {
        "versions": {
            "python": platform.python_version(),
            **{
                name: importlib.import_module(module).__version__
                for name, module in _LIBRARIES.items()
            },
        },
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "settings": {name: os.environ[name] for name in _SETTINGS if name in os.environ},
    }


def load_average() -> list[float] | None:
    """Of 1, 5 and 15 minutes; more than 0 at the start means that others use the machine, too."""
    return [round(x, 2) for x in os.getloadavg()] if hasattr(os, "getloadavg") else None


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _memory_gib() -> float | None:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    return round(total / 2**30, 1)
