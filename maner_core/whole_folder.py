"""A folder that is there whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from maner_core.errors import RunFailed


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder` to write to, which in the end takes its place; replaces what is there.

    Nothing of it is left where the writing fails. Raises RunFailed when the disk is full or the place cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".unfinished-"))
        try:
            yield unfinished
            unfinished.chmod(0o755)  # it was made for this user alone; whoever serves may be another
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(unfinished, folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except (OSError, SafetensorError) as error:
        raise RunFailed(
            f"{folder} cannot be written ({error}); make room on its disk or choose another place"
        ) from error
