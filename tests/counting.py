"""What a run of the tests costs: fits and compiled programs of all its processes together."""

import collections

import pytest

_fits = 0
_total: collections.Counter = collections.Counter()


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


def pytest_sessionfinish(session):
    """A worker sends what it has counted."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["counts"] = _counts()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """The controller adds up."""
    _total.update(getattr(node, "workeroutput", {}).get("counts", {}))


def pytest_terminal_summary(terminalreporter, config):
    """Print the sum."""
    if not config.getoption("numprocesses", None):
        _total.update(_counts())
    counted = ", ".join(f"{n} {what}" for what, n in sorted(_total.items()))
    terminalreporter.write_line(f"Of this run: {counted}.")
