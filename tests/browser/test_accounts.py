"""People with accounts before the real app: the first administrator, a guest, and what signing out ends."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect
from signed_in import sign_in

from annotation import accounts
from annotation.labels import make_labels
from browser import identity_provider
from browser.conftest import OpenEditor
from browser.serving import ROOT, Editor, Server
from storage import NewSentence, ProjectSettings, Role, Store

PASSWORD = "maji ya kunywa"

Open = Callable[..., Editor]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path / 'maner.db'}")
    store.migrate()
    project = store.create_project(ProjectSettings(name="Habari", labels=make_labels(["PER", "LOC"])))
    store.add_sentences(project.id, [NewSentence(("Asha", "yuko", f"Mji{i}")) for i in range(40)], None, "test")
    yield store
    store.close()


@pytest.fixture
def server(store: Store, tmp_path: Path) -> Iterator[Server]:
    environment = {"MANER_HOME": str(tmp_path), "MANER_DATABASE_URL": "", "MANER_WORKER": "0", "MANER_DEMO": "0"}
    server = Server(ROOT / "app.py", {**environment, "MANER_ACCOUNTS": "on"}, tmp_path / "server.log")
    server.start()
    yield server
    server.stop()


def join(page: Page, name: str, words: tuple[str, str, str] = ("Your name", "Choose a password", "Join")) -> None:
    named, password, button = words
    expect(page.get_by_role("button", name=button)).to_be_enabled()
    page.get_by_label(named).fill(name)
    page.get_by_label(password).fill(PASSWORD)
    page.get_by_role("button", name=button).click()


def test_from_the_link_in_the_terminal_to_a_guest_who_labels_and_leaves(
    server: Server, store: Store, open_editor: OpenEditor, tmp_path: Path
) -> None:
    [link] = re.findall(r"http\S+/join#\S+", (tmp_path / "server.log").read_text())
    lead = open_editor(link)
    join(lead.page, "Neema")
    lead.ready()
    assert "#" not in lead.page.url
    lead.page.reload()
    lead.ready()

    lead.page.get_by_role("link", name="People").click()
    lead.page.get_by_role("button", name="Make a link").click()
    code = lead.page.get_by_test_id("stCode")
    expect(code).to_contain_text("/join#")
    invitation = code.inner_text().strip()

    guest = open_editor(invitation, locale="sw-KE", viewport={"width": 390, "height": 800}, color_scheme="dark")
    expect(guest.page.get_by_text("Neema anakualika kwenye mradi Habari kama mweka alama.")).to_be_visible()
    join(guest.page, "Juma", ("Jina lako", "Chagua nenosiri", "Jiunge"))
    guest.ready()
    expect(guest.page.get_by_role("button", name="Hifadhi, inayofuata")).to_be_visible()
    labelled = guest.sentence()
    guest.press("1", "Enter")
    guest.on_other_sentence(labelled)
    guest.saved()
    [project] = store.projects()
    assert store.person(store.account_of("Juma").annotator_id).roles == {project.id: Role.ANNOTATOR}

    # In a second tab they leave: the first one says so and keeps what it cannot send any more.
    second = open_editor(server.url, context=guest.page.context).ready()
    second.page.get_by_role("button", name="Toka").dispatch_event("click")
    expect(second.page.get_by_label("Nenosiri")).to_be_visible()
    guest.press("1", "Enter")
    expect(guest.root.locator(".saved")).to_have_attribute("data-state", "bad")
    guest.page.reload()
    guest.page.get_by_label("Jina lako").fill("juma")
    guest.page.get_by_label("Nenosiri").fill("not the password")
    guest.page.get_by_role("button", name="Ingia").click()
    expect(guest.page.get_by_role("alert")).to_contain_text("do not belong together")
    guest.page.get_by_label("Nenosiri").fill(PASSWORD)
    guest.page.get_by_role("button", name="Ingia").click()
    guest.ready()
    guest.saved()
    assert store.done(project.id, store.account_of("Juma").annotator_id) == 2

    # What is not sent yet is said before they leave.
    guest.page.context.set_offline(True)
    guest.press("1", "Enter")
    guest.unsent(1)
    guest.page.get_by_role("button", name="Toka").dispatch_event("click")
    expect(guest.page.locator(".account.out .error")).to_have_text(re.compile("Bado hazijatumwa .*: 1"))
    expect(guest.page.get_by_role("button", name="Toka hata hivyo")).to_be_attached()
    guest.page.context.set_offline(False)
    guest.saved()

    late = open_editor(invitation, locale="ar-EG")
    expect(late.page.get_by_role("alert")).to_contain_text("used already")
    expect(late.page.locator(".account")).to_have_attribute("dir", "rtl")
    # It is how people come back: it leads to where they sign in.
    late.page.get_by_role("button", name="تسجيل الدخول").click()
    expect(late.page.get_by_label("كلمة المرور")).to_be_visible()
    assert late.page.url.rstrip("/") == server.url


def test_a_name_typed_while_the_link_is_asked_about_stays(
    server: Server, store: Store, open_editor: OpenEditor
) -> None:
    [project] = store.projects()
    lead = sign_in(store, "Lead", Role.LEAD, project.id)
    token, _ = accounts.invite(store, store.person(lead.annotator.id), project.id, Role.ANNOTATOR)
    page = open_editor(server.url).page
    held: list[Route] = []
    page.route("**/api/invitation", lambda route: held.append(route))
    with page.expect_request("**/api/invitation"):
        page.goto(f"{server.url}/join#{token}")
    page.get_by_label("Your name").fill("Juma")
    page.get_by_label("Choose a password").fill(PASSWORD)
    [asked] = held
    asked.continue_()
    expect(page.get_by_role("button", name="Join")).to_be_enabled()
    expect(page.get_by_label("Your name")).to_have_value("Juma")
    expect(page.get_by_label("Choose a password")).to_be_focused()


def test_somebody_signed_in_with_a_project_joins_another_by_a_link(
    server: Server, store: Store, open_editor: OpenEditor
) -> None:
    [project] = store.projects()
    asha = sign_in(store, "Asha", Role.ANNOTATOR, project.id)
    other = store.create_project(ProjectSettings(name="Mahakama", labels=make_labels(["PER"])))
    store.add_sentences(other.id, [NewSentence(("Juma", "alishinda", "kesi"))], None, "test")
    lead = sign_in(store, "Lead", Role.LEAD, other.id)
    token, _ = accounts.invite(store, store.person(lead.annotator.id), other.id, Role.CURATOR)

    editor = open_editor(f"{server.url}/join#{token}", cookie=asha.cookie)
    expect(editor.page.get_by_text("Lead invites you to the project Mahakama as curator.")).to_be_visible()
    editor.page.get_by_role("button", name="Join as Asha").click()
    editor.ready()
    assert store.person(asha.annotator.id).roles == {project.id: Role.ANNOTATOR, other.id: Role.CURATOR}


def test_an_identity_provider_lets_in_whom_a_link_invited(
    server: Server, store: Store, open_editor: OpenEditor, tmp_path: Path
) -> None:
    server.stop()
    [project] = store.projects()
    lead = sign_in(store, "Lead", Role.LEAD, project.id)
    token, _ = accounts.invite(store, store.person(lead.annotator.id), project.id, Role.ANNOTATOR)
    with identity_provider.running() as provider:
        secrets = tmp_path / "secrets.toml"
        secrets.write_text(provider.secrets(server.url))
        server.start(STREAMLIT_SECRETS_FILES=str(secrets))

        page = open_editor(f"{server.url}/join#{token}").page
        expect(page.get_by_label("Choose a password")).to_be_visible()
        page.get_by_role("button", name="Sign in with your organisation").click()
        expect(page.get_by_label("Choose a password")).to_be_hidden()
        expect(page.get_by_label("Your name")).to_have_value("Juma Mwangi")
        page.get_by_role("button", name="Join").click()
        expect(page.locator(".maner")).to_have_attribute("data-state", "ready")
        account = store.account_of("Juma Mwangi")
        assert (account.identity, account.has_password) == (f"{provider.url} 17", False)
        assert store.person(account.annotator_id).roles == {project.id: Role.ANNOTATOR}

        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="Sign in with your organisation").click()
        expect(page.locator(".maner")).to_have_attribute("data-state", "ready")

        provider.subject = "18"
        stranger = open_editor(server.url).page
        stranger.get_by_role("button", name="Sign in with your organisation").click()
        expect(stranger.get_by_role("alert")).to_contain_text("You have no account here yet")
        stranger.get_by_role("button", name="Use another identity").click()
        expect(stranger.get_by_label("Password")).to_be_visible()
        assert len(store.accounts()) == 2
