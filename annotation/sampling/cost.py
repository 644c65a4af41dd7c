"""What a sentence costs a person, in seconds: an intercept, its words and its entities.

Haertel et al., "Return on investment for active learning" (2008); Settles et al., "Active learning with real
annotation costs" (2008): what a label costs has to be learned from the people who give it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating]

FEWEST_TIMED = 50
"""Timed sentences from which on the people of a project are known better than by a guess."""
IDLE_SECONDS = 120.0
"""Who took longer for a sentence did something else meanwhile: such a time says nothing."""
SHORTEST_SECONDS = 0.5
"""Nobody is faster, whatever a fit says: costs divide scores."""
HARD_PACE = 0.79
"""People read so many times as many words a minute where sentences are chosen by doubt: nine users in Wei et al.,
"Cost-aware active learning for named entity recognition in clinical text" (2019), every one of them 0.74 to 0.82."""


@dataclass(frozen=True, slots=True)
class Timed:
    """How long one person took for one sentence: whole seconds on the screen, its words, the entities they marked."""

    annotator: int
    words: int
    entities: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds = sentence + word * words + entity * entities; the defaults are a guess until people have been timed."""

    sentence: float = 4.0
    word: float = 0.5
    entity: float = 2.5

    def seconds(self, words: npt.NDArray[np.integer], entities: FloatArray) -> npt.NDArray[np.float64]:
        """Of each sentence: `Cost(4, 0.5, 2.5)`, 10 words, 2 entities -> 14 seconds; never less than SHORTEST_SECONDS."""
        seconds: npt.NDArray[np.float64] = self.sentence + self.word * words + self.entity * entities
        return seconds.clip(SHORTEST_SECONDS)

    @classmethod
    def fitted(cls, timed: Sequence[Timed]) -> "Cost":
        """By non-negative least squares to what people took; the defaults below FEWEST_TIMED usable times.

        Times of 0 and above IDLE_SECONDS are left out. Each person's times are brought to the median pace of all first,
        so that a slow person with long sentences does not make words look slow.
        """
        usable = [time for time in timed if 0 < time.seconds <= IDLE_SECONDS]
        if len(usable) < FEWEST_TIMED:
            return cls()
        from sklearn.linear_model import LinearRegression  # takes a second to import

        features = np.array([[1.0, time.words, time.entities] for time in usable])
        model = LinearRegression(fit_intercept=False, positive=True).fit(features, _at_one_pace(usable))
        sentence, word, entity = (float(value) for value in model.coef_)
        return cls(sentence, word, entity)


def _at_one_pace(timed: Sequence[Timed]) -> npt.NDArray[np.float64]:
    """Seconds of each, divided by the median of its annotator and multiplied by the median of these medians."""
    seconds = np.array([time.seconds for time in timed], dtype=np.float64)
    people = np.array([time.annotator for time in timed])
    medians = {person: float(np.median(seconds[people == person])) for person in np.unique(people).tolist()}
    typical = float(np.median(list(medians.values())))
    at_one_pace: npt.NDArray[np.float64] = seconds * typical / np.array([medians[person] for person in people.tolist()])
    return at_one_pace
