"""What the options of the commands mean together, and what of it is refused. No torch here."""

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from maner_core.errors import InvalidConfig, InvalidInput


def together_with_settings(options: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """What options and --set ask for; a setting that both give is refused, for one of the two would be lost."""
    if twice := sorted(options.keys() & settings.keys()):
        raise InvalidConfig(f"{twice[0]} is given by --set and by an option of its own; give it once")
    return options | settings


def length_of_training(epochs: float | None, steps: int | None) -> dict[str, float]:
    """What a wish for a certain length sets: a preset's bounds would otherwise stand in its way."""
    if epochs is not None and steps is not None:
        raise InvalidConfig("--epochs and --steps both say how long to train; give one of them")
    if steps is not None:
        if steps < 1:
            raise InvalidConfig(f"--steps is {steps}; it must be at least 1")
        return {"epochs": 0.0, "min_steps": steps, "max_steps": steps}
    if epochs is not None:
        # At least one step even of half an epoch of few sentences.
        return {"epochs": epochs, "min_steps": 1 if epochs > 0 else 0, "max_steps": 0}
    return {}


def parts(words: Sequence[str]) -> list[str]:
    """Words that may hold several, by commas: `["a,b", "c"] -> ["a", "b", "c"]`."""
    return [part for word in words for part in word.split(",") if part]


def numbers(option: str, words: Sequence[str]) -> list[int]:
    """Whole numbers, written as `parts` takes them; `option`: what to name in a refusal."""
    try:
        return [int(part) for part in parts(words)]
    except ValueError:
        raise InvalidConfig(f"{option} is {','.join(words)!r}; give whole numbers, by commas") from None


def check_text(adaptation: str, text: Sequence[Path] | None) -> None:
    """Refuse an adaptation without a text, and a text that nothing would read."""
    if adaptation != "none" and not text:
        raise InvalidConfig(f"--adapt {adaptation} needs sentences without labels; name a file with --text")
    if adaptation == "none" and text:
        raise InvalidConfig("--text is only read by an adaptation; add --adapt before or --adapt beside")


def check_out(out: Path) -> None:
    """Refuse a place in which something lies, for saving replaces the whole folder, and one that cannot be written.

    Makes the folder above it, and tries there what saving will do after the long work.
    """
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise InvalidInput(
                f"{out} is already there and not an empty folder; choose another --out or remove it first"
            )
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=out.parent, prefix=".unfinished-") as unfinished:
            if out.exists():
                os.replace(unfinished, out)  # fails where it is a link, a mounted disk or the folder we are in
    except OSError as error:
        raise InvalidInput(f"{out} cannot be written ({error.strerror}); choose another --out") from None
