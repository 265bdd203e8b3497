"""What a detector says of itself."""

import copy
import json
import pickle

import numpy as np
import pytest

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.od import OutlierAEGMM, PerClassAEGMM
from aegmm_detect.saving import load_detector, save_detector

MAKE = {
    "mixture": lambda: OutlierAEGMM.from_sizes(6, [4, 1], [3, 2], threshold=0.0),
    "per class": lambda: PerClassAEGMM.auto(6, threshold=0.0),
}


@pytest.mark.parametrize("kind", MAKE)
def test_a_data_type_that_is_set_is_kept_and_saved(kind, tmp_path):
    detector = MAKE[kind]()
    meta = detector.meta
    meta["data_type"] = "tabular"
    assert meta["data_type"] == detector.meta["data_type"] == "tabular"
    save_detector(detector, tmp_path / "saved.aegmm")
    assert load_detector(tmp_path / "saved.aegmm").meta == detector.meta
    detector.meta.update(data_type=None)
    assert detector.meta["data_type"] is None
    with pytest.raises(ConfigurationError, match="data_type"):
        detector.meta["data_type"] = 3


@pytest.mark.parametrize(
    "change",
    [
        lambda meta: meta.__setitem__("name", "mine"),
        lambda meta: meta.update(version="2"),
        lambda meta: meta.update(data_type="image", owner="me"),
        lambda meta: meta.pop("name"),
        lambda meta: meta.setdefault("owner", "me"),
        lambda meta: meta.clear(),
    ],
)
def test_what_would_change_nothing_is_rejected(change):
    detector = MAKE["mixture"]()
    before = dict(detector.meta)
    with pytest.raises(ConfigurationError, match=r"copy it for entries of your own"):
        change(detector.meta)
    assert detector.meta == before


def test_predict_returns_a_plain_dictionary_and_copies_are_plain(fitted, normal_rows):
    found = fitted.predict(np.asarray(normal_rows[:3]))["meta"]
    assert type(found) is dict
    assert json.loads(json.dumps(fitted.meta)) == found
    for other in (copy.deepcopy(fitted.meta), pickle.loads(pickle.dumps(fitted.meta))):
        assert type(other) is dict
        assert other == found
