"""Nothing a person has finished gets lost, and they are told how things stand: before a server that fails on command."""

import re

import pytest
from playwright.sync_api import expect

from browser.conftest import SENTENCES, FakeServer, OpenEditor, StartFake
from browser.serving import Editor


@pytest.fixture
def editor(plain: FakeServer, open_editor: OpenEditor) -> Editor:
    return open_editor(plain.url).ready()


def finish(editor: Editor, count: int) -> list[int]:
    """Label the first word of so many sentences and go on; their ids."""
    done = []
    for _ in range(count):
        done.append(editor.sentence())
        editor.press("1", "Enter")
        editor.on_other_sentence(done[-1])
    return done


def test_the_next_sentence_needs_no_server(editor: Editor, plain: FakeServer) -> None:
    plain.set(fail=503)
    done = finish(editor, 12)
    editor.unsent(12)
    plain.set(fail=0)
    editor.saved()
    assert [annotation["sentence"] for annotation in plain.saved()] == done


def test_unsent_work_survives_a_reload(editor: Editor, plain: FakeServer) -> None:
    plain.set(fail=503)
    done = finish(editor, 3)
    editor.page.reload()
    editor.unsent(3)
    plain.set(fail=0)
    editor.saved()
    assert [annotation["sentence"] for annotation in plain.saved()] == done


def test_what_a_closed_tab_left_is_sent_by_the_next(editor: Editor, plain: FakeServer, open_editor: OpenEditor) -> None:
    plain.set(fail=503)
    done = finish(editor, 2)
    context = editor.page.context
    editor.page.close()
    plain.set(fail=0)
    other = open_editor(plain.url, context=context).ready()
    other.saved()
    assert [annotation["sentence"] for annotation in plain.saved()] == done


def test_a_duplicated_tab_takes_an_id_of_its_own(editor: Editor, plain: FakeServer, open_editor: OpenEditor) -> None:
    storage = editor.page.evaluate("JSON.stringify(sessionStorage)")
    copy = editor.page.context.new_page()
    copy.add_init_script(f"for (const [key, value] of Object.entries({storage})) sessionStorage.setItem(key, value)")
    copy.goto(plain.url)
    expect(copy.locator(".maner")).to_have_attribute("data-state", "ready")
    read = "sessionStorage.getItem('maner:tab:id')"
    assert copy.evaluate(read) != editor.page.evaluate(read)


def test_a_refused_annotation_is_shown_until_its_author_is_done_with_it(editor: Editor, plain: FakeServer) -> None:
    plain.set(refuse="the label PER is gone")
    first = editor.sentence()
    editor.press("1", "Enter")
    refusal = editor.page.locator(".refusal")
    expect(refusal).to_contain_text("the label PER is gone")
    editor.saved()
    editor.page.reload()
    expect(refusal).to_contain_text("the label PER is gone")
    editor.ready()
    plain.set(refuse="")
    editor.page.get_by_role("button", name="Discard").click()
    expect(refusal).to_have_count(0)
    expect(editor.root).to_have_attribute("data-refused", "0")
    assert first not in [annotation["sentence"] for annotation in plain.saved()]


def test_a_refused_sentence_comes_back_to_be_corrected(editor: Editor, plain: FakeServer) -> None:
    first = editor.sentence()
    plain.set(refuse="no")
    editor.press("1", "Enter")
    expect(editor.page.locator(".refusal")).to_have_count(1)
    plain.set(refuse="")
    editor.press("s")
    expect(editor.root).to_have_attribute("data-sentence", str(first))
    assert editor.entities() == ["PER: Asha"]


def test_one_annotation_the_server_cannot_read_does_not_keep_the_others(editor: Editor, plain: FakeServer) -> None:
    plain.set(fail=503, poison="poison")
    done = finish(editor, 2)
    poisoned = editor.sentence()
    editor.press("f")
    editor.page.keyboard.type("poison")
    editor.press("Enter")
    editor.on_other_sentence(poisoned)
    done += finish(editor, 2)
    plain.set(fail=0)
    expect(editor.page.locator(".refusal")).to_contain_text("comment must be something else")
    editor.saved()
    assert sorted(annotation["sentence"] for annotation in plain.saved()) == sorted(done)


@pytest.mark.parametrize("status", [400, 413])
def test_a_refusal_from_a_machine_on_the_way_is_no_annotations_fault(
    status: int, editor: Editor, plain: FakeServer
) -> None:
    plain.set(fail=status, words=False)
    done = finish(editor, 3)
    expect(editor.root).to_have_attribute("data-connection", "refused")
    expect(editor.page.locator(".notices")).to_contain_text("your work is kept")
    plain.set(fail=0)
    editor.saved()
    expect(editor.root).to_have_attribute("data-refused", "0")
    assert sorted(annotation["sentence"] for annotation in plain.saved()) == sorted(done)


def test_a_login_page_of_the_network_counts_as_offline(editor: Editor, plain: FakeServer) -> None:
    plain.set(fail=200, words=False)
    done = finish(editor, 2)
    expect(editor.root).to_have_attribute("data-connection", "offline")
    plain.set(fail=0)
    editor.saved()
    assert [annotation["sentence"] for annotation in plain.saved()] == done


def test_a_clock_that_is_set_back_puts_no_correction_before_what_it_corrects(editor: Editor, plain: FakeServer) -> None:
    plain.set(fail=503)
    (first,) = finish(editor, 1)
    editor.page.evaluate("Date.now = () => 1000000")
    editor.press("u", "2", "Enter")
    editor.unsent(2)
    plain.set(fail=0)
    editor.saved()
    made, corrected = plain.saved()
    assert [(made["sentence"], made["spans"]), (corrected["sentence"], corrected["spans"])] == [
        (first, [[0, 1, "PER"]]),
        (first, [[0, 1, "LOC"]]),
    ]
    assert corrected["supersedes"] == made["id"]


def test_a_comment_box_without_a_word_goes_with_its_sentence(editor: Editor, plain: FakeServer) -> None:
    first = editor.sentence()
    editor.press("f")
    plain.set(drop=[first])
    editor.on_other_sentence(first)
    expect(editor.page.locator(".comment")).to_be_hidden()
    expect(editor.page.locator(".sentence")).to_be_focused()
    assert plain.saved() == []


def test_a_comment_begun_keeps_a_sentence_whose_lease_is_lost_and_flags_no_other(
    editor: Editor, plain: FakeServer
) -> None:
    first = editor.sentence()
    editor.press("f")
    editor.page.keyboard.type("odd")
    plain.set(drop=[first])
    expect(editor.page.locator(".notices")).to_contain_text("Somebody else may have this sentence by now.")
    editor.press("Enter")
    editor.on_other_sentence(first)
    editor.saved()
    assert [(saved["sentence"], saved["comment"]) for saved in plain.saved()] == [(first, "odd")]


def test_long_comments_in_a_script_of_three_bytes_a_letter_are_sent_too(editor: Editor, plain: FakeServer) -> None:
    """Together fewer letters than a request may have bytes that outlives its tab, and more bytes: it is sent as any other."""
    plain.set(fail=503)
    for _ in range(12):
        open_sentence = editor.sentence()
        editor.press("f")
        editor.page.locator("#comment").fill("ሰ" * 2_000)
        editor.press("Enter")
        editor.on_other_sentence(open_sentence)
    editor.unsent(12)
    plain.set(fail=0)
    editor.saved()
    assert [len(annotation["comment"]) for annotation in plain.saved()] == [2_000] * 12


def test_pressing_flag_again_keeps_what_was_written(editor: Editor, plain: FakeServer) -> None:
    editor.press("f")
    editor.page.keyboard.type("river or county?")
    editor.page.locator("[data-command=flag]").click()
    expect(editor.page.locator("#comment")).to_be_focused()
    editor.press("Enter")
    editor.saved()
    assert [annotation["comment"] for annotation in plain.saved()] == ["river or county?"]


def test_an_ended_session_says_so_and_keeps_the_work(editor: Editor, plain: FakeServer) -> None:
    plain.set(fail=401)
    finish(editor, 2)
    expect(editor.page.locator(".notices")).to_contain_text(
        "Your session ended. Reload the page; your work is kept. Not sent yet: 2."
    )
    plain.set(fail=0)
    editor.page.reload()
    editor.saved()
    assert len(plain.saved()) == 2


def test_a_project_that_is_gone_is_said_in_words(editor: Editor, plain: FakeServer) -> None:
    plain.set(fail=404)
    finish(editor, 1)
    expect(editor.page.locator(".notices")).to_contain_text("This project no longer exists")


def test_blocked_storage_is_said_and_labelling_goes_on(plain: FakeServer, open_editor: OpenEditor) -> None:
    editor = open_editor("about:blank")
    editor.page.add_init_script(
        "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError') }"
    )
    editor.page.goto(plain.url)
    editor.ready()
    expect(editor.page.locator(".notices")).to_contain_text("This browser keeps nothing for us")
    finish(editor, 2)
    editor.saved()
    assert len(plain.saved()) == 2


def test_a_lost_lease_takes_an_untouched_sentence_away(editor: Editor, plain: FakeServer) -> None:
    first = editor.sentence()
    plain.set(drop=[first])
    editor.on_other_sentence(first)
    expect(editor.page.locator(".notices")).to_contain_text("went to somebody else")


def test_a_lost_lease_does_not_take_work_away(editor: Editor, plain: FakeServer) -> None:
    first = editor.sentence()
    editor.press("1")
    plain.set(drop=[first])
    expect(editor.page.locator(".notices")).to_contain_text("You can still finish it")
    assert editor.sentence() == first
    assert editor.entities() == ["PER: Asha"]


def test_without_our_route_the_component_carries_the_work(fake: StartFake, open_editor: OpenEditor) -> None:
    server = fake([{"tokens": text.split()} for text in SENTENCES * 8], route=False)
    editor = open_editor(server.url).ready()
    done = finish(editor, 3)
    editor.saved()
    assert [annotation["sentence"] for annotation in server.saved()] == done


def test_an_empty_project_says_what_to_do(fake: StartFake, open_editor: OpenEditor) -> None:
    editor = open_editor(fake([]).url)
    expect(editor.page.locator(".empty")).to_contain_text("Import a file on the Data page")


def test_the_last_sentence_is_followed_by_words(fake: StartFake, open_editor: OpenEditor) -> None:
    editor = open_editor(fake([{"tokens": ["Asha"]}]).url).ready()
    editor.press("Enter")
    expect(editor.page.locator(".empty")).to_contain_text("Everything is done")
    editor.press("u")
    editor.ready()


def test_progress_reason_and_training_are_at_the_edge(fake: StartFake, open_editor: OpenEditor) -> None:
    worker = {"state": "training", "progress": 0.43, "seconds_left": 130.0, "text": "Training on 50 sentences"}
    status = {"labelled": 50, "pool": 200, "worker": worker}
    server = fake([{"tokens": ["Asha"], "reason": "the tagger was unsure"}, {"tokens": ["Juma"]}], status=status)
    editor = open_editor(server.url).ready()
    page = editor.page
    expect(page.locator(".reason")).to_have_text("Why this sentence: the tagger was unsure")
    expect(page.locator(".project")).to_have_text("50 of 200 labelled")
    expect(page.locator(".worker-text")).to_have_text("Training on 50 sentences · about 2 min left")
    expect(page.locator(".worker .bar i")).to_have_attribute("style", re.compile("43%"))
    expect(page.locator(".mine")).to_have_text("0 by you")
    editor.press("Enter")
    expect(page.locator(".mine")).to_have_text("1 by you")


PRESS_ENTER_AND_LEAVE = """
for (const key of ["1", "Enter"]) window.dispatchEvent(new KeyboardEvent("keydown", { key }));
location.reload();
"""


def test_a_sentence_finished_in_the_moment_of_a_reload_is_not_lost(editor: Editor, plain: FakeServer) -> None:
    first = editor.sentence()
    editor.page.evaluate(PRESS_ENTER_AND_LEAVE)  # no frame is drawn between the key and the reload
    editor.on_other_sentence(first)
    editor.ready()
    editor.saved()
    assert [(saved["sentence"], saved["spans"]) for saved in plain.saved()] == [(first, [[0, 1, "PER"]])]
    editor.press("u")
    expect(editor.root).to_have_attribute("data-sentence", str(first))


def test_the_next_sentence_is_drawn_before_anything_is_sent(editor: Editor) -> None:
    editor.page.evaluate("""
        window.order = [];
        const { fetch, requestAnimationFrame } = window;
        window.fetch = (...request) => { order.push("sent"); return fetch(...request); };
        window.requestAnimationFrame = (run) => requestAnimationFrame((now) => { order.push("frame"); run(now); });
        window.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
    """)
    editor.saved()
    order = editor.page.evaluate("order")
    assert "sent" in order
    assert order[0] == "frame"
