"""The part of the Store that answers how well tool and people work."""

from collections.abc import Sequence

from storage import _arms, _noise, _work
from storage.database import Database
from storage.evaluation_records import ArmMeasure, FirstAnnotation, NoiseFloor, SuggestedWork
from storage.records import SuggestedSpan


class EvaluationStore:
    """What a Store is asked about work and its measure."""

    _database: Database

    def suggested_spans(self, run_id: int) -> dict[int, tuple[SuggestedSpan, ...]]:
        """All that the run suggests, by sentence id."""
        return self._database.read(_work.suggested_spans, run_id)

    def save_arm_measures(self, measures: Sequence[ArmMeasure]) -> None:
        """Keep what the taggers of both arms of a comparison predict on the reserve; NotFound for an unknown run."""
        self._database.write(_arms.save, measures)

    def arm_measures(self, project_id: int) -> list[ArmMeasure]:
        """What is known of both arms, oldest run first."""
        return self._database.read(_arms.measures, project_id)

    def save_noise_floor(self, floor: NoiseFloor) -> None:
        """Keep how far a second training on the labels of a run differs from it; NotFound for an unknown run."""
        self._database.write(_noise.save, floor)

    def noise_floors(self, project_id: int) -> list[NoiseFloor]:
        """How far two trainings on the same labels differed, oldest run first."""
        return self._database.read(_noise.floors, project_id)

    def suggested_work(self, project_id: int) -> list[SuggestedWork]:
        """First labellings of pool sentences, oldest first, with what was or could have been suggested."""
        return self._database.read(_work.suggested_work, project_id)

    def first_annotations(self, project_id: int) -> dict[int, FirstAnnotation]:
        """When each annotated sentence of the pool was first annotated, and how long that took; by sentence."""
        return self._database.read(_work.first_annotations, project_id)
