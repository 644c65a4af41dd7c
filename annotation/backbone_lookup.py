"""Looking for backbones beside the work of a page, which never waits for a network."""

import threading
import time
from dataclasses import dataclass

from maner_core.errors import UnsupportedBackbone

REMEMBER_SECONDS = 60.0  # how long a problem is believed: the network may come back


@dataclass(slots=True)
class _Look:
    begun: float
    problem: str | None = None  # None while it goes on, "" where all is well


class BackboneLookup:
    """What is known about backbones by name. One for a process; nothing in it must survive."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looks: dict[str, _Look] = {}

    def problem(self, name: str) -> str | None:
        """Why this machine cannot load a backbone, "" where it can; None as long as that is being looked up."""
        with self._lock:
            look = self._looks.get(name)
            if look is None or (look.problem and time.monotonic() - look.begun > REMEMBER_SECONDS):
                look = self._looks[name] = _Look(time.monotonic())
                threading.Thread(target=self._look, args=(name, look), name="backbone", daemon=True).start()
            return look.problem

    def _look(self, name: str, look: _Look) -> None:
        try:
            _find(name)
            look.problem = ""
        except UnsupportedBackbone as problem:
            look.problem = str(problem)


def _find(name: str) -> object:
    from maner_core.hub import find_backbone  # what it needs takes a while to import

    return find_backbone(name)
