"""Exports that somebody else has made or changed, with a seal that fits."""

import hashlib
import json
import shutil

import pytest

from aegmm_detect.configs.export import METADATA_FILE, MODEL_FILES
from aegmm_detect.sealed_json import sealed


@pytest.fixture(scope="session")
def forged():
    """See `_forged`."""
    return _forged


def _forged(export, path, model=None, **values):
    """Copy of an export with another graph and other values in its metadata, sealed again."""
    shutil.copytree(export, path)
    fields = json.loads((path / METADATA_FILE).read_text())
    fields.pop("metadata_sha256")
    if model is not None:
        (path / MODEL_FILES[fields["format"]]).write_bytes(model)
        fields["sha256"] = hashlib.sha256(model).hexdigest()
    (path / METADATA_FILE).write_text(sealed(json.dumps(fields | values), "metadata_sha256"))
    return path
