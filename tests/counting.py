"""What a run of the tests costs: fits, compiled programs and memory of all its processes."""

import collections
import sys

import pytest

_fits = 0
_total: collections.Counter = collections.Counter()
_peaks: list[float] = []


def pytest_configure(config):
    """Count every training that Keras runs; a controller of workers runs none."""
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        import keras

        fit = keras.Model.fit

        def counted(self, *args, **kwargs):
            global _fits
            _fits += 1
            return fit(self, *args, **kwargs)

        keras.Model.fit = counted


def _counts():
    from aegmm_detect.programs.tracing import compiled_so_far

    return {"fits": _fits, **{f"{mode} programs": n for mode, n in compiled_so_far.items()}}


def _peak_gigabytes():
    """Most memory that this process has held; None where nobody counts it."""
    if sys.platform != "linux":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def pytest_sessionfinish(session):
    """A worker sends what it has counted."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["counts"] = _counts()
        session.config.workeroutput["peak"] = _peak_gigabytes()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """The controller adds up."""
    output = getattr(node, "workeroutput", {})
    _total.update(output.get("counts", {}))
    _peaks.append(output.get("peak"))


def pytest_terminal_summary(terminalreporter, config):
    """Print the sum, and each process's peak."""
    if not config.getoption("numprocesses", None):
        _total.update(_counts())
        _peaks.append(_peak_gigabytes())
    counted = ", ".join(f"{n} {what}" for what, n in sorted(_total.items()))
    peaks = ", ".join(f"{peak:.1f} GB" for peak in _peaks if peak is not None)
    terminalreporter.write_line(f"Of this run: {counted}; peaks {peaks or 'unknown'}.")
