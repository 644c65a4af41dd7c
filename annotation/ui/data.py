"""Sentences in, labelled sentences out: import with its report, counts of what is what, export."""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlencode

import pandas as pd
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from annotation.exporting import MIXED_SPLITS, REFUSED_EXPORT, ExportOptions, export_stream, mixes_splits
from annotation.formats import EXPORT_FORMATS, IMPORT_FORMATS, SourceFile
from annotation.importing import ImportReport, UseAs, import_files
from annotation.permissions import Action
from annotation.queue_filling import top_up
from annotation.snapshots import Comparison, compare
from annotation.ui import navigation
from annotation.ui.name_section import name_section
from annotation.ui.session import allow, allows, base_path, current_project, current_store
from annotation.ui.text import cell, counted, plain
from maner_core.errors import ManerError
from storage import Progress, Project, Split, Status, Store

MAX_UPLOAD = 200  # MB
SHOWN = 20  # lines of a long list

_USES: dict[UseAs, str] = {
    "pool": "To be labelled",
    "gold": "Already labelled, to learn from",
    "evaluation": "Evaluation set",
}
_USE_HELP = {
    "pool": "Tags in the file are dropped. A share of the sentences is kept apart for evaluation.",
    "gold": "Tags in the file count as labels by a person; the model learns from them. A share is kept apart for evaluation.",
    "evaluation": "Tags in the file are the truth every model is measured against; nothing is ever trained on them.",
}
_IMPORT_FORMATS = {
    "auto": "Find out by itself",
    "conll": "CoNLL: one token a line, tag in the last column",
    "text": "Plain text, one sentence a line",
    "csv": "Table (CSV) with a column named text",
    "jsonl": "JSON lines",
}
_EXPORT_FORMATS = {
    "conll": "CoNLL, two columns",
    "conll4": "CoNLL-2003, four columns",
    "jsonl": "JSON lines with everything known",
}
_INCLUDE = {
    "labelled": "Labelled",
    "skipped": "Skipped",
    "flagged": "Flagged",
    "unlabelled": "Not labelled yet",
}
_SPLITS = {"all": "All", "train": "To learn from", "reserve": "For evaluation"}
_PHASES = {
    "reading": ("Reading files", "Line {done:,} of {total:,} read"),
    "duplicates": ("Looking for duplicates", "{total:,} sentences read; looking for duplicates among them"),
    "saving": ("Saving sentences", "{done:,} of {total:,} sentences saved"),
}
_NOW = "as it is now"
_REPORT = "import_report"
_UPLOADS = "import_uploads"


def page() -> None:
    """Import, counts and export of one project."""
    project = current_project(Action.SEE_ANSWERS)
    store = current_store()
    st.title("Data")
    progress = store.progress(project.id)
    if progress.sentences:
        _counts(progress)
    else:
        st.write("This project holds no sentences yet. Start with a text file: one sentence a line is enough.")
    _unread(store.unread(project.id))
    if progress.flagged:
        _flagged(store, project)
    if allows(Action.IMPORT, project.id):
        _import(store, project)
    if allows(Action.LIST_NAMES, project.id):
        name_section(store, project)
    if progress.sentences and allows(Action.EXPORT, project.id):
        _export(store, project, progress)
        _snapshots(store, project)


def _counts(progress: Progress) -> None:
    with st.container(horizontal=True, key="counts"):
        st.metric("Sentences", progress.sentences, help=f"{progress.duplicates} of them repeat an earlier one")
        st.metric("Not labelled yet", progress.unlabelled_pool)
        st.metric("Labelled", progress.labelled, help=f"{progress.no_entity} of them hold no name")
        like_it = f"{progress.hidden:,} more are not asked for: they are like one skipped as not a sentence"
        st.metric("Skipped", progress.skipped, help=like_it if progress.hidden else None)
        st.metric("Flagged", progress.flagged)
        st.metric("For evaluation", progress.reserve, help=f"{progress.evaluation_labelled} of them are labelled")
        st.metric("Duplicates", progress.duplicates, help="Kept and exported, but nobody is asked to label them")


def _unread(sentences: Mapping[str, int]) -> None:
    """Sentences that wait in vain: nobody in the project reads what they are written in."""
    if sentences:
        kinds = ", ".join(
            f"{plain(name.replace('_', ' '))} ({counted(count, 'sentence')})" for name, count in sentences.items()
        )
        st.warning(
            f"Nobody in this project reads {kinds}. Invite somebody who does; each person says under You what they read.",
            icon=":material/translate:",
        )


def _flagged(store: Store, project: Project) -> None:
    """What people flagged and why: nothing is trained on it until somebody labels it anew."""
    items = [item for split in Split for item in store.labelled(project.id, split, (Status.FLAGGED,))]
    people = {item.annotation.annotator_id for item in items}
    names = {annotator_id: store.annotator_by_id(annotator_id).name for annotator_id in people}
    rows = [
        {
            "Comment": cell(item.annotation.comment),
            "Sentence": cell(item.sentence.text or " ".join(item.sentence.tokens)),
            "By": cell(names[item.annotation.annotator_id]),
            "When": item.annotation.created_at,
        }
        for item in items
    ]
    with st.expander(f"Flagged: {counted(len(rows), 'sentence')}", icon=":material/flag:"):
        st.dataframe(
            rows,
            hide_index=True,
            key="flagged",
            column_config={"When": st.column_config.DatetimeColumn(format="distance")},
        )


def _import(store: Store, project: Project) -> None:
    with st.container(border=True, key="import"):
        st.subheader("Import")
        uploads = st.file_uploader(
            "Files",
            accept_multiple_files=True,
            max_upload_size=MAX_UPLOAD,
            label_visibility="collapsed",
            key=f"uploads_{st.session_state.get(_UPLOADS, 0)}",
        )
        use_as: UseAs = (
            st.segmented_control(
                "The sentences are", list(_USES), default="pool", format_func=_USES.__getitem__, key="use_as"
            )
            or "pool"
        )
        st.caption(_USE_HELP[use_as])
        with st.expander("Format, bad sentences, new labels"):
            format_name = st.selectbox(
                "Format", ["auto", *IMPORT_FORMATS], format_func=lambda name: _IMPORT_FORMATS.get(name, name)
            )
            skip_bad = st.checkbox("Leave out bad sentences and list them, instead of importing nothing")
            add_labels = st.checkbox("Add labels of the file that the project does not have", disabled=use_as == "pool")
            pretokenized = st.checkbox("Text is cut into words already, at single spaces")
        if st.button("Import", type="primary", icon=":material/upload:", disabled=not uploads):
            _run_import(
                store,
                project,
                uploads,
                annotator_id=allow(Action.IMPORT, project.id).annotator.id,
                format_name=format_name,
                use_as=use_as,
                skip_bad=skip_bad,
                add_labels=add_labels and use_as != "pool",
                pretokenized=pretokenized,
            )
        report = st.session_state.get(_REPORT)
        if isinstance(report, ImportReport) and report.project_id == project.id:
            _show_report(report)


def _run_import(
    store: Store,
    project: Project,
    uploads: Sequence[UploadedFile],
    *,
    annotator_id: int,
    format_name: str,
    use_as: UseAs,
    skip_bad: bool,
    add_labels: bool,
    pretokenized: bool,
) -> None:
    st.session_state.pop(_REPORT, None)  # what the import before did is no news beside a refusal of this one
    bar = st.progress(0.0, text=_PHASES["reading"][0])

    def progress(phase: str, done: int, total: int) -> None:
        begun, under_way = _PHASES[phase]
        words = under_way.format(done=done, total=total) if total else begun
        bar.progress(min(done / total, 1.0) if total else 0.0, text=words)

    try:
        report = import_files(
            store,
            project.id,
            [SourceFile(upload.name, upload.getvalue()) for upload in uploads],
            format=format_name,
            use_as=use_as,
            annotator_id=None if use_as == "pool" else annotator_id,
            by=annotator_id,
            skip_bad=skip_bad,
            add_labels=add_labels,
            pretokenized=pretokenized,
            on_progress=progress,
        )
        top_up(store, project.id)
    except ManerError as error:
        bar.empty()
        st.error(plain(str(error)), icon=":material/error:")
        return
    st.session_state[_REPORT] = report
    st.session_state[_UPLOADS] = st.session_state.get(_UPLOADS, 0) + 1  # an empty uploader: nothing is imported twice
    st.rerun()


def _show_report(report: ImportReport) -> None:
    kept_apart = f", {report.reserved} of them for evaluation" if report.reserved else ""
    st.success(f"{counted(report.added, 'sentence')} imported{kept_apart}.", icon=":material/check:")
    if report.no_reserve:
        st.warning(report.no_reserve, icon=":material/warning:")
    if report.gold or report.evaluation:
        st.write(f"{report.gold} came with labels to learn from, {report.evaluation} with labels to evaluate on.")
    if report.labels_added:
        st.write(f"New labels in the project: {plain(', '.join(report.labels_added))}.")
    for file in report.files:
        scheme = f", tag scheme {file.scheme}" if file.scheme else ""
        st.caption(plain(f"{file.name}: {counted(file.sentences, 'sentence')}, read as {file.format}{scheme}"))
        for note in file.notes:
            st.caption(plain(f"{file.name}: {note}"))
    if report.exact_duplicates or report.near_duplicates:
        st.write(
            f"Repeating another sentence word for word: {report.exact_duplicates}; nearly so: {report.near_duplicates}. "
            "Repetitions are kept and exported, but nobody is asked to label them."
        )
        st.dataframe(
            pd.DataFrame(
                [
                    (cell(example.text), cell(example.where), example.kind, cell(example.twin))
                    for example in report.examples
                ],
                columns=["Sentence", "Where", "Duplicate", "Of"],
            ),
            hide_index=True,
        )
    _list("Evaluation sentences left out, because the pool holds them already labelled", report.refused)
    _list("Bad sentences left out", [line for file in report.files for line in file.bad])
    _list("Tags repaired", [line for file in report.files for line in file.repairs])
    if st.button("Label them now", type="primary", icon=":material/ink_highlighter:"):
        navigation.go_to("annotate")


def _list(what: str, lines: Sequence[str]) -> None:
    if not lines:
        return
    with st.expander(f"{what}: {len(lines)}"):
        st.code("\n".join(lines[:SHOWN]), language=None, wrap_lines=True)
        if len(lines) > SHOWN:
            st.caption(f"and {len(lines) - SHOWN} more")


def _export(store: Store, project: Project, progress: Progress) -> None:
    with st.container(border=True, key="export"):
        st.subheader("Export")
        _refused_export(store, project)
        left, right = st.columns(2)
        format_name = left.selectbox(
            "Format",
            list(EXPORT_FORMATS),
            format_func=lambda name: _EXPORT_FORMATS.get(name, name),
            key="export_format",
        )
        split = (
            right.segmented_control(
                "Which sentences", list(_SPLITS), default="all", format_func=_SPLITS.__getitem__, key="export_split"
            )
            or "all"
        )
        include = st.pills(
            "Include",
            list(_INCLUDE),
            selection_mode="multi",
            default=["labelled"],
            format_func=_INCLUDE.__getitem__,
            key="export_include",
            help="What nobody has labelled carries no tags of the model: it is marked as not labelled",
        )
        names = [snapshot.name for snapshot in current_store().snapshots(project.id)]
        state = st.selectbox("State", [_NOW, *names], key="export_state") if names else _NOW
        words = {"format": format_name, "include": ",".join(include), "split": split}
        if mixes_splits(progress, ExportOptions(format_name, frozenset(include), split)):
            first, second = (f"“{_SPLITS[name]}”" for name in ("train", "reserve"))
            st.caption(f"{MIXED_SPLITS[0].upper()}{MIXED_SPLITS[1:]}: for two files take {first}, then {second}.")
        query = urlencode(words if state == _NOW else {**words, "snapshot": state})
        st.link_button(
            "Download",
            f"{base_path()}/api/export/{project.id}?{query}",
            icon=":material/download:",
            type="primary",
            disabled=not include,
        )


def _refused_export(store: Store, project: Project) -> None:
    """Why the download that led here was none. It is found out anew: an address could say anything."""
    query = st.query_params.pop(REFUSED_EXPORT, None)
    if query is None:
        return
    try:
        export_stream(store, project, ExportOptions.parse(dict(parse_qsl(query))))
    except ManerError as error:
        st.error(plain(str(error)), icon=":material/error:")


def _snapshots(store: Store, project: Project) -> None:
    """States under a name: made by leads, exported above, compared by whoever sees the data."""
    known = {snapshot.name: snapshot for snapshot in store.snapshots(project.id)}
    with st.expander(f"Snapshots: {len(known)}", icon=":material/photo_camera:"):
        if allows(Action.FREEZE, project.id):
            with st.form("snapshot", clear_on_submit=True, border=False):
                with st.container(horizontal=True, vertical_alignment="bottom"):
                    name = st.text_input("Freeze the data as it is now, under the name", max_chars=200)
                    freeze = st.form_submit_button("Freeze", icon=":material/photo_camera:")
                if freeze:
                    _freeze(store, project, name)
        rows = [
            {
                "Name": cell(snapshot.name),
                "When": snapshot.made_at,
                "By": cell(snapshot.made_by),
                "Of": "" if snapshot.run_id is None else f"run {snapshot.run_id}",
            }
            for snapshot in known.values()
        ]
        if rows:
            st.dataframe(
                rows,
                hide_index=True,
                key="snapshots",
                column_config={
                    "Name": st.column_config.TextColumn(width="medium"),
                    "When": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm"),
                },
            )
        if len(known) > 1:
            left, right = st.columns(2)
            first = left.selectbox("What changed from", list(known), key="snapshot_first")
            second = right.selectbox("to", list(known), index=len(known) - 1, key="snapshot_second")
            _changes(compare(store, project.id, known[first].moment, known[second].moment))


def _changes(found: Comparison) -> None:
    """How many sentences differ between two states and which, in a line for each kind of change that there is."""
    st.write(f"{counted(found.same, 'sentence')} the same in both.")
    kinds = {"only in the second": found.added, "only in the first": found.removed, "labelled otherwise": found.changed}
    lines = [
        f"- **{counted(len(ids), 'sentence')}** {what}: {', '.join(map(str, ids[:SHOWN]))}"
        + (" …" if len(ids) > SHOWN else "")
        for what, ids in kinds.items()
        if ids
    ]
    if lines:
        st.markdown("\n".join(lines))


def _freeze(store: Store, project: Project, name: str) -> None:
    person = allow(Action.FREEZE, project.id)
    try:
        store.create_snapshot(project.id, name, person.annotator.id)
    except ManerError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    st.rerun()
