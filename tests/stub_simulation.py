"""`python -m annotation simulate` with the stub tagger, that hangs in a training where a test wants it to.

    python stub_simulation.py HANG_IN_TRAINING ARGUMENTS…

HANG_IN_TRAINING counts from 1; 0: in none.
"""

import sys
import threading
from typing import Any

from stub_tagger import STUB

import annotation.children
import annotation.simulation.run
from annotation.cli import main
from annotation.tagging import Tools


def tools(hang_in: int) -> Tools:
    trainings = iter(range(1, 10_000))

    def train(*arguments: Any) -> Any:
        if next(trainings) == hang_in:
            threading.Event().wait()
        return STUB.train(*arguments)

    return Tools(train, STUB.load)


if __name__ == "__main__":
    annotation.children.NICENESS = 0  # a test waits for it
    annotation.simulation.run.write_figures = lambda *_: None  # type: ignore[attr-defined]  # slow
    annotation.simulation.run._tools = lambda *_: tools(int(sys.argv[1]))
    sys.exit(main(["simulate", *sys.argv[2:]]))
