"""However a child process ends, there is one answer, and it keeps to its limits."""

import subprocess
import sys

import pytest

from aegmm_detect.untrusted import child
from aegmm_detect.untrusted.child import Ended, run_child

ENDS = [
    ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "the library crashed with signal"),
    ("import time; time.sleep(60)", "it did not finish in 1 seconds"),
    ("import sys; sys.stderr.write('noise\\n'); sys.exit('the reason')", "the reason"),
    ("raise SystemExit(3)", "exit status 3"),
    ("raise KeyError('x')", "KeyError"),
]


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Makes a module of a body of `main(order)`."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(body):
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        (tmp_path / "its_child.py").write_text(f"def main(order):\n{lines}")
        return "its_child"

    return make


@pytest.mark.parametrize(("body", "reason"), ENDS)
def test_however_the_child_ends_there_is_a_reason(program, monkeypatch, body, reason):
    monkeypatch.setattr(child, "SECONDS", 1.0 if "sleep" in body else 60.0)
    ended = run_child(program(body), {}, [], "the library")
    assert reason in ended.reason


def test_the_child_gets_the_order_and_the_bytes(program):
    body = (
        "import sys\n"
        "print(order['name'], [sys.stdin.buffer.read(n) for n in order['sizes']], end='')"
    )
    ended = run_child(program(body), {"name": "n"}, [b"ab", b"", b"c"], "the library")
    assert ended == Ended(b"n [b'ab', b'', b'c']", None)


@pytest.mark.skipif(sys.platform != "linux", reason="limits are of Linux")
@pytest.mark.parametrize(
    ("body", "reason"),
    [("while True:\n    pass", "it goes on"), ("bytearray(2**28)", "MemoryError")],
)
def test_a_child_keeps_to_the_limits_that_it_sets_itself(program, body, reason):
    limits = "from aegmm_detect.untrusted.limits import set_limits\nset_limits(2**26, 0.2)\n"
    assert reason in run_child(program(limits + body), {}, [], "it", "it goes on").reason


def test_limits_import_nothing_but_pythons_own():
    code = "import sys; import aegmm_detect.untrusted.limits; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("how", ["no name", "frozen", "not there"])
def test_without_a_python_nothing_is_started(monkeypatch, how):
    if how == "frozen":
        monkeypatch.setattr(sys, "frozen", True, raising=False)
    else:
        monkeypatch.setattr(sys, "executable", "" if how == "no name" else "/nowhere/python")
    ended = run_child("its_child", {}, [], "the library")
    assert ended.output == b""
    assert ended.reason.startswith("no ")
