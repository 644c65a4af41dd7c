"""Backbones of the model hub by name, without long waits: whether there is such a model, and where its files are.

The hub's own library tries an unreachable network again and again, for most of a minute. Loads no torch.
"""

import os
import threading
from pathlib import Path
from queue import Empty, SimpleQueue

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError

from maner_core.errors import UnsupportedBackbone

BUNDLED = "bundled"
HUB_SECONDS = 8.0  # for the hub to say whether it has a model


def find_backbone(name: str) -> str | Path:
    """What to load a backbone from: `name` itself, or the folder with the copy of it that this machine keeps.

    The copy is used where the hub cannot be reached. Raises UnsupportedBackbone, in HUB_SECONDS at most, where the hub
    has no such model, or cannot be reached and there is no copy.
    """
    if name == BUNDLED or os.path.isdir(name):
        return name
    try:
        known = _hub_has(name)
        if known is None:
            return Path(snapshot_download(name, local_files_only=True))
    except HFValidationError:
        raise _refused(name, "there is no such folder") from None
    except LocalEntryNotFoundError:
        raise _refused(name, "the hub cannot be reached, and this machine has no copy of it") from None
    if not known:
        raise _refused(name, "the hub has no model of this name, or shows it to its members alone")
    return name


def _refused(name: str, why: str) -> UnsupportedBackbone:
    return UnsupportedBackbone(
        f"the backbone {name!r} cannot be loaded ({why}); give {BUNDLED!r}, a model id of the hub that this machine can "
        "reach, or a folder that holds one"
    )


def _hub_has(name: str) -> bool | None:
    """Whether the hub has a model; None where it does not say in time. Raises HFValidationError for what is no id.

    Asked in a thread of its own, for looking up a name in a broken network cannot be given a time limit.
    """
    answers: SimpleQueue[bool | HFValidationError | None] = SimpleQueue()

    def ask() -> None:
        try:
            HfApi().model_info(name, timeout=HUB_SECONDS)
            answers.put(True)
        except RepositoryNotFoundError:
            answers.put(False)
        except HFValidationError as error:
            answers.put(error)
        except Exception:  # whatever the library's HTTP client raises where there is no network
            answers.put(None)

    threading.Thread(target=ask, name="hub", daemon=True).start()
    try:
        answer = answers.get(timeout=HUB_SECONDS)
    except Empty:
        return None
    if isinstance(answer, HFValidationError):
        raise answer
    return answer
