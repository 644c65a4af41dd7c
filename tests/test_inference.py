"""Predictions: the same whatever a sentence is read together with, for sentences of any length."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest
import torch
from encoders import FAST, HIDDEN, LABELS, SENTENCES, TINY_ENCODERS, random_tagger, spans_of
from numpy.typing import NDArray

from maner_core import encoding, inference
from maner_core.calibration import Calibration
from maner_core.encoding import Window
from maner_core.errors import RunFailed
from maner_core.inference import Prediction, Tagger
from maner_core.spans import iob2_tags, repair_tags, tags_to_spans


@pytest.fixture(scope="module", params=TINY_ENCODERS)
def tagger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tagger:
    """An untrained tagger on each architecture."""
    return random_tagger(TINY_ENCODERS[request.param](tmp_path_factory.mktemp("encoder")))


def with_budget(tagger: Tagger, subwords: int) -> Tagger:
    """The same tagger, reading at most so many sub-words at once."""
    other = Tagger(tagger.model, tagger.words, tagger.labels, tagger.config)
    other._budget = subwords
    return other


@contextmanager
def sizes_read(tagger: Tagger) -> Iterator[list[tuple[int, int]]]:
    """Rows and columns of everything that goes through the network meanwhile."""
    sizes: list[tuple[int, int]] = []
    hook = tagger.model.register_forward_pre_hook(lambda _, inputs: sizes.append(tuple(inputs[0].shape)))
    yield sizes
    hook.remove()


WORDS = ["Juma", "a", "walks", "Iringa", "ZZ", "9", "tomorrow", "in"]
LONG = [WORDS[(i * i) % 8] for i in range(300)]
MANY = [LONG[i : i + 1 + i % 23] for i in range(0, 280, 5)]


def test_a_prediction_gives_each_word_its_chances_and_a_legal_tag(tagger: Tagger) -> None:
    for sentence, prediction in zip(MANY, tagger.predict(MANY), strict=True):
        chances = prediction.probabilities
        assert chances.shape == (len(sentence), 5)
        assert chances.dtype == np.float32
        np.testing.assert_allclose(chances.sum(axis=1), 1.0, rtol=1e-5)
        best = [iob2_tags(LABELS)[i] for i in chances.argmax(axis=1)]
        assert prediction.tags == repair_tags(best)
        assert prediction.spans == tags_to_spans(prediction.tags)
        assert prediction.embedding.shape == (HIDDEN,)


def test_a_prediction_does_not_depend_on_the_sentences_around_it(tagger: Tagger) -> None:
    together = tagger.predict([*MANY, LONG])
    backwards = tagger.predict([LONG, *reversed(MANY)])[::-1]
    alone = [tagger.predict([sentence])[0] for sentence in [*MANY, LONG]]
    for others in (backwards, alone):
        for one, other in zip(together, others, strict=True):
            np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)
            np.testing.assert_allclose(one.embedding, other.embedding, atol=1e-5)
    assert together[0].probabilities[0].tolist() != together[1].probabilities[0].tolist()


def test_a_prediction_does_not_depend_on_the_size_of_the_batches(tagger: Tagger) -> None:
    usual = tagger.predict(MANY)
    small = with_budget(tagger, 40).predict(MANY)
    for one, other in zip(usual, small, strict=True):
        assert one.tags == other.tags
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)
        np.testing.assert_allclose(one.embedding, other.embedding, atol=1e-5)


def test_no_batch_is_larger_than_the_memory_bound_unless_it_is_one_window(tagger: Tagger) -> None:
    with sizes_read(tagger) as sizes:
        with_budget(tagger, 300).predict([*MANY, *[LONG] * 10])
    assert all(rows * columns <= 300 for rows, columns in sizes)
    assert len(sizes) > 10


def test_a_stream_gives_what_predict_gives_in_order(tagger: Tagger) -> None:
    expected = tagger.predict(MANY)
    for at_once in (1, 7, 1000):
        for one, other in zip(tagger.stream(iter(MANY), at_once), expected, strict=True):
            assert one.tags == other.tags
            np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)


def test_a_stream_reads_no_further_than_it_is_asked_to(tagger: Tagger) -> None:
    taken: list[int] = []
    endless = (taken.append(i) or MANY[i % len(MANY)] for i in count())  # type: ignore[func-returns-value]
    done: list[float] = []
    predictions = tagger.stream(endless, at_once=10, on_progress=done.append)
    assert taken == []
    assert len(list(islice(predictions, 25))) == 25
    assert taken == list(range(30))
    assert done == sorted(done)
    assert {10.0, 20.0, 30.0} <= set(done)
    assert done[-1] == 30.0


def test_the_words_remembered_are_bounded(tagger: Tagger, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = tagger.predict([["Juma", "walks"]])[0].probabilities
    monkeypatch.setattr(encoding, "WORDS_REMEMBERED", 50)
    numbers = [[f"a{i}" for i in range(first, first + 20)] for first in range(0, 400, 20)]
    for _ in tagger.stream(numbers, at_once=1):
        assert len(tagger.words._pieces) <= 70
    np.testing.assert_allclose(tagger.predict([["Juma", "walks"]])[0].probabilities, expected, atol=1e-5)


def no_room_on_a_gpu() -> None:
    raise torch.OutOfMemoryError("no room")


def no_room_on_a_cpu() -> None:
    torch.empty(2**50)  # a petabyte


@pytest.mark.parametrize("no_room", [no_room_on_a_gpu, no_room_on_a_cpu])
def test_where_memory_runs_out_half_as_much_is_read_at_once_and_nothing_is_lost(
    tagger: Tagger, monkeypatch: pytest.MonkeyPatch, no_room: Callable[[], None]
) -> None:
    expected = tagger.predict(MANY)
    short = with_budget(tagger, 1600)
    read, sizes = Tagger._read, list[int]()

    def limited(self: Tagger, windows: Sequence[Window]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        sizes.append(len(windows) * max(len(window.ids) for window in windows))
        if sizes[-1] > 400:
            no_room()
        return read(self, windows)

    monkeypatch.setattr(Tagger, "_read", limited)
    for one, other in zip(short.predict(MANY), expected, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)
    too_large = [size for size in sizes if size > 400]
    assert too_large == sizes[: len(too_large)]  # after that it never asked for as much again
    assert 1 <= len(too_large) <= 2


def test_where_memory_is_too_short_for_one_sentence_it_says_so(tagger: Tagger, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(Tagger, "_read", full)
    with pytest.raises(RunFailed, match="too little memory for this tagger; choose a smaller backbone"):
        with_budget(tagger, 1600).predict(SENTENCES)


def test_a_card_too_small_for_one_sentence_is_left_for_the_cpu(tagger: Tagger, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = tagger.predict(SENTENCES)
    on_card = with_budget(tagger, 50)
    monkeypatch.setattr(Tagger, "device", property(lambda self: self.at))
    monkeypatch.setattr(on_card, "at", torch.device("cuda"), raising=False)
    moved: list[str] = []
    read = Tagger._read

    def limited(self: Tagger, windows: Sequence[Window]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if self.device.type == "cuda":
            raise torch.OutOfMemoryError("no room")
        return read(self, windows)

    def to(place: str) -> None:
        moved.append(place)
        on_card.at = torch.device(place)  # type: ignore[attr-defined]

    monkeypatch.setattr(Tagger, "_read", limited)
    monkeypatch.setattr(on_card.model, "to", to)
    predictions = on_card.predict(SENTENCES)
    assert moved == ["cpu"]
    for one, other in zip(predictions, expected, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)


def test_in_bfloat16_predictions_stay_close_and_do_not_depend_on_their_neighbours(
    tagger: Tagger, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = tagger.predict([*MANY, LONG])
    monkeypatch.setattr(inference, "has_bfloat16", lambda _: True)
    config = replace(tagger.config, mixed_precision=True)
    halved = Tagger(tagger.model, tagger.words, tagger.labels, config)
    together = halved.predict([*MANY, LONG])
    backwards = halved.predict([LONG, *reversed(MANY)])[::-1]
    alone = [halved.predict([sentence])[0] for sentence in [*MANY, LONG]]
    assert not np.array_equal(exact[0].probabilities, together[0].probabilities)
    for others, tolerance in ((exact, 0.1), (backwards, 0.05), (alone, 0.05)):
        for one, other in zip(together, others, strict=True):
            np.testing.assert_allclose(one.probabilities, other.probabilities, atol=tolerance)
            assert one.probabilities.dtype == other.embedding.dtype == np.float32
    tags, exact_tags = (np.concatenate([p.tags for p in predictions]) for predictions in (together, exact))
    assert (tags == exact_tags).mean() > 0.98


def test_the_network_keeps_its_float32_weights_when_it_predicts_in_bfloat16(
    tagger: Tagger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "has_bfloat16", lambda _: True)
    before = {name: tensor.clone() for name, tensor in tagger.model.state_dict().items()}
    halved = Tagger(tagger.model, tagger.words, tagger.labels, replace(tagger.config, mixed_precision=True))
    halved.predict(SENTENCES)
    after = tagger.model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(before[name], tensor) for name, tensor in after.items())
    assert all(parameter.requires_grad for parameter in tagger.model.parameters())
    copied = halved._network()
    assert copied.encoder.get_input_embeddings().embedding is tagger.model.encoder.get_input_embeddings()
    assert copied.head is tagger.model.head


def test_probabilities_are_those_of_the_logits_divided_by_the_temperature(tagger: Tagger) -> None:
    plain = tagger.predict(SENTENCES)
    calibration = Calibration(2.0, 5, 100, 0.5, 0.4, 0.1, 0.05)
    cooled = Tagger(tagger.model, tagger.words, tagger.labels, tagger.config, calibration).predict(SENTENCES)
    for one, other in zip(plain, cooled, strict=True):
        assert one.tags == other.tags
        roots = np.sqrt(one.probabilities)
        np.testing.assert_allclose(other.probabilities, roots / roots.sum(axis=1, keepdims=True), atol=1e-5)
        np.testing.assert_array_equal(one.embedding, other.embedding)


def test_a_sentence_longer_than_the_limit_is_predicted_whole(tagger: Tagger) -> None:
    [prediction] = tagger.predict([LONG])
    assert len(prediction.tags) == 300
    np.testing.assert_allclose(prediction.probabilities.sum(axis=1), 1.0, rtol=1e-5)
    assert prediction.embedding.any()


def test_the_embedding_is_the_mean_of_the_states_that_were_read(tagger: Tagger) -> None:
    sentence = SENTENCES[0]
    [window] = tagger.words.windows([sentence])[0]
    with torch.no_grad():
        states = tagger.model.encoder(torch.tensor([window.ids])).last_hidden_state[0]
    expected = states[window.positions].mean(dim=0).numpy()
    np.testing.assert_allclose(tagger.predict([sentence])[0].embedding, expected, atol=1e-5)


def test_the_embedding_of_a_long_sentence_is_the_mean_over_all_its_windows(tagger: Tagger) -> None:
    [windows] = tagger.words.windows([LONG])
    with torch.no_grad():
        read = [tagger.model.encoder(torch.tensor([w.ids])).last_hidden_state[0, w.positions] for w in windows]
    assert len(read) > 1
    expected = torch.cat(read).mean(dim=0).numpy()
    np.testing.assert_allclose(tagger.predict([LONG])[0].embedding, expected, atol=1e-5)


def test_the_head_makes_the_probabilities_out_of_the_word_states(tagger: Tagger) -> None:
    weight, bias, dropout = tagger.head
    assert dropout == tagger.config.dropout
    sentences = [*MANY[:6], LONG]
    for states, prediction in zip(tagger.word_states(sentences), tagger.predict(sentences), strict=True):
        logits = states @ weight.T + bias
        chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(chances, prediction.probabilities, atol=1e-5)


def test_nothing_gives_nothing(tagger: Tagger) -> None:
    assert tagger.predict([]) == []
    shares: list[float] = []
    [prediction] = tagger.predict([[]], shares.append)
    assert (prediction.tags, prediction.spans, prediction.span_confidences()) == ([], [], [])
    assert prediction.probabilities.shape == (0, 5)
    assert prediction.word_confidences().shape == (0,)
    assert not prediction.embedding.any()


def test_words_that_have_no_sub_word_are_predicted_all_the_same(tagger: Tagger) -> None:
    odd = ["", " ", "\u00a0", "\u200d", "\x01", "\u0301", "🙂", "a" * 5000]
    [prediction] = tagger.predict([odd])
    np.testing.assert_allclose(prediction.probabilities.sum(axis=1), 1.0, rtol=1e-5)
    assert len(prediction.tags) == len(odd)


def test_empty_sentences_among_others_keep_their_place(tagger: Tagger) -> None:
    first, empty, second = tagger.predict([SENTENCES[0], [], SENTENCES[1]])
    assert (len(first.tags), len(empty.tags), len(second.tags)) == (4, 0, 3)


def test_no_gradient_is_kept_and_dropout_is_off(tagger: Tagger) -> None:
    seen: list[tuple[bool, bool]] = []
    tagger.model.train()
    hook = tagger.model.register_forward_hook(
        lambda module, _, outputs: seen.append((module.training, outputs[0].requires_grad))
    )
    once, again = tagger.predict(SENTENCES), tagger.predict(SENTENCES)
    hook.remove()
    assert set(seen) == {(False, False)}
    assert all(np.array_equal(a.probabilities, b.probabilities) for a, b in zip(once, again, strict=True))
    assert all(parameter.grad is None for parameter in tagger.model.parameters())


def test_progress_rises_to_one(tagger: Tagger) -> None:
    shares: list[float] = []
    with_budget(tagger, 300).predict([*MANY, *[LONG] * 10], shares.append)
    assert shares == sorted(set(shares))
    assert shares[-1] == 1.0
    assert len(shares) > 1


def test_confidences_by_hand() -> None:
    chances = np.array(
        [[0.1, 0.7, 0.2, 0, 0], [0.1, 0.2, 0.6, 0.1, 0], [0.9, 0, 0, 0.1, 0], [0.2, 0, 0, 0.8, 0]], np.float32
    )
    prediction = Prediction(["B-PER", "I-PER", "O", "B-LOC"], chances, np.zeros(3, np.float32))
    assert prediction.spans == spans_of((0, 2, "PER"), (3, 4, "LOC"))
    assert prediction.span_confidences() == pytest.approx([0.6, 0.8])
    assert prediction.word_confidences() == pytest.approx([0.7, 0.6, 0.9, 0.8])


def test_maner_and_sner_read_different_things(tmp_path: Path) -> None:
    folder = TINY_ENCODERS["bert"](tmp_path)
    maner, sner = (random_tagger(folder, replace(FAST, system=system)) for system in ("maner", "sner"))
    one, other = maner.predict(SENTENCES[:1])[0], sner.predict(SENTENCES[:1])[0]
    assert not np.allclose(one.probabilities, other.probabilities, atol=1e-3)
