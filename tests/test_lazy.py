"""Public names that are imported on first use, and those that have moved."""

import importlib
import warnings

import pytest

import aegmm_detect.zoo

HOMES = {
    "PRESETS": "od",
    "Preset": "od",
    "preset": "od",
    "FewLabelClassifier": "few_labels",
    "Pretrained": "few_labels",
    "fit_autoencoder": "few_labels",
}


def test_names_that_have_moved_are_all_there():
    assert set(aegmm_detect.zoo.__all__) == set(HOMES)
    assert set(HOMES) <= set(dir(aegmm_detect.zoo))


@pytest.mark.parametrize(("name", "home"), HOMES.items())
def test_a_moved_name_is_the_new_one_and_every_access_says_so(name, home):
    new = getattr(importlib.import_module(f"aegmm_detect.{home}"), name)
    said = rf"import it from aegmm_detect\.{home}\. The old name goes in 0\.3\."
    for _ in range(2):
        with pytest.warns(DeprecationWarning, match=said) as caught:
            assert getattr(aegmm_detect.zoo, name) is new
        # At the line that asks, which is what a user can change.
        assert [warning.filename for warning in caught] == [__file__]


def test_an_import_of_a_moved_name_warns_at_its_line():
    with pytest.warns(DeprecationWarning, match="aegmm_detect.zoo.preset is") as caught:
        from aegmm_detect.zoo import preset  # noqa: F401
    assert {warning.filename for warning in caught} == {__file__}


def test_neither_the_old_package_nor_the_new_names_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        importlib.reload(aegmm_detect.zoo)
        from aegmm_detect.few_labels import FewLabelClassifier  # noqa: F401
        from aegmm_detect.od import preset  # noqa: F401


def test_a_name_that_was_never_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'aegmm_detect\.zoo' has no attribute 'Gone'"):
        _ = aegmm_detect.zoo.Gone
