"""Suggestions withheld from a share of the pool, drawn by chance: only so can be told what they change.

Berzak et al., "Anchoring and agreement in syntactic annotations" (2016): who edits a model's output agrees with it more
than who starts from nothing. The drawn sentences also keep the evaluation sentences, which never carry suggestions,
from standing out.
"""

from storage import Project
from storage.chance import drawn


def is_withheld(project: Project, sentence_id: int) -> bool:
    """Whether nobody is shown suggestions for this sentence: the same answer for every run and every person."""
    return drawn(project.split_salt, "blind", sentence_id) < project.settings.blind_share
