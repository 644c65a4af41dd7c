"""One row for each table of the schema, that the database accepts."""

from typing import Any

from store_helpers import RawDatabase, add_pool, add_reserve, draft, item, new_project, save, start_run

from storage import DecisionDraft, DecisionKind, Store

AT = "2026-05-01 12:00:00+00"

Row = dict[str, Any]


def example_rows(store: Store, raw: RawDatabase) -> dict[str, Row]:
    """For each table a row that may be inserted, around one small project and a second one to be kept apart."""
    at = AT.removesuffix("+00") + ".000000" if raw.engine.dialect.name == "sqlite" else AT
    project, other = new_project(store), new_project(store, "other")
    in_pool, queued, annotated = add_pool(store, project, 3)
    [reserved] = add_reserve(store, project, 1)
    [foreign] = add_pool(store, other, 1)
    asha = store.annotator("Asha").id
    old = draft(annotated, (0, 1, "PER"))
    save(store, project, asha, old)
    store.fill_queue(project.id, [item(queued), item(in_pool, 1)], replace=False)
    raw.execute("DELETE FROM queue WHERE sentence_id = :id", id=queued)
    run, foreign_run = start_run(store, project), start_run(store, other)
    [(seq,)] = raw.execute("SELECT seq FROM annotations WHERE id = :id", id=old.id)
    take = DecisionDraft(annotated, DecisionKind.TAKE, (old.id,), seen_annotation=seq)
    taken = store.decide(project.id, store.annotator("Baraka").id, take)
    raw.execute("DELETE FROM gold_decision_sources")
    check = {"id": 60, "project": project.id, "run": run, "at": at}
    raw.execute(
        "INSERT INTO label_checks (id, project_id, run_id, folds, n_sentences, watermark, decision_watermark, made_at) "
        "VALUES (:id, :project, :run, 3, 1, 0, 0, :at)",
        **check,
    )
    store.save_starting_read(other.id, "x", 1, 1)
    final_run = start_run(store, project)
    raw.execute("INSERT INTO final_runs VALUES (:run, :project, :by)", run=final_run, project=project.id, by=asha)
    fresh = add_pool(store, project, 1)[0]
    of_pool = {"sentence_id": fresh, "project_id": project.id, "split": "pool"}
    settings = {"language": "", "direction": "auto", "guidelines": "", "strategy": "", "system": "", "preset": ""}
    return {
        "ids": {
            "reserved": reserved,
            "foreign": foreign,
            "foreign_run": foreign_run,
            "other": other.id,
            "old": old.id,
            "in_pool": in_pool,
            "run": run,
            "nobody": store.annotator("Nobody").id,
        },
        "annotations": {
            **of_pool,
            "id": "new",
            "annotator_id": asha,
            "status": "labelled",
            "origin": "random",
            "imported": False,
            "comment": "",
            "suggestion_run": run,
            "milliseconds": 0,
            "client_time": at,
            "created_at": at,
            "supersedes": None,
        },
        "annotation_spans": {"annotation_seq": seq, "project_id": project.id, "start": 1, "end": 2, "label": "PER"},
        "gold_decisions": {
            "sentence_id": annotated,
            "project_id": project.id,
            "split": "pool",
            "kind": "edit",
            "status": "labelled",
            "decided_by": asha,
            "decided_at": at,
            "comment": "",
            "run_id": run,
            "annotation_seq": seq,
            "supersedes": taken.seq,
        },
        "gold_decision_sources": {"decision_seq": taken.seq, "annotation_seq": seq, "project_id": project.id},
        "gold_decision_spans": {
            "decision_seq": taken.seq,
            "project_id": project.id,
            "start": 1,
            "end": 2,
            "label": "PER",
        },
        "label_checks": {
            "id": 70,
            "project_id": project.id,
            "run_id": run,
            "folds": 3,
            "n_sentences": 1,
            "watermark": seq,
            "decision_watermark": 0,
            "made_at": at,
        },
        "snapshots": {
            "project_id": project.id,
            "name": "first",
            "made_by": asha,
            "made_at": at,
            "annotation_seq": seq,
            "decision_seq": 0,
            "sentence_id": fresh,
            "run_id": run,
            "settings": "{}",
        },
        "former_duplicates": {"sentence_id": fresh, "until_sentence": fresh, "duplicate_of": in_pool},
        "label_doubts": {**of_pool, "check_id": 60, "quality": 0.1, "sure": True, "spans": "[]"},
        "suggestions": {**of_pool, "run_id": run, "spans": "[]", "word_confidence": "[]"},
        "scores": {**of_pool, "run_id": run, "score": 0.5},
        "hidden_sentences": {**of_pool, "run_id": run, "like_sentence": annotated},
        "run_training_sentences": {**of_pool, "run_id": run},
        "evaluation_predictions": {
            "sentence_id": reserved,
            "project_id": project.id,
            "split": "reserve",
            "run_id": run,
            "spans": "[]",
        },
        "selections": {
            **of_pool,
            "origin": "active",
            "rank": 1,
            "strategy": "mnlp",
            "score": 0.5,
            "propensity": 0.5,
            "run_id": run,
            "round": 1,
            "reason": "",
        },
        "queue": {
            "sentence_id": queued,
            "seat": 0,
            "project_id": project.id,
            "split": "pool",
            "rank": 1,
            "annotator_id": asha,
            "client": "tab",
            "leased_until": at,
        },
        "projects": {
            **settings,
            "name": "third",
            "backbone": "",
            "retrain_every": 1,
            "retrain_after_seconds": 0,
            "seed": 1,
            "suggest_when": "always",
            "suggestion_threshold": 1.0,
            "reserve_fraction": 0.0,
            "split_salt": "",
            "retrain_requested": False,
            "created_at": at,
        },
        "labels": {
            "project_id": project.id,
            "name": "DATE",
            "color": "",
            "key": "",
            "description": "",
            "position": 9,
        },
        "listed_names": {"project_id": project.id, "name": "Mwanza", "label": "LOC", "added_at": at},
        "runs": {
            "project_id": project.id,
            "round": 1,
            "state": "failed",
            "phase": "",
            "progress": 1.0,
            "message": "",
            "attempt": 1,
            "config": "{}",
            "seed": 1,
            "watermark": 0,
            "n_train": 0,
            "metrics": "{}",
            "failure": "why",
            "served": False,
            "started_at": at,
            "heartbeat_at": at,
            "finished_at": at,
        },
        "arm_measures": {
            "run_id": run,
            "arm": "chance",
            "project_id": project.id,
            "n_labels": 1,
            "seconds": 0.0,
            "predictions": "[]",
        },
        "final_requests": {"project_id": project.id, "requested_by": asha, "requested_at": at},
        "final_runs": {"run_id": run, "project_id": project.id, "requested_by": asha},
        "final_training_sentences": {
            "run_id": final_run,
            "sentence_id": reserved,
            "project_id": project.id,
            "split": "reserve",
        },
        "noise_floors": {"run_id": run, "project_id": project.id, "n_labels": 1, "f1": None, "sentences": 0},
        "starting_reads": {"project_id": project.id, "tagger": "x", "seed": 1, "n_pool": 1, "made_at": at},
        "starting_scores": {"project_id": other.id, "sentence_id": foreign, "split": "pool", "score": 0.5, "names": 0},
        "serving_runs": {"project_id": project.id, "run_id": run, "pinned": True},
        "sentences": {
            "id": 500,
            "project_id": project.id,
            "tokens": '["a"]',
            "n_tokens": 1,
            "source": "",
            "split": "pool",
            "content_hash": "x",
            "duplicate_of": in_pool,
            "meta": "{}",
        },
        "annotators": {"name": "Ben", "name_key": "ben"},
        "accounts": {
            "annotator_id": asha,
            "password_hash": "x",
            "identity": "y",
            "administrator": False,
            "disabled": False,
            "created_at": at,
        },
        "roles": {"project_id": project.id, "annotator_id": asha, "role": "lead"},
        "sessions": {"token_hash": "x", "annotator_id": asha, "created_at": at, "seen_at": at},
        "invitations": {
            "token_hash": "x",
            "project_id": project.id,
            "role": "annotator",
            "name": "",
            "invited_by": asha,
            "created_at": at,
            "expires_at": at,
            "used_at": at,
            "used_by": asha,
        },
        "sign_in_tries": {"key": "x", "failures": 1, "last_at": at, "free_at": at},
        "worker_leases": {"project_id": project.id, "holder": "first", "until": at},
        "workers": {"holder": "first", "state": "idle", "seen_at": at},
        "audit_events": {"project_id": project.id, "annotator_id": asha, "at": at, "kind": "x", "details": "{}"},
    }
