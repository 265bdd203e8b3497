"""What is not installed is named with the command that installs it."""

import sys

import pytest

from aegmm_detect.exceptions import MissingExtraError
from aegmm_detect.extras import import_extra


def test_what_is_there_is_imported():
    assert import_extra("json.decoder", "data", "Reading") is sys.modules["json.decoder"]


def test_what_is_missing_is_named_with_its_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "json.decoder", None)
    with pytest.raises(MissingExtraError) as error:
        import_extra("json.decoder", "text", "Reading", "Or read it yourself.")
    assert str(error.value) == (
        "Reading needs json, which is not installed: "
        'pip install "aegmm_detect[text]". Or read it yourself.'
    )
