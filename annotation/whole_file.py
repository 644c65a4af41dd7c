"""A file that is either written whole or not there."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from maner_core.errors import InvalidInput


@contextmanager
def whole_file(out: Path) -> Iterator[BinaryIO]:
    """A file to write that gets the name `out` at the end, and only if all went well. InvalidInput where it cannot."""
    try:
        handle, draft = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    except OSError as error:
        raise InvalidInput(f"{out} cannot be written ({error.strerror}); choose another place") from None
    try:
        with open(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(draft, 0o666 & ~_umask())
        os.replace(draft, out)
    except BaseException as error:
        os.unlink(draft)
        if isinstance(error, OSError):
            raise InvalidInput(f"{out} cannot be written ({error.strerror}); choose another place") from None
        raise


def _umask() -> int:
    """The mask for new files; it can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
