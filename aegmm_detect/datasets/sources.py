"""Where the files of the data sets come from, and which bytes they must hold.

A checksum is written here only for bytes that were read and counted; everything else is marked as
unverified by None.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class File:
    """A file by name, with the sha256 of its bytes or None: unverified."""

    name: str
    sha256: str | None = None


@dataclasses.dataclass(frozen=True)
class Source:
    """One downloadable part of a data set.

    Parameters
    ----------
    title
        Name of the part, for messages.
    files
        The forms in which it is accepted from a folder; the first is the one to download.
    addresses
        Where the first form can be downloaded, to be tried in order; empty if a person has to.
    page
        The publisher's page, or who has the file.
    licence
        Terms of use.
    citation
        What to cite.
    """

    title: str
    files: tuple[File, ...]
    addresses: tuple[str, ...]
    page: str
    licence: str
    citation: str


_ODDS = "via Rayana (2016), ODDS Library, Stony Brook University."
THYROID_LICENCE = ARRHYTHMIA_LICENCE = "CC BY 4.0"
THYROID_CITATION = (
    "Quinlan (1987), Thyroid Disease, UCI Machine Learning Repository, doi:10.24432/C5D010; "
    + _ODDS
)

ARRHYTHMIA = Source(
    title="Arrhythmia",
    files=(
        File("arrhythmia.mat"),
        File("arrhythmia.npz", "f612a7af815d2e39918f1940b8e1cbe9b90fdbd11abcdec39e319407e9268f73"),
    ),
    addresses=("https://www.dropbox.com/s/lmlwuspn1sey48r/arrhythmia.mat?dl=1",),
    page="https://odds.cs.stonybrook.edu/arrhythmia-dataset/",
    licence=ARRHYTHMIA_LICENCE,
    citation=(
        "Guvenir, Acar, Muderrisoglu and Quinlan (1998), Arrhythmia, UCI Machine Learning "
        "Repository, doi:10.24432/C5BS32; " + _ODDS
    ),
)

KDD99 = Source(
    title="KDD Cup 99, 10 %",
    files=(
        File(
            "kddcup.data_10_percent.gz",
            "8045aca0d84e70e622d1148d7df782496f6333bf6eb979a1b0837c42a9fd9561",
        ),
    ),
    addresses=(
        "https://ndownloader.figshare.com/files/5976042",  # scikit-learn's copy, the same bytes
        "http://kdd.ics.uci.edu/databases/kddcup99/kddcup.data_10_percent.gz",
    ),
    page="http://kdd.ics.uci.edu/databases/kddcup99/kddcup99.html",
    licence="CC BY 4.0",
    citation="Stolfo et al. (1999), KDD Cup 1999 Data, UCI KDD Archive, doi:10.24432/C51C7N.",
)


def _nsl_kdd(title: str, txt: File, gz: File) -> Source:
    return Source(
        title=title,
        files=(txt, gz),
        # The publisher asks for a form to be filled in; this is a public copy, the same bytes.
        addresses=(
            "https://raw.githubusercontent.com/defcom17/NSL_KDD/master/"
            + txt.name.replace("+", "%2B"),
        ),
        page="https://www.unb.ca/cic/datasets/nsl.html",
        licence="free for research with citation; no standard licence is named",
        citation=(
            "Tavallaee, Bagheri, Lu and Ghorbani (2009), A Detailed Analysis of the KDD CUP 99 "
            "Data Set, IEEE CISDA; Canadian Institute for Cybersecurity."
        ),
    )


NSL_KDD = {
    "train": _nsl_kdd(
        "NSL-KDD, train",
        File("KDDTrain+.txt", "1b86d2f957b33082081bba410fe129b475efebcc13c9014c3f447c8271aadf95"),
        File(
            "nslkdd_train.txt.gz",
            "8ca1cf5f3267ae2c3c6465250ab46db4479df56a329521d15cd1138d64a88e8f",
        ),
    ),
    "test": _nsl_kdd(
        "NSL-KDD, test",
        File("KDDTest+.txt", "fa46b0935342616aa83b7c2578db355b6a7aaabbc492248172c7a1e8b7ab8f84"),
        File(
            "nslkdd_test.txt.gz",
            "dc6cc9e78468f137fdb683451366a01e1823e94f79515893202a0f54f0cf7ed5",
        ),
    ),
}

_IDS2018_PAGE = "https://registry.opendata.aws/cse-cic-ids2018"
_IDS2018_LICENCE = (
    "redistribution in any form, with citation and a link to "
    "https://registry.opendata.aws/cse-cic-ids2018"
)
_IDS2018_CITATION = (
    "Sharafaldin, Lashkari and Ghorbani (2018), Toward Generating a New Intrusion Detection "
    "Dataset and Intrusion Traffic Characterization, ICISSP; CSE-CIC-IDS2018, Communications "
    "Security Establishment and Canadian Institute for Cybersecurity."
)
_IDS2018_ADDRESS = (
    "https://cse-cic-ids2018.s3.ca-central-1.amazonaws.com/"
    "Processed%20Traffic%20Data%20for%20ML%20Algorithms/"
)
IDS2018_SUFFIX = "_TrafficForML_CICFlowMeter.csv"
IDS2018_DAYS = {
    day: Source(
        title=f"CSE-CIC-IDS2018, {day}",
        files=(File(day + IDS2018_SUFFIX),),
        addresses=(_IDS2018_ADDRESS + day + IDS2018_SUFFIX,),
        page=_IDS2018_PAGE,
        licence=_IDS2018_LICENCE,
        citation=_IDS2018_CITATION,
    )
    for day in (
        "Wednesday-14-02-2018",
        "Thursday-15-02-2018",
        "Friday-16-02-2018",
        "Thuesday-20-02-2018",  # the publisher's spelling
        "Wednesday-21-02-2018",
        "Thursday-22-02-2018",
        "Friday-23-02-2018",
        "Wednesday-28-02-2018",
        "Thursday-01-03-2018",
        "Friday-02-03-2018",
    )
}


def _ids2018_sample(file: File, licence: str) -> Source:
    return Source(
        title=f"CSE-CIC-IDS2018, sample {file.name}",
        files=(file,),
        addresses=(),
        page="not published at an address of its own",
        licence=licence,
        citation=_IDS2018_CITATION,
    )


IDS2018_SAMPLES = {
    "raw": _ids2018_sample(
        File(
            "cicids2018_rawheader_1000.csv.gz",
            "1859f1eb9de4feb9f614663d0453dd25ddc458a4ae656794ff53d1e5fe55fa2b",
        ),
        _IDS2018_LICENCE,
    ),
    "twodays": _ids2018_sample(
        File(
            "cicids2018_twodays_12053.csv.gz",
            "e536e51ac7c797a2a3ed94faeaa96350b08a0952660fdc0171216bfbc23e6998",
        ),
        _IDS2018_LICENCE + "; the edition it was drawn from appears to say CC BY-NC-SA 4.0",
    ),
}

USB_IDS_1 = {
    part: Source(
        title=f"USB-IDS-1, {part}",
        files=(File(f"USB-IDS-1-{part.upper()}.csv"),),
        addresses=(),
        page="https://idsdata.ding.unisannio.it/",
        licence="see https://idsdata.ding.unisannio.it/",
        citation=(
            "Catillo, Del Vecchio, Ocone, Pecchia and Villano (2021), USB-IDS-1: a Public "
            "Multilayer Dataset of Labeled Network Flows for IDS Evaluation, DSN-W."
        ),
    )
    for part in ("training", "test")
}
