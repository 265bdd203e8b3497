import gzip
import logging

import numpy as np
import pytest

from aegmm_detect.datasets import flows, load_ids2018, load_usb_ids, sources
from aegmm_detect.exceptions import ConfigurationError, DataIntegrityError, DataUnavailableError

pytest.importorskip("pandas")

DAY = "Wednesday-14-02-2018" + sources.IDS2018_SUFFIX
# The published headers, shortened in their middle.
SHORT = ["Dst Port", "Protocol", "Timestamp", "Flow Duration", "Flow Byts/s", "Flow Pkts/s"]
SHORT += ["Init Fwd Win Byts", "Idle Min", "Label"]
LONG = ["Flow ID", " Source IP", " Source Port", " Destination IP", " Destination Port"]
LONG += [" Protocol", " Timestamp", " Flow Duration", " Total Fwd Packets"]
LONG += ["Init_Win_bytes_forward", " Idle Min", " Label"]
FEATURES = ("Protocol", "Flow Duration", "Flow Byts/s", "Flow Pkts/s", "Init Fwd Win Byts")
FEATURES += ("Idle Min",)
GOOD = "443,6,14/02/2018 08:31:01,100,12.5,0.25,8192,0.0,Benign"
ATTACK = "22,6,14/02/2018 08:31:01,7,1,2,-1,0.0,SSH-Bruteforce"


@pytest.fixture
def day(tmp_path):
    """Write lines under a header into a daily file."""

    def write(*lines, header=SHORT, name=DAY):
        path = tmp_path / name
        text = "".join(f"{line}\n" for line in [",".join(header), *lines])
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
        return path

    return write


def test_flows_are_numbers_without_identity_and_attacks_are_the_anomalies(day):
    data = load_ids2018(day(GOOD, ATTACK))
    assert data.feature_names == FEATURES
    assert data.X.dtype == np.float32
    np.testing.assert_array_equal(data.X, [[6, 100, 12.5, 0.25, 8192, 0], [6, 7, 1, 2, -1, 0]])
    assert data.y.dtype == np.int64
    assert data.y.tolist() == [0, 1]
    assert data.kinds.tolist() == ["Benign", "SSH-Bruteforce"]


def test_the_port_is_kept_only_on_request(day):
    path = day(GOOD, ATTACK)
    data = load_ids2018(path, keep_port=True)
    assert data.feature_names == ("Dst Port", *FEATURES)
    np.testing.assert_array_equal(data.X[:, 0], [443, 22])
    np.testing.assert_array_equal(data.X[:, 1:], load_ids2018(path).X)


def test_repeated_headers_are_no_rows(day):
    repeated = ",".join(SHORT)
    clean = load_ids2018(day(GOOD, ATTACK, GOOD))
    data = load_ids2018(day(repeated, GOOD, repeated, ATTACK, GOOD, repeated))
    np.testing.assert_array_equal(data.X, clean.X)
    np.testing.assert_array_equal(data.kinds, clean.kinds)


@pytest.mark.parametrize("with_header", [False, True])
@pytest.mark.parametrize(
    "bad",
    [
        GOOD.replace("12.5", "Infinity"),
        GOOD.replace("12.5", "NaN"),
        GOOD.replace("12.5", ""),
        GOOD.replace("12.5", "-1"),
        GOOD.replace("100", "-919011000000"),
        GOOD.replace("100", "1e300"),
    ],
)
def test_impossible_rows_are_left_out_and_counted(day, caplog, bad, with_header):
    lines = [*[GOOD] * 20, bad, ATTACK] + [",".join(SHORT)] * with_header
    with caplog.at_level(logging.INFO, logger="aegmm_detect"):
        data = load_ids2018(day(*lines))
    assert len(data.X) == 21
    assert np.isfinite(data.X).all()
    assert "of 22 rows, 1 left out" in caplog.text
    kept = load_ids2018(day(*lines), clean=False)
    assert len(kept.X) == 22
    np.testing.assert_array_equal(np.delete(kept.X, 20, axis=0), data.X)


def test_many_impossible_rows_are_a_warning_in_the_log(day, caplog):
    load_ids2018(day(GOOD, GOOD.replace("12.5", "Infinity")))
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_the_edition_with_84_columns_has_the_same_features(day):
    identity = "1-2-3,10.0.0.1,50000,10.0.0.2,"
    wide = day(
        identity + GOOD, header=["Flow ID", "Src IP", "Src Port", "Dst IP", *SHORT], name="w.csv"
    )
    np.testing.assert_array_equal(load_ids2018(wide).X, load_ids2018(day(GOOD)).X)
    assert load_ids2018(wide).feature_names == FEATURES


def test_a_folder_is_its_daily_files_in_order(day, tmp_path):
    day(GOOD, name="a" + sources.IDS2018_SUFFIX)
    day(ATTACK, ATTACK, name="b" + sources.IDS2018_SUFFIX)
    day(GOOD, name="notes.csv")
    assert load_ids2018(tmp_path).y.tolist() == [0, 1, 1]


def test_results_do_not_depend_on_the_size_of_chunks(day, monkeypatch):
    path = day(*[GOOD, ATTACK, ",".join(SHORT), GOOD.replace("12.5", "Infinity")] * 5)
    whole = load_ids2018(path)
    part = load_ids2018(path, fraction=0.5, seed=3)
    monkeypatch.setattr(flows, "_CHUNK", 3)
    for options, expected in (({}, whole), ({"fraction": 0.5, "seed": 3}, part)):
        data = load_ids2018(path, **options)
        np.testing.assert_array_equal(data.X, expected.X)
        np.testing.assert_array_equal(data.kinds, expected.kinds)


def test_a_fraction_is_drawn_by_its_seed(day):
    path = day(*[GOOD.replace("100", str(i)) for i in range(400)])
    first, again, other = (load_ids2018(path, fraction=0.25, seed=seed).X for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or (first != other).any()
    assert 60 < len(first) < 140


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([GOOD, GOOD.replace("12.5", "twelve")], "line 3, column 'Flow Byts/s' holds 'twelve'"),
        ([GOOD, GOOD[:30]], "line 3 has no label"),
        ([], "no usable rows"),
    ],
)
def test_a_damaged_file_is_refused(day, lines, told):
    with pytest.raises(DataIntegrityError, match=told) as caught:
        load_ids2018(day(*lines))
    assert DAY in str(caught.value)


@pytest.mark.parametrize("column", ["Label", "Flow Duration"])
def test_a_missing_column_is_named(day, column):
    with pytest.raises(DataIntegrityError, match=f"no .*'{column}'"):
        load_ids2018(day(header=[name for name in SHORT if name != column]))


def test_files_of_different_editions_are_not_mixed(day, tmp_path):
    day(GOOD, name="a" + sources.IDS2018_SUFFIX)
    renamed = [name.replace("Byts", "Bytes") for name in SHORT]
    day(GOOD, header=renamed, name="b" + sources.IDS2018_SUFFIX)
    with pytest.raises(DataIntegrityError, match="'Flow Bytes/s', 'Flow Byts/s'"):
        load_ids2018(tmp_path)


def test_samples_and_days_come_from_the_data_folder(home, day, monkeypatch, unverified):
    monkeypatch.setattr(
        sources,
        "IDS2018_SAMPLES",
        {name: unverified(source) for name, source in sources.IDS2018_SAMPLES.items()},
    )
    name = sources.IDS2018_SAMPLES["twodays"].files[0].name
    text = day("2018-02-14," + GOOD, header=["Day", *SHORT], name="sample.csv.gz").read_bytes()
    (home / name).write_bytes(text)
    data = load_ids2018(sample="twodays")
    assert data.feature_names == FEATURES
    assert data.name == "ids2018-twodays"
    (home / DAY).write_bytes(day(GOOD, ATTACK).read_bytes())
    for chosen in (load_ids2018(days=["Wednesday-14-02-2018"]), load_ids2018()):
        assert chosen.y.tolist() == [0, 1]


def test_without_any_file_the_ways_to_get_them_are_named(home):
    with pytest.raises(DataUnavailableError, match=r"path=.*days=.*sample="):
        load_ids2018()
    with pytest.raises(DataUnavailableError, match="holds no file"):
        load_ids2018(home)
    with pytest.raises(DataUnavailableError, match=r"USB-IDS-1-TRAINING\.csv"):
        load_usb_ids()


@pytest.mark.parametrize(
    "options",
    [
        {"sample": "twodays", "days": ["Friday-02-03-2018"]},
        {"sample": "threedays"},
        {"days": ["Sunday"]},
        {"path": "x.csv", "fraction": 0.0},
        {"path": "x.csv", "fraction": 1.5},
    ],
)
def test_options_that_do_not_fit_are_refused(options):
    with pytest.raises(ConfigurationError):
        load_ids2018(**options)


def usb_line(label, window="-1"):
    return f"1-2,10.0.0.1,5000,10.0.0.2,80,6,01/01/2021 10:00,100,3,{window},0.0,{label}"


def test_usb_ids_has_long_names_with_blanks_and_attacks_are_the_anomalies(day):
    path = day(usb_line("BENIGN"), usb_line("Hulk-NoDefense", "512"), header=LONG, name="u.csv")
    data = load_usb_ids(path)
    names = ("Protocol", "Flow Duration", "Total Fwd Packets", "Init_Win_bytes_forward")
    assert data.feature_names == (*names, "Idle Min")
    np.testing.assert_array_equal(data.X, [[6, 100, 3, -1, 0], [6, 100, 3, 512, 0]])
    assert data.y.tolist() == [0, 1]
    assert data.kinds.tolist() == ["BENIGN", "Hulk-NoDefense"]
    assert load_usb_ids(path, keep_port=True).feature_names[0] == "Destination Port"


def test_usb_ids_reads_its_official_files_from_the_data_folder(home, day):
    for name, label in (("TRAINING", "BENIGN"), ("TEST", "Slowloris-Evasive")):
        path = day(usb_line(label), header=LONG)
        (home / f"USB-IDS-1-{name}.csv").write_bytes(path.read_bytes())
    assert load_usb_ids().kinds.tolist() == ["BENIGN", "Slowloris-Evasive"]
