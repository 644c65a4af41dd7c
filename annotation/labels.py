"""Labels a project starts with, and a colour and key for each one that is added."""

from collections.abc import Iterable, Sequence

from storage import Label

DEFAULT_LABEL_NAMES = ("PER", "LOC", "ORG")

# Told apart by people with the usual colour-vision deficiencies, readable under dark and light text.
PALETTE = (
    "#4477AA", "#228833", "#CC6677", "#AA7700", "#7A5195", "#008B8B",
    "#B0413E", "#5B7A1F", "#3F6FD8", "#A0528C", "#6B6B6B", "#8A5A2B",
)  # fmt: skip

# Digits first; then letters the labelling page does not use itself (it keeps c f g p r s u x).
KEYS = "123456789abdehijklmnoqtvwyz"


def make_labels(names: Iterable[str], existing: Sequence[Label] = ()) -> tuple[Label, ...]:
    """`existing` followed by a label for each name that is new, with the next free colour and key.

    Colours repeat after the palette is used up; the key is empty when none is left.
    """
    labels = list(existing)
    for name in names:
        if any(label.name == name for label in labels):
            continue
        colors = [label.color for label in labels]
        color = min(PALETTE, key=lambda candidate: (colors.count(candidate), PALETTE.index(candidate)))
        used_keys = {label.key for label in labels}
        key = next((candidate for candidate in KEYS if candidate not in used_keys), "")
        labels.append(Label(name=name, color=color, key=key))
    return tuple(labels)
