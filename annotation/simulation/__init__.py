"""The loop with gold labels for an annotator, to compare query strategies before people are paid."""

from annotation.simulation.config import TYPICAL_NOISE, AnnotatorNoise, GoldSet, SimulationConfig, gold_sets
from annotation.simulation.points import Mean, Point, as_table, read_points, summarise
from annotation.simulation.run import simulate, write_results
from annotation.simulation.savings import Area, Match, Saving, areas, matches, savings, savings_table

__all__ = [
    "TYPICAL_NOISE",
    "AnnotatorNoise",
    "Area",
    "GoldSet",
    "Match",
    "Mean",
    "Point",
    "Saving",
    "SimulationConfig",
    "areas",
    "as_table",
    "gold_sets",
    "matches",
    "read_points",
    "savings",
    "savings_table",
    "simulate",
    "summarise",
    "write_results",
]
