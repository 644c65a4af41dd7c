"""The People page and one's own page on a real store: inviting, roles, disabling, what happened, language, password."""

import pytest
from argon2 import PasswordHasher
from signed_in import SignedIn, sign_in
from streamlit.testing.v1 import AppTest

from annotation import accounts
from annotation.exporting import ExportOptions, record_export
from annotation.formats import SourceFile
from annotation.importing import import_files
from annotation.labels import make_labels
from annotation.ui import session
from storage import ListedName, NewSentence, Project, ProjectSettings, Role, Store

PASSWORD = "maji ya kunywa"


@pytest.fixture
def store(page_store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("MANER_ACCOUNTS", "on")
    monkeypatch.setattr(accounts, "HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    accounts._nobodys_hash.cache_clear()
    return page_store


@pytest.fixture
def project(store: Store) -> Project:
    project = store.create_project(ProjectSettings(name="Habari", labels=make_labels(("PER", "LOC"))))
    store.add_sentences(project.id, [NewSentence(("Asha", "yuko", "Mjini"))], None, "test")
    return project


@pytest.fixture
def lead(store: Store, project: Project) -> SignedIn:
    return sign_in(store, "Lead", Role.LEAD, project.id)


def opened(monkeypatch: pytest.MonkeyPatch, person: SignedIn, name: str = "people") -> AppTest:
    monkeypatch.setattr(session, "session_cookie", lambda: person.cookie)
    app = AppTest.from_string(f"from annotation.ui import {name}\n{name}.page()", default_timeout=60).run()
    assert not app.exception
    return app


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception
    return app


def test_a_lead_makes_a_link_sees_it_once_and_can_take_it_back(
    store: Store, project: Project, lead: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(monkeypatch, lead)
    app.button_group(key="invite_role").set_value(Role.CURATOR)
    app.text_input(key="invite_name").set_value("Juma")
    press(app, "Make a link")
    [invitation] = store.invitations(project.id)
    assert (invitation.role, invitation.name, invitation.invited_by) == (Role.CURATOR, "Juma", "Lead")
    token = app.code[0].value.partition("/join#")[2]
    assert store.invitation(accounts.hash_of(token)) == invitation
    assert not opened(monkeypatch, lead).code
    press(app, "Withdraw")
    assert store.invitations(project.id) == []


def test_the_page_says_who_works_here_and_how_much(
    store: Store, project: Project, lead: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    juma = sign_in(store, "Juma", Role.ANNOTATOR, project.id)
    store.set_disabled(juma.annotator.id, True)
    table = opened(monkeypatch, lead).dataframe[0].value
    assert table[["Name", "Role", "Account", "Today", "All"]].values.tolist() == [
        ["Juma", "annotator", "disabled", 0, 0],
        ["Lead", "lead", "active", 0, 0],
    ]


def test_a_lead_changes_a_role_and_disables_an_account(
    store: Store, project: Project, lead: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    juma = sign_in(store, "Juma", Role.ANNOTATOR, project.id)
    app = opened(monkeypatch, lead)
    key = f"role_{project.id}_{juma.annotator.id}_annotator"
    app.button_group(key=key).set_value("curator").run()
    assert store.roles(juma.annotator.id) == {project.id: Role.CURATOR}
    assert app.toast[0].value == "Juma is curator in this project."
    press(app, "Disable account")
    assert store.account(juma.annotator.id).disabled
    press(app, "Let sign in again")
    assert not store.account(juma.annotator.id).disabled
    happened = app.dataframe[-1].value
    assert happened["What"].tolist()[:2] == [
        "made Juma curator, before: annotator",
        "made Juma annotator, before: no role",
    ]


def test_the_only_lead_is_told_why_she_stays_it(
    store: Store, project: Project, lead: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(monkeypatch, lead)
    key = f"role_{project.id}_{lead.annotator.id}_lead"
    app.button_group(key=key).set_value("annotator").run()
    assert not app.exception
    assert "nobody else leads this project" in app.toast[0].value
    assert app.button_group(key=key).value == "lead"
    assert store.roles(lead.annotator.id) == {project.id: Role.LEAD}


def test_what_leads_did_with_runs_names_and_snapshots_is_listed(
    store: Store, project: Project, lead: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    by = lead.annotator.id
    run = store.start_run(project.id, 1, {}, 1, 0, 0)
    store.finish_run(run.id, {}, "runs/1", True, "The first run.")
    store.serve_run(run.id, True, by)
    store.serve_run(run.id, False, by)
    store.replace_names(project.id, [ListedName("Asha", "PER")], "names.tsv", by)
    store.create_snapshot(project.id, "=before", by)
    assert opened(monkeypatch, lead).dataframe[-1].value["What"].tolist()[:4] == [
        "made the snapshot =before",
        "replaced the list of names: now 1",
        f"unpinned run {run.id}",
        f"pinned run {run.id}",
    ]


def test_what_came_in_and_what_left_is_listed_and_the_worker_is_no_terminal(
    store: Store, project: Project, lead: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    by = lead.annotator.id
    import_files(store, project.id, [SourceFile("a.txt", b"Asha yuko.\n")], reserve=0, by=by)
    record_export(store, project, ExportOptions(split="train"), by)
    record_export(store, project, ExportOptions("jsonl", frozenset({"labelled", "skipped"})), None)
    store.record(project.id, None, "retrain_refused", why="no labelled sentence has an entity yet")
    events = opened(monkeypatch, lead).dataframe[-1].value
    assert list(zip(events["Who"], events["What"], strict=True))[:4] == [
        ("worker", "no training: no labelled sentence has an entity yet"),
        ("terminal", "exported labelled, skipped sentences (all) as jsonl"),
        ("Lead", "exported labelled sentences (train) as conll"),
        ("Lead", "imported a.txt: 1 new"),
    ]


def test_only_administrators_see_the_whole_installation(
    store: Store, project: Project, lead: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    boss = sign_in(store, "Boss", administrator=True)
    stranger = sign_in(store, "Stranger")
    assert "Stranger" not in str(opened(monkeypatch, lead)._tree)
    app = opened(monkeypatch, boss)
    app.button_group(key="scope").set_value("Whole installation").run()
    assert app.dataframe[0].value["Name"].tolist() == ["Boss", "Lead", "Stranger"]
    app.selectbox(key="person").set_value(stranger.annotator.id).run()
    press(app, "Make administrator")
    assert store.account(stranger.annotator.id).administrator


def test_a_role_that_ended_meanwhile_changes_nobody(
    store: Store, project: Project, lead: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(store, "Juma", Role.ANNOTATOR, project.id)
    app = opened(monkeypatch, lead)
    sign_in(store, "Other lead", Role.LEAD, project.id)
    store.set_role(project.id, lead.annotator.id, Role.CURATOR)
    press(app, "Make a link")
    assert "You may not" in app.error[0].value
    assert store.invitations(project.id) == []


def test_a_person_chooses_a_language(store: Store, lead: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(monkeypatch, lead, "you")
    app.selectbox(key="language").set_value("sw").run()
    assert store.person(lead.annotator.id).language == "sw"
    assert app.selectbox(key="language").label == "Lugha"


def test_a_person_says_what_they_read_where_there_is_a_choice(
    store: Store, project: Project, lead: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not opened(monkeypatch, lead, "you").multiselect
    store.add_sentences(project.id, [NewSentence(("أحمد", "يسكن", "هنا"))], None, "test")
    app = opened(monkeypatch, lead, "you")
    assert app.multiselect(key="reads").options == ["Arabic", "Latin"]
    app.multiselect(key="reads").set_value(["Arabic"]).run()
    assert not app.exception
    assert store.person(lead.annotator.id).reads == ("Arabic",)
    app.multiselect(key="reads").set_value([]).run()
    assert store.person(lead.annotator.id).reads == ()


def test_a_lead_is_told_what_nobody_in_the_project_reads(
    store: Store, project: Project, lead: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add_sentences(project.id, [NewSentence(("أحمد", "يسكن", "هنا"))], None, "test")
    assert not opened(monkeypatch, lead, "data").warning
    store.set_reads(lead.annotator.id, ["Latin"])
    (warning,) = opened(monkeypatch, lead, "data").warning
    assert "Nobody in this project reads Arabic (1 sentence)" in warning.value


def test_a_person_changes_their_password(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    asha = accounts.create_account(store, "Asha", PASSWORD)
    here = SignedIn(store.annotator("Asha"), accounts.start_session(store, asha.annotator_id))
    elsewhere = accounts.start_session(store, asha.annotator_id)
    app = opened(monkeypatch, here, "you")
    old, new = app.text_input
    old.set_value("not the password")
    new.set_value("chai na mandazi")
    press(app, "Change password")
    assert "not right" in app.error[0].value
    old, new = app.text_input
    old.set_value(PASSWORD)
    new.set_value("chai na mandazi")
    press(app, "Change password")
    assert "is changed" in app.success[0].value
    assert accounts.session_person(store, accounts.hash_of(elsewhere)) is None
    assert accounts.sign_in(store, "Asha", "chai na mandazi", "here")


def test_a_person_signs_out_everywhere_else(store: Store, lead: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = accounts.start_session(store, lead.annotator.id)
    app = press(opened(monkeypatch, lead, "you"), "Sign out everywhere else")
    assert "1 other browser" in app.toast[0].value
    assert accounts.session_person(store, accounts.hash_of(elsewhere)) is None
    assert accounts.session_person(store, lead.session) is not None
