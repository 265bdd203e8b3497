"""Format 1, in which nets were files of Keras's: read as if they had been written today."""

import io
from collections.abc import Mapping

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.saving.manifest import Artefact
from aegmm_detect.saving.nets import configuration, is_asset, net_to_bytes
from aegmm_detect.serialization.nets import CONFIG, WEIGHTS, NetParts
from aegmm_detect.serialization.weights import renamed
from aegmm_detect.untrusted.hdf5 import Contents, read_contents
from aegmm_detect.untrusted.stored import read_stored

_SUFFIX = ".keras"
_MEMBERS = ("metadata.json", CONFIG, WEIGHTS)
# Attribute of the groups of layers, with and without weights.
_NAME = "name"


def upgraded(artefact: Artefact) -> Artefact:
    """The artefact with all nets as today's format has them; itself if they are so already.

    Raises
    ------
    ArtefactError
        Keras did not write one of the files.
    """
    manifest, contents = artefact
    old = [role for role, entry in manifest.files.items() if entry.name.endswith(_SUFFIX)]
    if not old:
        return artefact
    members = {role: read_stored(io.BytesIO(contents[role]), role, _is_part) for role in old}
    for role, found in members.items():
        if missing := {CONFIG, WEIGHTS} - found.keys():
            raise ArtefactError(f"{role} lacks {', '.join(sorted(missing))}.")
    # One process reads them all, for starting it takes longer than reading.
    weights = read_contents(
        {role: found[WEIGHTS] for role, found in members.items()}, ArtefactError, (_NAME,)
    )
    new = {role: net_to_bytes(_parts(role, members[role], weights[role])) for role in old}
    return Artefact(manifest, {**contents, **new})


def _parts(role: str, members: Mapping[str, bytes], found: Contents) -> NetParts:
    assets = {name: content for name, content in members.items() if is_asset(name)}
    weights = renamed(found.datasets, found.attributes)
    return NetParts(configuration(members[CONFIG], role), weights, assets)


def _is_part(name: str) -> bool:
    return name in _MEMBERS or is_asset(name)
