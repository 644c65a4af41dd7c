"""Who may import whom (the rooms), and what the project may say: facts about the source, not its behaviour."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("maner_core", "annotation", "storage")
TORCH_MODULES = {
    "adaptation",
    "attention",
    "backbone_checks",
    "backbones",
    "checkpoints",
    "devices",
    "dropout",
    "encoding",
    "features",
    "frozen",
    "half_precision",
    "idle_head",
    "inference",
    "lora",
    "masked_lm",
    "model",
    "optimiser",
    "quick",
    "processes",
    "recomputation",
    "training",
    "whole_folder",
}

MODULES = sorted([ROOT / "app.py", *(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))])


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> Iterator[str]:
    """Every module that the file imports, wherever in the file: `from a import b` counts as a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports_any(path: Path, *names: str) -> list[str]:
    return [found for found in imports_of(path) if any(found == name or found.startswith(name + ".") for name in names)]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_each_room_imports_only_the_rooms_below_it(path: Path) -> None:
    room = name_of(path)
    if room.startswith("maner_core"):
        assert not imports_any(path, "annotation", "storage", "app")
    elif room.startswith("storage"):
        own = imports_any(path, "annotation", "app", "maner_core")
        assert [found for found in own if not found.startswith(("maner_core.spans", "maner_core.errors"))] == []
    elif room.startswith("annotation.ui"):
        assert not imports_any(path, "app")
    elif room.startswith("annotation"):
        assert not imports_any(path, "annotation.ui", "app")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_each_framework_stays_in_its_room(path: Path) -> None:
    room = name_of(path)
    if room != "app" and not room.startswith("annotation.ui"):
        assert not imports_any(path, "streamlit")
    if not room.startswith("storage"):
        assert not imports_any(path, "sqlalchemy", "alembic")
    if room.split(".")[0] != "maner_core" or room.split(".")[-1] not in TORCH_MODULES:
        assert not imports_any(path, "torch", "transformers", "accelerate", "safetensors", "tokenizers")


def test_query_strategies_see_arrays_and_nothing_else() -> None:
    for path in (ROOT / "annotation" / "sampling").rglob("*.py"):
        assert not imports_any(path, "storage", "maner_core.training", "maner_core.inference")


def test_imports_between_modules_form_no_circle() -> None:
    names = {name_of(path): path for path in MODULES}
    edges = {name: {found for found in module_level_imports(path) if found in names} for name, path in names.items()}
    finished: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join([*trail[trail.index(name) :], name])
        if name not in finished:
            for needed in edges[name] - {name}:
                visit(needed, (*trail, name))
            finished.add(name)

    for name in names:
        visit(name, ())


def module_level_imports(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            # A package that re-exports its submodules is not what `from package import submodule` waits for.
            inside = [name for name in submodules if (ROOT / Path(*name.split("."))).with_suffix(".py").exists()]
            yield from inside or [node.module]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_is_pickled_and_no_remote_code_is_trusted(path: Path) -> None:
    assert not imports_any(path, "pickle", "cloudpickle", "dill")
    assert imports_any(path, "joblib") in ([], ["joblib", "joblib.cpu_count"])  # which unpickles nothing
    text = path.read_text(encoding="utf-8")
    assert "trust_remote_code" not in text
    assert "torch.load" not in text
