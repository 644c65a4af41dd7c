"""Predictions: the same whatever a sentence is read together with, for sentences of any length."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from encoders import FAST, HIDDEN, LABELS, SENTENCES, TINY_ENCODERS, random_tagger, spans_of

from maner_core import inference
from maner_core.inference import Prediction, Tagger
from maner_core.spans import iob2_tags, repair_tags, tags_to_spans


@pytest.fixture(scope="module", params=TINY_ENCODERS)
def tagger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tagger:
    """An untrained tagger on each architecture."""
    return random_tagger(TINY_ENCODERS[request.param](tmp_path_factory.mktemp("encoder")))


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


def test_a_prediction_does_not_depend_on_the_size_of_the_batches(
    tagger: Tagger, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = tagger.predict(MANY)
    monkeypatch.setattr(inference, "_SUBWORDS_PER_BATCH", 40)
    for one, other in zip(usual, tagger.predict(MANY), strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)


def test_no_batch_is_larger_than_the_memory_bound_unless_it_is_one_window(tagger: Tagger) -> None:
    sizes: list[tuple[int, int]] = []
    hook = tagger.model.register_forward_pre_hook(lambda _, inputs: sizes.append(tuple(inputs[0].shape)))
    tagger.predict([*MANY, *[LONG] * 10])
    hook.remove()
    assert all(rows * columns <= 2048 for rows, columns in sizes)
    assert len(sizes) > 1


def test_a_sentence_longer_than_the_limit_is_predicted_whole(tagger: Tagger) -> None:
    [prediction] = tagger.predict([LONG])
    assert len(prediction.tags) == 300
    np.testing.assert_allclose(prediction.probabilities.sum(axis=1), 1.0, rtol=1e-5)
    assert prediction.embedding.any()


def test_the_embedding_is_the_mean_of_the_states_that_were_read(tagger: Tagger) -> None:
    sentence = SENTENCES[0]
    [window] = tagger._words.windows([sentence])[0]
    with torch.no_grad():
        states = tagger.model.encoder(torch.tensor([window.ids])).last_hidden_state[0]
    expected = states[window.positions].mean(dim=0).numpy()
    np.testing.assert_allclose(tagger.predict([sentence])[0].embedding, expected, atol=1e-5)


def test_the_embedding_of_a_long_sentence_is_the_mean_over_all_its_windows(tagger: Tagger) -> None:
    [windows] = tagger._words.windows([LONG])
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
    tagger.predict([*MANY, *[LONG] * 10], shares.append)
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
