"""Every error of the project, in one tree.

ManerError
 ├─ InvalidInput            somebody gave us something we cannot take
 │   ├─ InvalidSpans        spans or tags that no sentence can carry
 │   ├─ FormatError         a file that does not follow its format (names file, line, remedy)
 │   ├─ InvalidConfig       a setting outside its range
 │   ├─ UnknownName         a name that no registry holds
 │   └─ UnsupportedBackbone an encoder the tagger cannot be built on
 ├─ NotFound                the thing asked for does not exist
 │   └─ NoCheckpoint        a folder that holds no usable checkpoint
 ├─ Refused                 the store keeps one of its promises by saying no
 │   ├─ NotAllowed          this person may not do that
 │   └─ DatabaseTooNew      the database was written by a newer release
 ├─ DatabaseUnavailable     the database does not answer now; nothing was changed, the same call may work later
 │   └─ DatabaseFull        its disk is full
 └─ RunFailed               a training or scoring run ended without a result
     ├─ RunStopped          the worker was asked to stop meanwhile
     └─ LeaseLost           somebody else works on this project now

Pages and commands catch ManerError and show its one sentence; anything else is a bug and should crash loudly.
"""


class ManerError(Exception):
    """Base of every error that is meant to be read by a person."""


# Somebody gave us something we cannot take.


class InvalidInput(ManerError):
    """A value from outside breaks a rule; the message names value, rule and remedy."""


class InvalidSpans(InvalidInput):
    """Spans or tags that no sentence can carry: out of range, overlapping, unknown label, illegal tag."""


class FormatError(InvalidInput):
    """A file does not follow its format. Reads as `file:line: what is wrong; what to do`."""

    def __init__(self, file: str, line: int | None, problem: str, remedy: str) -> None:
        self.file, self.line, self.problem, self.remedy = file, line, problem, remedy
        where = file if line is None else f"{file}:{line}"
        super().__init__(f"{where}: {problem}; {remedy}")


class InvalidConfig(InvalidInput):
    """A setting is outside its range; the message names field, value and range."""


class UnknownName(InvalidInput):
    """A name that no registry holds; the message lists the names there are."""


class UnsupportedBackbone(InvalidInput):
    """An encoder the tagger cannot be built on; the message says what it lacks."""


# The thing asked for does not exist.


class NotFound(ManerError):
    """A project, sentence, run or annotator that does not exist."""


class NoCheckpoint(NotFound):
    """A folder that holds no checkpoint, or a damaged or foreign one."""


# The store keeps one of its promises by saying no.


class Refused(ManerError):
    """The store refuses a change that would break a data rule."""


class NotAllowed(Refused):
    """This person may not do that here."""


class DatabaseTooNew(Refused):
    """The database was written by a newer release than this code."""


# The database does not answer.


class DatabaseUnavailable(ManerError):
    """The database cannot be reached, is locked or full; the call changed nothing and may be repeated."""


class DatabaseFull(DatabaseUnavailable):
    """There is no room for the change; once somebody has made some, the same call works."""


# A run ended without a result.


class RunFailed(ManerError):
    """Training, scoring or suggesting ended without a result; the message says why."""


class RunStopped(RunFailed):
    """The worker was asked to stop while a run was going; the next worker starts that run again."""


class LeaseLost(RunFailed):
    """The lease on a project passed to another worker while this one was working."""
