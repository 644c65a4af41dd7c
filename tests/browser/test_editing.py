"""Spans by keyboard, mouse and touch, before a stand-in for the server."""

import pytest
from playwright.sync_api import expect

from browser.conftest import FakeServer, OpenEditor, StartFake
from browser.serving import Editor

QUEUE = "[...__maner.works.values()][0].session.queue"
ARABIC = "أعلنت منظمة الصحة العالمية في جنيف عن خطة"


@pytest.fixture
def editor(plain: FakeServer, open_editor: OpenEditor) -> Editor:
    return open_editor(plain.url).ready()


def last_saved(server: FakeServer, editor: Editor) -> dict[str, object]:
    """Accept the open sentence; the annotation the server got."""
    before = editor.sentence()
    editor.press("Enter")
    editor.on_other_sentence(before)
    editor.saved()
    return server.saved()[-1]


def test_arrows_move_by_words_and_shift_extends(editor: Editor) -> None:
    assert editor.selected() == "Asha"
    editor.press("ArrowRight", "ArrowRight")
    assert editor.selected() == "anaishi"
    editor.press("Shift+ArrowRight")
    assert editor.selected() == "anaishi Nairobi"
    editor.press("Shift+Home")
    assert editor.selected() == "Asha Wangari anaishi"
    editor.press("End")
    assert editor.selected() == "."
    editor.press("Shift+ArrowLeft", "ArrowLeft")
    assert editor.selected() == "anaishi"


def test_up_and_down_go_from_entity_to_entity(editor: Editor) -> None:
    editor.press("Shift+ArrowRight", "1", "End", "ArrowLeft", "2")
    editor.press("Home", "ArrowDown")
    assert editor.selected() == "Nairobi"
    editor.press("ArrowUp")
    assert editor.selected() == "Asha Wangari"


def test_a_label_replaces_the_entities_it_overlaps(editor: Editor) -> None:
    editor.press("Shift+ArrowRight", "1", "ArrowRight", "3", "ArrowLeft", "Shift+ArrowRight", "2")
    assert editor.entities() == ["LOC: Wangari anaishi"]


def test_clear_undo_and_redo(editor: Editor) -> None:
    editor.press("1", "Backspace")
    assert editor.entities() == []
    editor.press("Control+z")
    assert editor.entities() == ["PER: Asha"]
    editor.press("u")
    assert editor.entities() == []
    editor.press("Control+Shift+Z", "Shift+U")
    assert editor.entities() == []
    editor.press("u", "x")
    assert editor.entities() == []


def test_browser_shortcuts_are_left_alone(editor: Editor) -> None:
    open_sentence = editor.sentence()
    editor.press("Control+1", "Alt+s", "Control+ArrowRight")
    assert editor.selected() == "Asha"
    assert editor.entities() == []
    assert editor.sentence() == open_sentence


def test_the_keys_of_streamlit_do_nothing_here(editor: Editor) -> None:
    editor.press("r", "c", "f")
    editor.page.keyboard.type("rc")
    expect(editor.page.locator("#comment")).to_have_value("rc")
    expect(editor.page.get_by_role("dialog")).to_have_count(0)
    editor.press("Escape")
    expect(editor.page.locator("#comment")).to_be_hidden()
    editor.press("c")
    expect(editor.page.get_by_role("dialog")).to_have_count(0)
    expect(editor.page.locator(".sentence")).to_be_focused()


def test_other_widgets_keep_their_keys(editor: Editor) -> None:
    open_sentence = editor.sentence()
    box = editor.page.get_by_label("Something else")
    box.click()
    editor.page.keyboard.type("1s2u")
    expect(box).to_have_value("1s2u")
    assert editor.sentence() == open_sentence
    assert editor.entities() == []


def test_a_held_enter_saves_one_sentence(editor: Editor, plain: FakeServer) -> None:
    editor.page.keyboard.down("Enter")
    editor.page.keyboard.down("Enter")
    editor.page.keyboard.down("Enter")
    editor.page.keyboard.up("Enter")
    editor.saved()
    assert len(plain.saved()) == 1


def test_drag_shift_click_and_the_little_cross(editor: Editor) -> None:
    editor.word(0).hover()
    editor.page.mouse.down()
    editor.word(1).hover()
    editor.page.mouse.up()
    assert editor.selected() == "Asha Wangari"
    editor.page.get_by_role("button", name="PER").click()
    assert editor.entities() == ["PER: Asha Wangari"]
    editor.word(2).click()
    editor.word(3).click(modifiers=["Shift"])
    assert editor.selected() == "anaishi Nairobi"
    editor.word(1).click()
    assert editor.selected() == "Asha Wangari"
    editor.page.locator(".remove").click()
    assert editor.entities() == []


def test_touch_labels_a_phrase_at_phone_width(plain: FakeServer, open_editor: OpenEditor) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    editor = open_editor(plain.url, **phone).ready()
    editor.word(0).tap()
    editor.word(1).tap()
    editor.page.get_by_role("button", name="PER").tap()
    editor.word(3).tap()
    editor.page.get_by_role("button", name="LOC").tap()
    assert editor.entities() == ["PER: Asha Wangari", "LOC: Nairobi"]
    first = editor.sentence()
    editor.page.get_by_role("button", name="Save and next").tap()
    editor.on_other_sentence(first)
    editor.saved()
    assert plain.saved()[0]["spans"] == [[0, 2, "PER"], [3, 4, "LOC"]]
    width = editor.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390


def test_a_suggestion_is_a_suggestion_until_a_person_takes_it(fake: StartFake, open_editor: OpenEditor) -> None:
    suggested = {
        "tokens": ["Asha", "Wangari", "anaishi", "Nairobi"],
        "suggestions": [[0, 2, "PER", 0.814], [3, 4, "LOC", 0.42]],
    }
    server = fake([suggested, suggested])
    editor = open_editor(server.url).ready()
    assert editor.entities() == ["PER?: Asha Wangari", "LOC?: Nairobi"]
    assert editor.page.locator(".confidence").all_inner_texts() == ["81 %", "42 %"]
    assert last_saved(server, editor)["spans"] == [[0, 2, "PER"], [3, 4, "LOC"]]
    editor.press("1")  # the same label by hand: now it is the person's
    assert editor.entities() == ["PER: Asha Wangari", "LOC?: Nairobi"]
    editor.press("ArrowDown", "x")
    saved = last_saved(server, editor)
    assert saved["spans"] == [[0, 2, "PER"]]
    assert saved["run"] == 1


def test_a_known_name_says_where_it_comes_from(fake: StartFake, open_editor: OpenEditor) -> None:
    names = [[0, 1, "PER", "list", None], [2, 3, "LOC", "seen", 17]]
    server = fake([{"tokens": ["Asha", "yuko", "Mombasani"], "names": names}, {"tokens": ["Hapana"]}])
    editor = open_editor(server.url).ready()
    assert editor.entities() == ["PER?: Asha", "LOC?: Mombasani"]
    marks = editor.page.locator(".entity.known .confidence")
    expect(marks).to_have_text(["from the name list", "seen in sentence 17"])
    expect(editor.page.locator(".entity").last).to_have_attribute("aria-label", "LOC, suggested, seen in sentence 17")
    editor.press("1")
    expect(marks).to_have_text(["seen in sentence 17"])
    saved = last_saved(server, editor)
    assert saved["spans"] == [[0, 1, "PER"], [2, 3, "LOC"]]
    assert (saved["run"], saved["names"]) == (None, names)
    assert last_saved(server, editor)["names"] == []


def test_a_new_run_suggests_in_sentences_held_but_never_on_the_screen(editor: Editor, plain: FakeServer) -> None:
    first = editor.sentence()
    editor.press("Enter")
    editor.on_other_sentence(first)
    editor.saved()
    plain.set(run=2, suggests=[[1, 2, "LOC", 0.9]])
    seen = editor.sentence()
    editor.page.wait_for_function(f"{QUEUE}.every(item => item.sentence.run === 2)")
    assert editor.entities() == []  # what is on the screen stays as it is
    editor.press("Enter")
    editor.on_other_sentence(seen)
    assert editor.entities() == ["LOC?: walirudi"]
    plain.set(run=3, suggests=[])
    editor.page.wait_for_function(f"{QUEUE}.every(item => item.sentence.run === 3)")
    editor.press("u", "u", "1")  # and so does what was on it before
    expect(editor.root).to_have_attribute("data-sentence", str(first))
    assert last_saved(plain, editor)["run"] is None


def test_a_suggested_label_that_the_project_has_not_is_left_out(fake: StartFake, open_editor: OpenEditor) -> None:
    server = fake([{"tokens": ["Asha", "anaishi"], "suggestions": [[0, 1, "GONE", 0.9]]}])
    assert open_editor(server.url).ready().entities() == []


def test_arrows_follow_the_eye_in_a_right_to_left_sentence(fake: StartFake, open_editor: OpenEditor) -> None:
    server = fake(
        [{"tokens": ARABIC.split()}, {"tokens": ["Asha", "anaishi"]}, {"tokens": ["1", "2"], "direction": "rtl"}]
    )
    editor = open_editor(server.url).ready()
    expect(editor.page.locator(".sentence")).to_have_attribute("dir", "rtl")
    first, second = editor.word(0).bounding_box(), editor.word(1).bounding_box()
    assert first is not None
    assert second is not None
    assert second["x"] < first["x"]
    editor.press("ArrowLeft", "Shift+ArrowLeft")
    assert editor.selected() == " ".join(ARABIC.split()[1:3])
    editor.press("3")
    assert last_saved(server, editor)["spans"] == [[1, 3, "ORG"]]
    expect(editor.page.locator(".sentence")).to_have_attribute("dir", "ltr")
    editor.press("Enter")
    expect(editor.page.locator(".sentence")).to_have_attribute("dir", "rtl")


def test_text_with_markup_is_text(fake: StartFake, open_editor: OpenEditor) -> None:
    evil = ["<img", "src=x", "onerror=window.hacked=1>", "<b>Asha</b>", "&amp;", "e\u0301", "\u202eevil", "👩🏽‍🚀"]
    label = {"name": "<i>X</i>", "color": "#ffe600", "key": "1", "description": "<script>"}
    server = fake([{"tokens": evil, "reason": "<u>why</u>", "document": "<s>d</s>"}], labels=[label])
    editor = open_editor(server.url).ready()
    assert editor.page.locator(".word").all_inner_texts() == evil
    editor.press("1", "?")
    assert editor.page.locator("img, i:not(:empty), u, s, script[src='x']").count() == 0
    assert editor.page.evaluate("window.hacked") is None


def test_spaces_are_drawn_where_the_text_has_them(fake: StartFake, open_editor: OpenEditor) -> None:
    server = fake([{"tokens": ["Asha", ",", "njoo", "!"], "spaces": [False, True, False, False]}])
    editor = open_editor(server.url).ready()
    assert editor.page.locator(".sentence").inner_text() == "Asha, njoo!"


def test_more_than_nine_labels_and_foreign_keyboards(fake: StartFake, open_editor: OpenEditor) -> None:
    keys = "123456789abde"
    labels = [{"name": f"L{key}", "color": "#4477AA", "key": key, "description": ""} for key in keys]
    server = fake([{"tokens": ["Asha", "anaishi"]}], labels=labels)
    editor = open_editor(server.url).ready()
    expect(editor.page.locator(".chip")).to_have_count(13)
    editor.press("d")
    assert editor.entities() == ["Ld: Asha"]
    editor.page.locator(".sentence").dispatch_event(
        "keydown", {"key": "ش", "code": "KeyA", "bubbles": True, "composed": True}
    )
    assert editor.entities() == ["La: Asha"]


def test_a_sentence_of_2400_words_stays_usable(fake: StartFake, open_editor: OpenEditor) -> None:
    words = [f"neno{i}" for i in range(2400)]
    suggestions = [[i, i + 2, "PER", 0.7] for i in range(0, 2380, 20)]
    editor = open_editor(fake([{"tokens": words, "suggestions": suggestions}]).url).ready()
    expect(editor.page.locator(".word")).to_have_count(2400)
    editor.press("End", "Shift+ArrowLeft", "2")
    assert editor.entities()[-1] == "LOC: neno2398 neno2399"
    expect(editor.word(2399)).to_be_in_viewport()
    expect(editor.page.get_by_role("button", name="Save and next")).to_be_in_viewport()
    editor.press("Home")
    expect(editor.word(0)).to_be_in_viewport()


def test_what_a_screen_reader_needs_is_there(editor: Editor) -> None:
    sentence = editor.page.get_by_role("listbox")
    expect(sentence).to_have_attribute("aria-activedescendant", "word-0")
    expect(editor.word(0)).to_have_attribute("aria-selected", "true")
    editor.press("1")
    expect(editor.page.locator(".spoken")).to_have_text("PER: Asha")
    expect(editor.page.get_by_role("group", name="PER")).to_be_visible()
    expect(editor.page.get_by_role("button", name="PER")).to_have_attribute("aria-pressed", "true")
    editor.press("Enter")
    expect(editor.page.locator(".spoken")).to_contain_text("Accepted. Next: ")
    expect(editor.page.get_by_role("status")).to_have_text("All saved")


def test_the_help_lists_all_keys(editor: Editor) -> None:
    editor.press("?")
    panel = editor.page.locator(".help")
    for text in ("save and go on", "skip this sentence", "redo", "ORG"):
        expect(panel).to_contain_text(text)
    editor.press("Escape")
    expect(panel).to_be_hidden()


def test_enter_finishes_no_sentence_that_the_help_covers(editor: Editor) -> None:
    covered = editor.sentence()
    editor.press("?", "Enter")
    expect(editor.page.locator(".help")).to_be_hidden()
    assert editor.sentence() == covered


def test_every_key_press_leaves_a_measure(editor: Editor) -> None:
    editor.press("ArrowRight")
    editor.page.wait_for_function("performance.getEntriesByName('maner:key-to-paint').length === 1")


def test_a_drag_beside_the_words_takes_those_it_passes(editor: Editor) -> None:
    box, last = editor.page.locator(".sentence").bounding_box(), editor.word(4).bounding_box()
    assert box is not None
    assert last is not None
    editor.word(2).hover()
    editor.page.mouse.down()
    editor.page.mouse.move(box["x"] + box["width"] + 40, last["y"] + 5)
    editor.page.mouse.up()
    assert editor.selected() == "anaishi Nairobi ."
    editor.word(1).hover()
    editor.page.mouse.down()
    editor.page.mouse.move(box["x"] - 40, box["y"] - 40)
    editor.page.mouse.up()
    assert editor.selected() == "Asha Wangari"


def test_a_click_on_the_tag_selects_the_entity(editor: Editor) -> None:
    editor.press("Shift+ArrowRight", "1", "End")
    editor.page.locator(".tag b").click()
    assert editor.selected() == "Asha Wangari"


def test_the_selected_words_are_copied(editor: Editor) -> None:
    editor.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    editor.press("Shift+ArrowRight", "Control+c")
    expect(editor.page.locator(".spoken")).to_have_text("Copied")
    assert editor.page.evaluate("navigator.clipboard.readText()") == "Asha Wangari"


def test_a_second_tap_takes_one_word_of_an_entity(plain: FakeServer, open_editor: OpenEditor) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    editor = open_editor(plain.url, **phone).ready()
    editor.press("Shift+ArrowRight", "1")
    editor.word(1).tap()
    assert editor.selected() == "Asha Wangari"
    editor.word(1).tap()
    assert editor.selected() == "Wangari"


def test_on_a_phone_a_new_sentence_begins_on_the_screen_and_keys_take_the_page_along(
    fake: StartFake, open_editor: OpenEditor
) -> None:
    words = [f"neno{i}" for i in range(200)]
    server = fake([{"tokens": words}, {"tokens": words}])
    phone = {"viewport": {"width": 390, "height": 700}, "has_touch": True, "is_mobile": True}
    editor = open_editor(server.url, **phone).ready()
    first = editor.sentence()
    editor.press("End")
    expect(editor.word(199)).to_be_in_viewport()
    editor.page.get_by_role("button", name="Save and next").tap()
    editor.on_other_sentence(first)
    expect(editor.word(0)).to_be_in_viewport()


def test_on_a_phone_nothing_covers_the_comment_and_its_button(plain: FakeServer, open_editor: OpenEditor) -> None:
    phone = {"viewport": {"width": 390, "height": 500}, "has_touch": True, "is_mobile": True}
    editor = open_editor(plain.url, **phone).ready()
    first = editor.sentence()
    editor.page.get_by_role("button", name="Flag", exact=True).tap()
    editor.page.keyboard.type("why?")
    editor.page.locator(".comment .primary").tap(trial=False)
    editor.on_other_sentence(first)
    editor.saved()
    assert plain.saved()[0]["comment"] == "why?"
