"""The server side of the sync protocol over a list in memory, with switches for what a real server rarely does."""

import json
import os
from pathlib import Path
from typing import Any

SCENARIO: dict[str, Any] = json.loads(Path(os.environ["MANER_SCENARIO"]).read_text(encoding="utf-8"))
STATUS = {
    "labelled": 0,
    "pool": len(SCENARIO["sentences"]),
    "evaluation": 0,
    "until_training": 7,
    "worker": {
        "state": "idle",
        "progress": None,
        "seconds_left": None,
        "text": "Next training after 7 more labels",
    },
}


class Fake:
    """What the stand-in has got, and how it shall answer."""

    def __init__(self) -> None:
        self.saved: dict[str, dict[str, Any]] = {}
        self.requests = 0
        self.fail = 0  # an HTTP status to answer every sync with
        self.poison = ""  # a comment that makes the whole request malformed
        self.refuse = ""  # why every annotation is refused
        self.drop: list[int] = []  # sentences that are somebody else's now

    def sync(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to one sync."""
        acks, rejects = [], []
        for annotation in request["outbox"]:
            if self.refuse:
                rejects.append({"id": annotation["id"], "why": self.refuse})
            else:
                self.saved.setdefault(annotation["id"], annotation)
                acks.append(annotation["id"])
        done = {annotation["sentence"] for annotation in self.saved.values()}
        free = [s for s in SCENARIO["sentences"] if s["id"] not in {*done, *request["have"], *self.drop}]
        batch = free[: max(request["want"] - len(request["have"]), 0)]
        return {
            "seq": request["seq"],
            "nonce": request["nonce"],
            "acks": acks,
            "rejects": rejects,
            "batch": batch,
            "drop": [sentence for sentence in request["have"] if sentence in self.drop],
            "done": len(done),
            "status": {**STATUS, "labelled": len(done), **SCENARIO.get("status", {})},
        }


FAKE = Fake()
