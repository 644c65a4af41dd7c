"""The quick scorer: vectors that are kept, a head that learns from arrays, and an answer like a tagger's."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from encoders import HIDDEN, LABELS, SENTENCES, SPANS, tiny_bert
from loop_helpers import sentence_tokens
from test_simulation import write_conll

import maner_core.features
from annotation.quick_scorer import features_folder
from annotation.sampling import Pool, mnlp
from annotation.simulation import GoldSet, SimulationConfig, read_points, simulate
from maner_core.errors import NoCheckpoint, RunFailed
from maner_core.features import WordFeatures
from maner_core.inference import Tagger
from maner_core.quick import UNITS, QuickHead, QuickTagger, train_quick
from maner_core.spans import iob2_tags


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_bert(tmp_path_factory.mktemp("backbone")))


class Counted:
    """Counts the sentences that go through the backbone."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.read = 0
        inner = Tagger.word_states

        def word_states(tagger: Tagger, sentences: Sequence[Sequence[str]]) -> object:
            self.read += len(sentences)
            return inner(tagger, sentences)

        monkeypatch.setattr(Tagger, "word_states", word_states)


# Vectors.


def test_every_sentence_is_read_once_however_often_it_is_asked_for(
    backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(monkeypatch)
    first = WordFeatures(tmp_path, backbone).of([*SENTENCES, SENTENCES[0]])
    assert counted.read == len(SENTENCES)
    assert [vectors.shape for vectors in first[:2]] == [(4, HIDDEN), (3, HIDDEN)]
    assert (first[0] == first[-1]).all()
    again = WordFeatures(tmp_path, backbone)  # as another process finds it
    new = again.of([["mpya", "kabisa"], *SENTENCES])
    assert counted.read == len(SENTENCES) + 1
    for before, after in zip(first[:-1], new[1:], strict=True):
        np.testing.assert_array_equal(before, after)


def test_vectors_come_from_the_lower_half_of_the_layers(backbone: str, tmp_path: Path) -> None:
    reader = maner_core.features.frozen_reader(backbone)
    [states] = reader.word_states([SENTENCES[0]])
    [kept] = WordFeatures(tmp_path, backbone).of([SENTENCES[0]])
    np.testing.assert_allclose(states, kept, atol=2e-3)
    assert len(reader.model.encoder.encoder.layer) == 1  # of two


def test_what_a_crash_left_half_written_is_written_over(backbone: str, tmp_path: Path) -> None:
    whole = WordFeatures(tmp_path / "whole", backbone).of(SENTENCES)
    WordFeatures(tmp_path / "torn", backbone).of(SENTENCES[:3])
    with (
        (tmp_path / "torn" / "vectors.f16").open("ab") as vectors,
        (tmp_path / "torn" / "index.bin").open("ab") as index,
    ):
        vectors.write(b"\x07" * 100)
        index.write(b"\x07" * 5)
    for one, other in zip(whole, WordFeatures(tmp_path / "torn", backbone).of(SENTENCES), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-3)


def test_vectors_of_another_backbone_are_not_mixed_in(backbone: str, tmp_path: Path) -> None:
    other = str(tiny_bert(tmp_path / "other", seed=1))
    [before] = [vectors.copy() for vectors in WordFeatures(tmp_path / "same", backbone).of([SENTENCES[0]])]
    [after] = WordFeatures(tmp_path / "same", other).of([SENTENCES[0]])
    assert np.abs(before - after).max() > 0.1
    assert features_folder(tmp_path, backbone) != features_folder(tmp_path, other)


def test_a_full_disk_is_said_in_a_sentence(backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: Path, position: int, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    features = WordFeatures(tmp_path, backbone)
    monkeypatch.setattr(maner_core.features, "_write_at", full)
    with pytest.raises(RunFailed, match="do not fit on the disk"):
        features.of(SENTENCES)


def test_no_sentences_have_no_vectors(backbone: str, tmp_path: Path) -> None:
    assert WordFeatures(tmp_path, backbone).of([]) == []


# The head.


def two_kinds(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    tags = rng.integers(0, 2, n)
    return (rng.normal(size=(n, 6)) + 4 * tags[:, None]).astype(np.float32), tags.astype(np.int64)


def test_a_head_learns_from_arrays_and_is_the_same_for_the_same_seed() -> None:
    head = QuickHead.train(*two_kinds(400), 2, seed=3)
    vectors, tags = two_kinds(200, seed=1)
    chances = head.probabilities(head.states(vectors))
    assert (chances.argmax(axis=1) == tags).mean() > 0.98
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-5)
    again = QuickHead.train(*two_kinds(400), 2, seed=3)
    np.testing.assert_array_equal(head.weight, again.weight)
    assert not np.array_equal(head.weight, QuickHead.train(*two_kinds(400), 2, seed=4).weight)


def test_a_vector_that_never_varies_breaks_nothing() -> None:
    vectors, tags = two_kinds(50)
    vectors[:, 0] = 1.0
    head = QuickHead.train(vectors, tags, 2, seed=0)
    assert np.isfinite(head.probabilities(head.states(vectors))).all()


def test_training_leaves_the_global_generator_alone() -> None:
    import torch

    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    QuickHead.train(*two_kinds(50), 2, seed=0)
    assert torch.rand(1) == expected


# The scorer.


def test_it_answers_as_a_tagger_does(backbone: str, tmp_path: Path) -> None:
    tagger, report = train_quick(SENTENCES, SPANS, LABELS, 1, WordFeatures(tmp_path / "features", backbone))
    tagger.save(tmp_path / "run")
    loaded = QuickTagger.load(tmp_path / "run", WordFeatures(tmp_path / "features", backbone))
    told: list[float] = []
    predictions = loaded.predict([*SENTENCES, []], told.append)
    assert told[-1] == 1.0
    assert loaded.labels == LABELS
    assert report.words == sum(map(len, SENTENCES))
    for sentence, one, other in zip(SENTENCES, predictions, tagger.predict(SENTENCES), strict=False):
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
        assert one.probabilities.shape == (len(sentence), len(iob2_tags(LABELS)))
        assert one.embedding.shape == (HIDDEN,)
    assert predictions[-1].tags == []
    weight, bias, dropout = loaded.head
    [states] = loaded.word_states([SENTENCES[0]])
    assert states.shape == (4, UNITS)
    assert 0 < dropout < 1
    logits = states @ weight.T + bias
    np.testing.assert_array_equal(logits.argmax(axis=1), predictions[0].probabilities.argmax(axis=1))
    assert (mnlp(Pool.of([each.probabilities for each in predictions[:-1]], iob2_tags(LABELS))) > 0).all()


def test_an_answer_does_not_depend_on_what_is_asked_beside_it(
    backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tagger, _ = train_quick(SENTENCES, SPANS, LABELS, 1, WordFeatures(tmp_path, backbone))
    together = tagger.predict(SENTENCES)
    monkeypatch.setattr("maner_core.quick.WORDS_AT_ONCE", 5)
    for one, other in zip(together, tagger.predict(SENTENCES), strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, rtol=1e-5)


def test_a_folder_without_a_quick_scorer_says_so(backbone: str, tmp_path: Path) -> None:
    with pytest.raises(NoCheckpoint, match="no quick scorer"):
        QuickTagger.load(tmp_path, WordFeatures(tmp_path / "features", backbone))


def test_a_simulation_may_have_the_quick_scorer_for_a_tagger(backbone: str, tmp_path: Path) -> None:
    files = (
        write_conll(tmp_path / "train.conll", sentence_tokens(120)),
        write_conll(tmp_path / "test.conll", sentence_tokens(20, seed=1)),
    )
    config = SimulationConfig(
        ("random", "badge"), 1, 50, 20, 70, stale=False, overrides={"backbone": backbone}, quick=True
    )
    simulate([GoldSet("habari", *files)], tmp_path / "out", config, show_progress=False)
    assert len(read_points(tmp_path / "out" / "points.csv")) == 4
    assert features_folder(tmp_path / "out", backbone).is_dir()
