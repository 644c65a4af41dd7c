"""The main job through the real app: a person labels in a browser, the rows are in the database."""

from dataclasses import replace

from playwright.sync_api import expect

from browser.conftest import SENTENCES, OpenEditor, Tool
from maner_core.spans import Span
from storage import NameSource, Origin, QueueItem, SkipReason, Status, SuggestedName


def test_labelling_by_keyboard_writes_the_row(tool: Tool, open_tool: OpenEditor) -> None:
    editor = open_tool().ready()
    first = editor.sentence()
    editor.press("Shift+ArrowRight", "1", "ArrowRight", "ArrowRight", "2", "Enter")
    editor.on_other_sentence(first)
    editor.saved()
    (row,) = tool.annotations()
    assert row.sentence_id == first
    assert row.status is Status.LABELLED
    assert row.spans == (Span(0, 2, "PER"), Span(3, 4, "LOC"))
    assert row.annotator_id == tool.annotator.id
    assert row.milliseconds > 0


def test_undo_goes_back_over_a_saved_sentence_and_corrects_it(tool: Tool, open_tool: OpenEditor) -> None:
    editor = open_tool().ready()
    first = editor.sentence()
    editor.press("1", "Enter")
    editor.on_other_sentence(first)
    editor.saved()
    (before,) = tool.annotations()
    editor.press("u")
    expect(editor.root).to_have_attribute("data-sentence", str(first))
    editor.press("3", "Enter")
    editor.on_other_sentence(first)
    editor.saved()
    (after,) = tool.annotations()
    assert after.supersedes == before.id
    assert after.spans == (Span(0, 1, "ORG"),)


def test_a_sentence_can_be_skipped_and_flagged_with_a_comment(tool: Tool, open_tool: OpenEditor) -> None:
    editor = open_tool().ready()
    skipped = editor.sentence()
    editor.press("s")
    editor.on_other_sentence(skipped)
    flagged = editor.sentence()
    editor.press("2", "f")
    expect(editor.page.locator("#comment")).to_be_focused()
    editor.page.keyboard.type("rc: is this a place? ✓")
    editor.press("Enter")
    editor.on_other_sentence(flagged)
    editor.saved()
    rows = {row.sentence_id: row for row in tool.annotations()}
    assert rows[skipped].status is Status.SKIPPED
    assert rows[skipped].spans == ()
    assert rows[flagged].status is Status.FLAGGED
    assert rows[flagged].spans == (Span(0, 1, "LOC"),)
    assert rows[flagged].comment == "rc: is this a place? ✓"


def test_a_sentence_can_be_skipped_as_not_being_one(tool: Tool, open_tool: OpenEditor) -> None:
    editor = open_tool().ready()
    first = editor.sentence()
    editor.press("Shift+S")
    editor.on_other_sentence(first)
    second = editor.sentence()
    editor.page.get_by_role("button", name="Not a sentence").click()
    editor.on_other_sentence(second)
    editor.saved()
    rows = {row.sentence_id: row for row in tool.annotations()}
    assert {(rows[each].status, rows[each].skip_reason) for each in (first, second)} == {
        (Status.SKIPPED, SkipReason.NOT_A_SENTENCE)
    }


def test_work_done_while_the_server_is_dead_is_saved_when_it_is_back(tool: Tool, open_tool: OpenEditor) -> None:
    editor = open_tool().ready()
    tool.server.kill()
    done = []
    for _ in range(4):
        done.append(editor.sentence())
        editor.press("1", "Enter")
        editor.on_other_sentence(done[-1])
    editor.unsent(4)
    expect(editor.page.locator(".saved")).to_have_text("Offline · 4 not saved yet")
    expect(editor.page.get_by_role("dialog")).to_have_count(0)
    expect(editor.page.locator(".sentence")).to_be_focused()
    tool.server.start()
    editor.saved()
    assert sorted(row.sentence_id for row in tool.annotations()) == sorted(done)


def test_a_reload_keeps_the_draft_and_the_sentence(tool: Tool, open_tool: OpenEditor) -> None:
    editor = open_tool().ready()
    drafted = editor.sentence()
    editor.press("Shift+ArrowRight", "1")
    editor.page.reload()
    editor.ready()
    assert editor.sentence() == drafted
    assert editor.entities()[0].startswith("PER: ")
    editor.press("Enter")
    editor.on_other_sentence(drafted)
    editor.saved()
    (row,) = tool.annotations()
    assert row.spans == (Span(0, 2, "PER"),)


def test_after_a_reload_the_tab_can_still_go_back_and_has_its_sentences(tool: Tool, open_tool: OpenEditor) -> None:
    editor = open_tool().ready()
    first = editor.sentence()
    editor.press("1", "Enter")
    editor.on_other_sentence(first)
    second = editor.sentence()
    editor.press("Enter")
    editor.on_other_sentence(second)
    editor.saved()
    editor.page.reload()
    editor.ready()
    for _ in range(3):
        editor.press("Enter")
    editor.saved()
    for _ in range(5):
        editor.press("u")
    expect(editor.root).to_have_attribute("data-sentence", str(first))


def test_two_tabs_of_one_person_get_different_sentences(tool: Tool, open_tool: OpenEditor) -> None:
    one = open_tool().ready()
    two = open_tool(context=one.page.context).ready()
    seen: list[int] = []
    for editor in (one, two) * 4:
        seen.append(editor.sentence())
        editor.press("Enter")
        editor.on_other_sentence(seen[-1])
    for editor in (one, two):
        editor.saved()
    assert len(set(seen)) == 8
    assert {row.sentence_id for row in tool.annotations()} == set(seen)


def test_the_guidelines_are_open_at_first_and_a_key_away_and_do_not_take_the_keyboard(
    tool: Tool, open_tool: OpenEditor
) -> None:
    editor = open_tool().ready()
    guidelines = editor.page.get_by_text("Names of people are PER.")
    expect(guidelines).to_be_visible()
    editor.press("g")
    expect(guidelines).to_be_hidden()
    editor.press("g")
    expect(guidelines).to_be_in_viewport()
    editor.page.get_by_text("Guidelines G").click()
    expect(guidelines).to_be_hidden()
    expect(editor.page.locator(".sentence")).to_be_focused()


def test_other_pages_and_back_keep_the_place(tool: Tool, open_tool: OpenEditor) -> None:
    editor = open_tool().ready()
    drafted = editor.sentence()
    editor.press("1")
    editor.page.get_by_role("link", name="Dashboard").click()
    expect(editor.page.get_by_role("heading", name="Dashboard")).to_be_visible()
    editor.page.get_by_role("link", name="Annotate").click()
    editor.ready()
    assert editor.sentence() == drafted
    assert editor.entities()[0].startswith("PER: ")


def test_a_name_labelled_once_is_suggested_where_it_stands_again(tool: Tool, open_tool: OpenEditor) -> None:
    tool.store.update_project(tool.project.id, replace(tool.project.settings, blind_share=0.0))
    ids = [sentence.id for sentence in tool.store.unlabelled_pool(tool.project.id)]
    order = [QueueItem(id_, Origin.RANDOM, rank, "random", None, None, None, 0) for rank, id_ in enumerate(ids)]
    tool.store.fill_queue(tool.project.id, order, replace=True)
    editor = open_tool().ready()
    assert editor.sentence() == ids[0]
    editor.press("Shift+ArrowRight", "1", "ArrowRight", "ArrowRight", "2", "Enter")
    editor.on_other_sentence(ids[0])
    editor.saved()
    # With this answer or, where the names were gathered only a moment ago, with one of the next.
    queue = "[...__maner.works.values()][0].session.queue"
    editor.page.wait_for_function(f"{queue}.some(item => item.spans.some(span => span.source === 'seen'))")
    again = ids[len(SENTENCES)]  # the same words, on their way to the browser since before they were labelled
    while editor.sentence() != again:
        here = editor.sentence()
        editor.press("s")
        editor.on_other_sentence(here)
    assert editor.entities() == ["PER?: Asha Wangari", "LOC?: Nairobi"]
    expect(editor.page.locator(".entity.known").first).to_contain_text(f"seen in sentence {ids[0]}")
    editor.press("Enter")
    editor.on_other_sentence(again)
    editor.saved()
    row = next(row for row in tool.annotations() if row.sentence_id == again)
    assert row.spans == (Span(0, 2, "PER"), Span(3, 4, "LOC"))
    assert row.names_shown[0] == SuggestedName(0, 2, "PER", NameSource.SEEN, seen_in=ids[0])
    assert row.suggestion_run is None


def test_the_labelling_page_is_also_found_under_its_name(tool: Tool, open_editor: OpenEditor) -> None:
    editor = open_editor(f"{tool.server.url}/annotate").ready()
    expect(editor.page.get_by_role("dialog")).to_have_count(0)
    expect(editor.page).to_have_url(f"{tool.server.url}/?project={tool.project.id}")
