"""Messages stay short whatever they are about."""

import pytest

from aegmm_detect.listing import first_few, one_line, some_of


def test_others_are_counted_or_hinted_at():
    assert some_of(["a", "b"], 2) == "['a', 'b']"
    assert some_of(["a", "b", "c"], 2) == "['a', 'b'] and 1 other"
    assert some_of(range(1000), 1) == "[0] and 999 others"
    assert first_few(range(5)) == "0, 1, 2, 3, 4"
    assert first_few(range(6)) == "0, 1, 2, 3, 4, ..."
    assert first_few(["a"], repr) == "'a'"


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("a\n  b\t c\n", "a b c"),
        ("\x1b[1ma\x1b[0m b", "a b"),
        ("", "ValueError"),
        (" \n", "ValueError"),
        ("x" * 600, "x" * 600),
    ],
)
def test_an_error_is_one_line_and_its_type_where_it_says_nothing(message, line):
    assert one_line(ValueError(message)) == line


def test_of_a_long_error_the_beginning_and_the_cause_are_kept():
    line = one_line(ValueError("begun" + "x" * 100_000 + "the cause"), 40)
    assert line.startswith("begun")
    assert line.endswith("the cause")
    assert " ... " in line
    assert len(line) == 45
