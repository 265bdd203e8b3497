"""What a reader has to know about the machine; nothing that tells whose it is."""

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any


def describe() -> dict[str, Any]:
    """Versions, processor, memory, settings of the environment that change speed."""
    names = ("tensorflow", "keras", "numpy", "scikit-learn")
    return {
        "versions": {
            "python": platform.python_version(),
            **{n: metadata.version(n) for n in names},
        },
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "settings": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith(("OMP_", "OPENBLAS_", "MKL_", "TF_", "XLA_", "KERAS_"))
        },
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
