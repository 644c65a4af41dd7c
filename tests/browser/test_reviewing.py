"""Deciding by keyboard on the Review page, and a sentence that goes back to who annotated it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from playwright.sync_api import Page, expect

from browser.conftest import SENTENCES, OpenEditor, Tool
from browser.serving import Editor
from maner_core.spans import Span
from storage import AnnotationDraft, Case, DecisionDraft, DecisionKind, Split, Status


def annotate(tool: Tool, name: str, sentence_id: int, *spans: Span, **fields: Any) -> str:
    """An annotation by somebody else than who reviews; its id."""
    values: dict[str, Any] = {"status": Status.LABELLED, "comment": "", **fields}
    made = AnnotationDraft(
        id=f"{name}-{sentence_id}",
        sentence_id=sentence_id,
        spans=spans,
        milliseconds=10,
        client_time=datetime.now(UTC),
        suggestion_run=None,
        supersedes=None,
        **values,
    )
    _, refused = tool.store.save_annotations(tool.project.id, tool.store.annotator(name).id, [made])
    assert not refused
    return made.id


def shows(page: Page, sentence_id: int) -> None:
    expect(page.locator(".review")).to_have_attribute("data-sentence", str(sentence_id))


def test_versions_side_by_side_are_taken_edited_sent_back_and_taken_back_by_key(
    tool: Tool, open_editor: OpenEditor
) -> None:
    ids = [sentence.id for sentence in tool.store.sentences(tool.project.id, Split.POOL)]
    flagged, disputed, back = ids[0], ids[1], ids[1 + len(SENTENCES)]
    annotate(tool, "Baraka", flagged, Span(0, 1, "PER"), status=Status.FLAGGED, comment="<b>all of it?</b>")
    for sentence_id in (disputed, back):
        annotate(tool, "Baraka", sentence_id, Span(2, 3, "ORG"))
        annotate(tool, "Chiku", sentence_id, Span(2, 3, "PER"), Span(6, 7, "LOC"))
    page = open_editor(f"{tool.server.url}/review").page

    def case(sentence_id: int) -> Case:
        [found] = tool.store.cases(tool.project.id, [sentence_id])
        return found

    shows(page, flagged)
    expect(page.locator(".reason")).to_have_text("Flagged by Baraka: <b>all of it?</b>")
    page.keyboard.press("e")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("1")
    page.locator(".draft .entity .remove").click()
    expect(page.locator(".draft .entity")).to_have_count(0)
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    shows(page, disputed)
    decided = case(flagged).gold
    assert decided is not None
    assert (decided.spans, decided.status) == ((Span(0, 2, "PER"),), Status.LABELLED)

    expect(page.locator(".version")).to_have_count(2)
    expect(page.locator(".entity.different")).to_have_count(3)
    expect(page.locator(".version").first.locator(".word.missing")).to_have_text(["Kisumu"])
    page.keyboard.press("b")
    shows(page, back)
    taken = case(disputed).gold
    assert taken is not None
    assert taken.spans == (Span(2, 3, "PER"), Span(6, 7, "LOC"))
    page.keyboard.press("u")
    shows(page, disputed)
    assert case(disputed).decision is None

    page.keyboard.press("r")
    expect(page.locator(".notice")).to_contain_text("Say what is to be done")
    page.keyboard.type("Safaricom is a company")
    page.keyboard.press("Enter")
    shows(page, back)
    annotators = [tool.store.annotator(name).id for name in ("Baraka", "Chiku")]
    assert [len(tool.store.sent_back(tool.project.id, annotator)) for annotator in annotators] == [1, 1]


def test_what_was_sent_back_comes_first_with_the_comment_and_what_was_marked(
    tool: Tool, open_tool: Callable[..., Editor]
) -> None:
    editor = open_tool().ready()
    done = editor.sentence()
    editor.press("1", "Enter")
    editor.on_other_sentence(done)
    editor.saved()
    [case] = tool.store.cases(tool.project.id, [done])
    decide_to_send_back(tool, case)
    editor.page.reload()
    expect(editor.root).to_have_attribute("data-state", "ready")
    # The sentence on the screen stays there; the one that came back is next.
    if editor.sentence() != done:
        editor.press("s")
    expect(editor.root).to_have_attribute("data-sentence", str(done))
    expect(editor.root.locator(".reason.note")).to_have_text("Chiku sends this back to you: look again")
    assert len(editor.entities()) == 1
    editor.press("Enter")
    editor.on_other_sentence(done)
    editor.saved()
    assert tool.store.sent_back(tool.project.id, tool.annotator.id) == []
    first, second = tool.store.history(tool.project.id, done).annotations
    assert second.supersedes == first.id


def decide_to_send_back(tool: Tool, case: Case) -> None:
    draft = DecisionDraft(
        case.sentence.id,
        DecisionKind.SEND_BACK,
        tuple(annotation.id for annotation in case.annotations),
        comment="look again",
        seen_annotation=case.seen_annotation,
        seen_decision=case.seen_decision,
    )
    tool.store.decide(tool.project.id, tool.store.annotator("Chiku").id, draft)
