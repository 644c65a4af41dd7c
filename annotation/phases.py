"""How far a round is: told to whoever asks, timed by phase, while the tagger reads."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from annotation.tagging import LoadedTagger, TaggerPrediction
from storage import Sentence

READ_AT_ONCE = 4000  # sentences handed to the tagger together

Phase = str  # adapting, training, evaluating, scoring, suggesting


@dataclass(frozen=True, slots=True)
class RoundProgress:
    """Where a round stands: `progress` 0 to 1 of this phase, a guess of its `seconds_left`, one sentence for people."""

    run_id: int
    phase: Phase
    progress: float
    seconds_left: float | None
    message: str


OnProgress = Callable[[RoundProgress], None]


@dataclass(slots=True)
class Phases:
    """The phases of one run: who hears of them, and the `seconds` each has taken so far."""

    run_id: int
    on_progress: OnProgress
    seconds: dict[Phase, float] = field(default_factory=dict)

    def tell(self, phase: Phase, progress: float, seconds_left: float | None, message: str) -> None:
        """Say how far the round is; the listener may raise to end it."""
        self.on_progress(RoundProgress(self.run_id, phase, progress, seconds_left, message))

    def took(self, phase: Phase, seconds: float) -> None:
        """Add to the time of a phase."""
        self.seconds[phase] = self.seconds.get(phase, 0.0) + seconds

    def read(
        self, tagger: LoadedTagger, sentences: Sequence[Sentence], phase: Phase, message: str
    ) -> list[TaggerPrediction]:
        """One prediction a sentence, in their order, telling how far it is."""
        started, found = time.monotonic(), list[TaggerPrediction]()
        self.tell(phase, 0.0, None, message)
        for first in range(0, len(sentences), READ_AT_ONCE):
            part = [sentence.tokens for sentence in sentences[first : first + READ_AT_ONCE]]

            def step(share: float, first: int = first, part: Sequence[Sequence[str]] = part) -> None:
                done = (first + share * len(part)) / len(sentences)
                left = (time.monotonic() - started) * (1 - done) / done if done else None
                self.tell(phase, done, left, message)

            found += tagger.predict(part, step)
        self.took(phase, time.monotonic() - started)
        return found
