"""One fit of every registered detector, which the laws share."""

import copy

import numpy as np
import pytest

import tests.toys  # noqa: F401  # registers two more
from aegmm_detect.registry import DETECTORS, ENTRIES

N_FEATURES = 6


@pytest.fixture(scope="session", params=sorted(DETECTORS))
def name(request):
    return request.param


@pytest.fixture(scope="session")
def entry(name):
    return ENTRIES[name]


@pytest.fixture(scope="session")
def make(entry):
    """A tiny detector that is not fitted."""

    def make(**settings):
        return entry.build(N_FEATURES, **{**entry.tiny, "seed": 3, **settings})

    return make


@pytest.fixture(scope="session")
def quick(entry):
    return dict(entry.quick)


# Kept by name: pytest takes its fixtures down when it turns to another parameter and comes back.
FITTED = {}


# Of the module, which says that it scores by XLA.
# Tests leave it as it is.
@pytest.fixture(scope="module")
def once(name, make, quick, normal_rows):
    if name not in FITTED:
        FITTED[name] = fitted_once(make, quick, normal_rows)
    return FITTED[name]


def fitted_once(make, quick, normal_rows):
    before, state = normal_rows.copy(), np.random.get_state()[1].copy()  # noqa: NPY002
    detector = make()
    detector.fit(normal_rows, **quick)
    detector.infer_threshold(normal_rows, 90.0)
    # Two laws that need a fit and nothing else.
    np.testing.assert_array_equal(normal_rows, before)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    return detector


@pytest.fixture(scope="module")
def wanted(once, normal_rows):
    """What it says of the rows."""
    return once.predict(normal_rows)


@pytest.fixture
def detector(once):
    """Fitted, with a threshold; the test's own."""
    return copy.deepcopy(once)


@pytest.fixture
def needs(name, entry):
    """Function of a capability: skips the law for detectors that do not have it."""

    def needs(capability):
        if capability not in entry.can:
            pytest.skip(f"{name} cannot {capability}")

    return needs
