"""Back to sentences done before, and on again: looking changes nothing, and what is begun waits."""

from playwright.sync_api import expect

from browser.conftest import FakeServer, OpenEditor, StartFake, Tool
from browser.serving import Editor
from storage import Status

FLAG = "#comment"


def go_on(editor: Editor, *keys: str) -> int:
    """Press keys that finish the open sentence; its id."""
    before = editor.sentence()
    editor.press(*keys)
    editor.on_other_sentence(before)
    return before


def test_going_back_takes_no_label_off_and_going_on_saves_nothing_new(
    plain: FakeServer, open_editor: OpenEditor
) -> None:
    editor = open_editor(plain.url).ready()
    first = go_on(editor, "1", "ArrowRight", "2", "Enter")
    second = go_on(editor, "3", "Enter")
    editor.press("u", "u")
    assert editor.sentence() == first
    assert editor.entities() == ["PER: Asha", "LOC: Wangari"]
    assert go_on(editor, "Enter") == first
    assert go_on(editor, "Enter") == second
    editor.saved()
    assert [len(saved["spans"]) for saved in plain.saved()] == [2, 1]


def test_an_edit_of_a_sentence_opened_again_is_undone_before_the_one_before_it_opens(
    plain: FakeServer, open_editor: OpenEditor
) -> None:
    editor = open_editor(plain.url).ready()
    first = go_on(editor, "1", "Enter")
    second = go_on(editor, "3", "Enter")
    editor.press("u", "ArrowRight", "2", "u")
    assert (editor.sentence(), editor.entities()) == (second, ["ORG: Kampuni"])
    editor.press("u")
    assert editor.sentence() == first


def test_what_is_begun_waits_while_somebody_looks_back_also_over_a_reload(
    plain: FakeServer, open_editor: OpenEditor
) -> None:
    editor = open_editor(plain.url).ready()
    first = go_on(editor, "1", "Enter")
    begun = editor.sentence()
    editor.press("2", "p")
    assert (editor.sentence(), editor.entities()) == (first, ["PER: Asha"])
    editor.saved()
    editor.page.reload()
    editor.ready()
    assert editor.sentence() == first
    go_on(editor, "Enter")
    assert (editor.sentence(), editor.entities()) == (begun, ["LOC: Kampuni"])
    editor.press("u")
    assert editor.entities() == []


def test_the_button_goes_back_and_is_off_where_there_is_nothing_before(
    plain: FakeServer, open_editor: OpenEditor
) -> None:
    editor = open_editor(plain.url).ready()
    previous = editor.page.get_by_role("button", name="Previous")
    expect(previous).to_be_disabled()
    first = go_on(editor, "1", "Enter")
    previous.click()
    assert editor.sentence() == first
    expect(previous).to_be_disabled()
    editor.press("p")
    expect(editor.page.locator(".spoken")).to_have_text("There is no sentence before this one")


def test_a_skip_stays_one_until_it_is_taken_back(plain: FakeServer, open_editor: OpenEditor) -> None:
    editor = open_editor(plain.url).ready()
    skipped = go_on(editor, "Shift+S")
    editor.press("p")
    expect(editor.page.locator(".reason")).to_have_text(
        "You skipped this one. “Clear” takes that back; going on leaves it so."
    )
    go_on(editor, "Enter")
    editor.press("p", "x", "u")
    go_on(editor, "Enter")
    editor.saved()
    assert [(saved["sentence"], saved["status"]) for saved in plain.saved()] == [(skipped, "skipped")]
    editor.press("p", "x")
    expect(editor.page.locator(".reason")).to_have_text("You have done this one. Going on saves only what you change.")
    editor.press("Shift+U")
    assert editor.sentence() == skipped  # no going on past what is not saved
    go_on(editor, "Enter")
    editor.saved()
    assert [(saved["status"], saved["spans"]) for saved in plain.saved()] == [("skipped", []), ("labelled", [])]


def test_a_flag_stays_with_its_comment_until_something_changes(plain: FakeServer, open_editor: OpenEditor) -> None:
    editor = open_editor(plain.url).ready()
    editor.press("f")
    editor.page.keyboard.type("who?")
    flagged = go_on(editor, "Enter")
    editor.press("p")
    expect(editor.page.locator(".reason")).to_contain_text("You flagged this one. “who?”")
    go_on(editor, "Enter")
    editor.press("p", "1")
    go_on(editor, "Enter")
    editor.saved()
    made = [(saved["sentence"], saved["status"], saved["comment"]) for saved in plain.saved()]
    assert made == [(flagged, "flagged", "who?"), (flagged, "labelled", "")]


def test_what_was_written_is_sent_where_somebody_labels_and_goes_on(plain: FakeServer, open_editor: OpenEditor) -> None:
    editor = open_editor(plain.url).ready()
    editor.press("f")
    editor.page.keyboard.type("not sure")
    editor.word(1).click()
    editor.press("2")
    expect(editor.page.locator(".actions .primary")).to_contain_text("Flag and go on")
    go_on(editor, "Enter")
    expect(editor.page.locator(".actions .primary")).to_contain_text("Save and next")
    editor.saved()
    [saved] = plain.saved()
    assert (saved["status"], saved["comment"], saved["spans"]) == ("flagged", "not sure", [[1, 2, "LOC"]])


def test_what_was_written_is_there_again_after_escape_a_reload_and_a_look_back(
    plain: FakeServer, open_editor: OpenEditor
) -> None:
    editor = open_editor(plain.url).ready()
    go_on(editor, "Enter")
    begun = editor.sentence()
    comment = editor.page.locator(FLAG)
    editor.press("f")
    editor.page.keyboard.type("not sure")
    editor.press("Escape")
    expect(comment).to_be_hidden()
    editor.press("f")
    expect(comment).to_have_value("not sure")
    editor.saved()
    editor.page.reload()
    expect(comment).to_have_value("not sure")
    editor.page.get_by_role("button", name="Previous").click()
    expect(comment).to_be_hidden()
    go_on(editor, "Enter")
    assert editor.sentence() == begun
    expect(comment).to_have_value("not sure")
    editor.page.get_by_role("button", name="Cancel").click()
    go_on(editor, "Enter")
    editor.saved()
    assert [saved["status"] for saved in plain.saved()] == ["labelled", "labelled"]


def test_a_new_tab_goes_back_to_what_was_done_in_another_one(tool: Tool, open_tool: OpenEditor) -> None:
    editor = open_tool().ready()
    skipped = go_on(editor, "s")
    labelled = go_on(editor, "1", "ArrowRight", "2", "Enter")
    editor.saved()
    other = open_tool().ready()
    other.press("p")
    assert other.sentence() == labelled
    assert [entity.split(":")[0] for entity in other.entities()] == ["PER", "LOC"]
    other.press("p")
    assert other.sentence() == skipped
    expect(other.page.locator(".reason")).to_contain_text("You skipped this one.")
    go_on(other, "Enter")
    go_on(other, "3", "Enter")
    other.saved()
    rows = {row.sentence_id: row for row in tool.annotations()}
    assert rows[skipped].status is Status.SKIPPED
    assert [span.label for span in rows[labelled].spans] == ["ORG", "LOC"]
    assert rows[labelled].supersedes is not None


def test_without_a_server_nobody_else_is_to_blame_for_an_empty_page(fake: StartFake, open_editor: OpenEditor) -> None:
    server = fake([{"tokens": ["Asha"]}], status={"left": 7})
    editor = open_editor(server.url).ready()
    server.set(fail=503)
    editor.press("Enter")
    expect(editor.page.locator(".empty strong")).to_have_text("No more sentences here for now")
