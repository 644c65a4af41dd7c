"""The real app and a real browser while the network, the tab or the clock fails: what was finished is saved once."""

import contextlib
from collections.abc import Iterator

import pytest
from cut_proxy import CutProxy
from playwright.sync_api import Error, expect

from browser.conftest import FakeServer, OpenEditor, Tool
from browser.serving import Editor


@pytest.fixture
def network(tool: Tool) -> Iterator[CutProxy]:
    """The way to the app."""
    network = CutProxy(tool.server.port)
    yield network
    network.stop()


@pytest.fixture
def editor(network: CutProxy, open_editor: OpenEditor) -> Editor:
    return open_editor(network.url).ready()


def finish(editor: Editor, count: int) -> list[int]:
    """Label the first word of so many sentences; their ids."""
    done = []
    for _ in range(count):
        done.append(editor.sentence())
        editor.press("1", "Enter")
        editor.on_other_sentence(done[-1])
    return done


def saved(tool: Tool) -> list[int]:
    """The sentences of all annotations, once for each row."""
    return sorted(annotation.sentence_id for annotation in tool.annotations())


def test_a_cut_between_browser_and_server_loses_and_doubles_nothing(
    editor: Editor, network: CutProxy, tool: Tool
) -> None:
    done = finish(editor, 2)
    editor.saved()
    network.become("cut")
    done += finish(editor, 3)
    expect(editor.root).to_have_attribute("data-connection", "offline")
    expect(editor.page.locator(".notices")).to_contain_text("Go on: your work is kept")
    network.become("open")
    editor.saved()
    assert saved(tool) == sorted(done)
    network.become("deaf")  # what is sent arrives, and nobody hears of it
    done += finish(editor, 2)
    editor.unsent(2)
    expect(editor.root).to_have_attribute("data-connection", "offline")
    assert set(saved(tool)) >= set(done[:-1])
    network.become("open")
    editor.saved()
    assert saved(tool) == sorted(done)


def test_a_tab_that_dies_leaves_its_work_to_the_next(
    editor: Editor, network: CutProxy, tool: Tool, open_editor: OpenEditor
) -> None:
    network.become("cut")
    done = finish(editor, 3)
    context = editor.page.context
    with editor.page.expect_event("crash"), contextlib.suppress(Error):  # it dies before it answers
        editor.page.goto("chrome://crash", timeout=5_000)
    network.become("open")
    other = open_editor(network.url, context=context).ready()
    other.saved()
    assert saved(tool) == sorted(done)


COUNT_JOURNAL = """
() => new Promise((resolve, reject) => {
  const opening = indexedDB.open("maner", 1);
  opening.onerror = () => reject(opening.error);
  opening.onsuccess = () => {
    const counting = opening.result.transaction("outbox").objectStore("outbox").count();
    counting.onsuccess = () => resolve(counting.result);
    counting.onerror = () => reject(counting.error);
  };
})
"""


def test_what_a_killed_browser_had_not_put_on_the_disk_is_in_the_journal(
    plain: FakeServer, open_editor: OpenEditor
) -> None:
    editor = open_editor(plain.url).ready()
    plain.set(fail=503)
    done = finish(editor, 3)
    editor.unsent(3)
    context = editor.page.context
    # Counting waits for what is being written. A browser that dies within these milliseconds does lose the last one.
    assert editor.page.evaluate(COUNT_JOURNAL) == 3
    editor.page.evaluate("localStorage.clear()")  # as if it had died with the browser
    editor.page.close()
    plain.set(fail=0)
    other = open_editor(plain.url, context=context).ready()
    done += finish(other, 1)  # it goes with what was found
    other.saved()
    assert sorted(annotation["sentence"] for annotation in plain.saved()) == sorted(done)


SLOW_JOURNAL = """
const getAll = IDBObjectStore.prototype.getAll;
IDBObjectStore.prototype.getAll = function (...range) {
  const found = getAll.apply(this, range), late = {};
  window.tellJournal = () => (late.result = found.result, late.onsuccess());
  return late;
};
"""


def test_what_was_saved_before_the_journal_was_read_does_not_wait_again(
    plain: FakeServer, open_editor: OpenEditor
) -> None:
    editor = open_editor(plain.url).ready()
    plain.set(fail=503)
    finish(editor, 1)
    editor.unsent(1)
    editor.page.add_init_script(SLOW_JOURNAL)
    editor.page.reload()
    editor.ready().unsent(1)
    plain.set(fail=0)  # only now: the page before must not be the one that sends it
    editor.saved()
    plain.set(fail=503)
    editor.page.evaluate("tellJournal()")
    finish(editor, 1)
    editor.unsent(1)


def test_a_page_of_the_release_before_says_reload_and_its_work_is_sent_by_the_new_one(
    plain: FakeServer, open_editor: OpenEditor
) -> None:
    plain.set(fail=426)
    editor = open_editor(plain.url)
    expect(editor.root).to_have_attribute("data-connection", "outdated")
    plain.set(fail=0)
    editor.ready()
    plain.set(fail=426)
    done = finish(editor, 2)
    expect(editor.page.locator(".notices")).to_contain_text("Reload the page; your work is kept. Not sent yet: 2.")
    plain.set(fail=0)
    editor.page.reload()
    editor.saved()
    assert [annotation["sentence"] for annotation in plain.saved()] == done


def test_a_full_disk_is_said_and_the_work_kept_until_there_is_room(plain: FakeServer, open_editor: OpenEditor) -> None:
    editor = open_editor(plain.url).ready()
    plain.set(fail=507)
    done = finish(editor, 2)
    expect(editor.page.locator(".notices")).to_contain_text("The disk of the server is full. Your work is kept")
    expect(editor.page.locator(".notices")).to_contain_text("tell your project lead")
    plain.set(fail=0)
    editor.saved()
    assert [annotation["sentence"] for annotation in plain.saved()] == done


@pytest.mark.parametrize("hours", [-24 * 365, 24 * 365])
def test_work_of_a_closed_tab_is_found_though_the_clock_jumped(
    plain: FakeServer, open_editor: OpenEditor, hours: int
) -> None:
    editor = open_editor(plain.url).ready()
    plain.set(fail=503)
    done = finish(editor, 2)
    context = editor.page.context
    editor.page.close()
    plain.set(fail=0)
    context.add_init_script(f"const now = Date.now; Date.now = () => now() + {hours} * 3600_000")
    other = open_editor(plain.url, context=context).ready()
    done += finish(other, 1)
    other.saved()
    assert sorted(annotation["sentence"] for annotation in plain.saved()) == sorted(done)
