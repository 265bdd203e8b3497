"""The format of KDD Cup 99, which NSL-KDD shares: columns, categories, reading, encoding.

The categories are constants, not what a file happens to hold, so that any rows of the format (a
test set, a single day) become the same columns.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aegmm_detect.datasets.base import Encoded, reading
from aegmm_detect.exceptions import DataIntegrityError
from aegmm_detect.extras import import_extra

COLUMNS = tuple(
    """
    duration protocol_type service flag src_bytes dst_bytes land wrong_fragment urgent hot
    num_failed_logins logged_in num_compromised root_shell su_attempted num_root
    num_file_creations num_shells num_access_files num_outbound_cmds is_host_login is_guest_login
    count srv_count serror_rate srv_serror_rate rerror_rate srv_rerror_rate same_srv_rate
    diff_srv_rate srv_diff_host_rate dst_host_count dst_host_srv_count dst_host_same_srv_rate
    dst_host_diff_srv_rate dst_host_same_src_port_rate dst_host_srv_diff_host_rate
    dst_host_serror_rate dst_host_srv_serror_rate dst_host_rerror_rate dst_host_srv_rerror_rate
    """.split()  # noqa: SIM905 -- 41 quoted lines would be no clearer
)
# The columns of alibi-detect's example: all from srv_count on.
CONTINUOUS_18 = COLUMNS[COLUMNS.index("srv_count") :]

PROTOCOLS = ("icmp", "tcp", "udp")
FLAGS = ("OTH", "REJ", "RSTO", "RSTOS0", "RSTR", "S0", "S1", "S2", "S3", "SF", "SH")
# All 70 services of NSL-KDD's training part; its test part and KDD Cup 99 (10 %) have no other.
SERVICES = tuple(
    """
    IRC X11 Z39_50 aol auth bgp courier csnet_ns ctf daytime discard domain domain_u echo eco_i
    ecr_i efs exec finger ftp ftp_data gopher harvest hostnames http http_2784 http_443 http_8001
    imap4 iso_tsap klogin kshell ldap link login mtp name netbios_dgm netbios_ns netbios_ssn
    netstat nnsp nntp ntp_u other pm_dump pop_2 pop_3 printer private red_i remote_job rje shell
    smtp sql_net ssh sunrpc supdup systat telnet tftp_u tim_i time urh_i urp_i uucp uucp_path
    vmnet whois
    """.split()  # noqa: SIM905
)
_NOT_IN_KDD99 = ("aol", "harvest", "http_2784", "http_8001")

# Column -> its categories, in the order of the dummies. 34 numbers and 87 dummies are the 121
# columns of DAGMM's representation. `is_host_login` is always 0 in the file: one category.
KDD99_VOCABULARY: Mapping[str, tuple[str, ...]] = {
    "protocol_type": PROTOCOLS,
    "service": tuple(service for service in SERVICES if service not in _NOT_IN_KDD99),
    "flag": FLAGS,
    "land": ("0", "1"),
    "logged_in": ("0", "1"),
    "is_host_login": ("0",),
    "is_guest_login": ("0", "1"),
}
# 38 numbers, flags of 0 and 1 among them, and 84 dummies: the usual 122 columns.
NSL_KDD_VOCABULARY: Mapping[str, tuple[str, ...]] = {
    "protocol_type": PROTOCOLS,
    "service": SERVICES,
    "flag": FLAGS,
}


def read_kdd(
    path: Path,
    *,
    columns: Sequence[str] = COLUMNS,
    vocabulary: Mapping[str, tuple[str, ...]],
    trailing: Sequence[str] = (),
) -> Encoded:
    """Read and encode a headerless file of the format.

    Parameters
    ----------
    path
        Text, or gzip by its suffix.
    columns
        The columns wanted; the others are not even parsed.
    vocabulary
        Categories of those among `columns` that become dummies.
    trailing
        Fields that stand after the label, all dropped.

    Returns
    -------
    Numbers in the order of the file, then dummies, column by column.

    Raises
    ------
    DataIntegrityError
        Not this format: a wrong number of fields, text for a number, an unknown category.
    """
    pd = import_extra("pandas", "data", "Reading the KDD format")
    names = [*COLUMNS, "label", *trailing]
    wanted = [*columns, "label"]
    text = [*vocabulary, "label"]
    dtypes = {name: "category" if name in text else np.float32 for name in wanted}
    with reading(path):
        # One field more or less would shift the columns without an error.
        fields = pd.read_csv(path, header=None, nrows=1, dtype=str).shape[1]
        if fields != len(names):
            raise DataIntegrityError(
                f"{path} has {fields} fields per line, expected {len(names)}: the 41 of the KDD "
                f"format, then {', '.join(names[len(COLUMNS) :])}."
            )
        frame = pd.read_csv(
            path, header=None, names=names, usecols=wanted, dtype=dtypes, index_col=False
        )
    missing = frame.isna().any(axis=1).to_numpy()
    if missing.any():
        raise DataIntegrityError(
            f"{path}: line {missing.argmax() + 1} of {len(frame)} lacks fields; {missing.sum()} "
            "lines do. The file is cut short or damaged: get it again."
        )
    return _encode(frame, [c for c in columns if c not in vocabulary], vocabulary, path)


def _encode(
    frame: Any, numbers: Sequence[str], vocabulary: Mapping[str, tuple[str, ...]], path: Path
) -> Encoded:
    names = [*numbers, *(f"{column}_{w}" for column, words in vocabulary.items() for w in words)]
    X = np.zeros((len(frame), len(names)), dtype=np.float32)
    for place, column in enumerate(numbers):
        X[:, place] = frame[column]
    start, rows = len(numbers), np.arange(len(frame))
    for column, words in vocabulary.items():
        categories = [str(category) for category in frame[column].cat.categories]
        if unknown := sorted(set(categories) - set(words)):
            raise DataIntegrityError(
                f"{path}: column {column} holds {unknown}, which are not among its "
                f"{len(words)} known categories."
            )
        place_of = np.array([words.index(category) for category in categories], dtype=np.intp)
        X[rows, start + place_of[frame[column].cat.codes.to_numpy()]] = 1.0
        start += len(words)
    labels = np.array([str(label) for label in frame["label"].cat.categories])
    return Encoded(X, tuple(names), labels[frame["label"].cat.codes.to_numpy()])
