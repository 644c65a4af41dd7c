"""The server side of the sync protocol over a list in memory, with switches for what a real server rarely does."""

from typing import Any

STATUS: dict[str, Any] = {
    "labelled": 0,
    "evaluation": 0,
    "until_training": 7,
    "worker": {"state": "idle", "progress": None, "seconds_left": None, "text": "Next training after 7 more labels"},
}


class Fake:
    """What the stand-in has got, and how it shall answer."""

    def __init__(self) -> None:
        self.begin({"sentences": [], "labels": []})

    def begin(self, scenario: dict[str, Any]) -> None:
        """Forget everything and serve these sentences."""
        self.sentences: list[dict[str, Any]] = scenario["sentences"]
        self.labels: list[dict[str, str]] = scenario["labels"]
        self.saved: dict[str, dict[str, Any]] = {}
        self.fail = 0  # an HTTP status to answer every sync with
        self.words = True  # False: failures say nothing, as those of a machine on the way do
        self.poison = ""  # a comment that makes the whole request malformed
        self.refuse = ""  # why every annotation is refused
        self.drop: list[int] = []  # sentences that are somebody else's now
        self.run: int | None = None  # the run that suggests
        self.suggests: list[list[Any]] = []  # what it suggests for every sentence
        self.route = True  # False: as where a host does not serve the route
        self.status: dict[str, Any] = {}  # what the status says beside the usual

    def set(self, switches: dict[str, Any]) -> None:
        """Set attributes by name; `begin` first, if it is there."""
        if "begin" in switches:
            self.begin(switches.pop("begin"))
        vars(self).update(switches)

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
        taken = {*done, *request["have"], *self.drop}
        free = [sentence for sentence in self.sentences if sentence["id"] not in taken]
        return {
            "seq": request["seq"],
            "nonce": request["nonce"],
            "acks": acks,
            "rejects": rejects,
            "batch": self._with_suggestions(free[: max(request["want"] - len(request["have"]), 0)]),
            "refreshed": self._with_suggestions([s for s in self.sentences if s["id"] in request["have"]])
            if request["refresh"]
            else [],
            "run": self.run,
            "drop": [sentence for sentence in request["have"] if sentence in self.drop],
            "done": len(done),
            "status": {
                **STATUS,
                "pool": len(self.sentences),
                "labelled": len(done),
                "left": len(self.sentences) - len(done),
                **self.status,
            },
        }

    def _with_suggestions(self, sentences: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if self.run is None:
            return sentences
        return [{**sentence, "run": self.run, "suggestions": self.suggests} for sentence in sentences]


FAKE = Fake()
