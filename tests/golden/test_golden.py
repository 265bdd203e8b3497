"""What released formats hold keeps loading, with the scores that it had."""

from pathlib import Path

import numpy as np
import pytest

from aegmm_detect.saving import load_detector
from aegmm_detect.saving.archive import read_archive
from aegmm_detect.saving.manifest import FORMAT_VERSION
from tests.own_detectors import OWN

FOLDER = Path(__file__).parent
SAVED = sorted(FOLDER.glob("detector_v*.aegmm"))
# Other processors and other versions round float32 differently.
TOLERANCE = {"rtol": 1e-4, "atol": 1e-3}


def test_there_is_one_for_each_format():
    assert [path.stem for path in SAVED] == [f"detector_v{v + 1}" for v in range(FORMAT_VERSION)]


@pytest.mark.parametrize("path", SAVED, ids=lambda path: path.stem)
def test_it_loads_and_scores_as_when_it_was_saved(path):
    detector = load_detector(path)
    with np.load(path.with_name(f"{path.stem.replace('detector', 'scores')}.npz")) as arrays:
        want = dict(arrays)
    rows = want.pop("rows")
    assert detector.threshold == want.pop("threshold")
    assert detector.threshold_inferred
    decided = detector.predict(rows)["data"]["is_outlier"]
    clear = np.abs(want["energy"] - detector.threshold) > 0.01
    np.testing.assert_array_equal(decided[clear], (want["energy"] > detector.threshold)[clear])
    for score_type, scores in want.items():
        detector.score_type = score_type
        np.testing.assert_allclose(detector.score(rows), scores, **TOLERANCE)
    assert read_archive(path).manifest.input.names == ("a", "b", "c", "d")


CLASSES = sorted(FOLDER.glob("v*/*.aegmm"))


def test_there_is_one_of_every_class_for_each_format():
    found = {path.relative_to(FOLDER).with_suffix("").as_posix() for path in CLASSES}
    formats = range(1, FORMAT_VERSION + 1)
    assert found >= {f"v{version}/{name}" for version in formats for name in OWN}


@pytest.mark.parametrize("path", CLASSES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_class_loads_and_scores_as_when_it_was_saved(path):
    detector = load_detector(path)
    with np.load(path.with_suffix(".npz")) as arrays:
        want = dict(arrays)
    assert detector.threshold == want["threshold"]
    np.testing.assert_allclose(detector.score(want["rows"]), want["scores"], **TOLERANCE)
