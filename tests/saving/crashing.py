"""A module that a fuzz runs: some files crash it, hang it, or make it raise what it should not."""

import os
import time

from aegmm_detect.exceptions import ArtefactError


def prepare():
    print("words of a library")


def open_file(path):
    print("words of a library", end="")
    match path.name:
        case "crash":
            os._exit(3)
        case "hang":
            time.sleep(600)
        case "raw":
            raise KeyError("x")
        case "rejected":
            raise ArtefactError("no")
