"""What `streamlit run app.py` serves: the pages, the routes beside them, and one worker process."""

import contextlib
import gc
import os
from collections.abc import AsyncIterator

import streamlit as st
from starlette.concurrency import run_in_threadpool

from annotation import demo
from annotation.api import Api
from annotation.ui import navigation
from annotation.ui.session import base_path, current_settings, current_store, secret
from annotation.worker import KeptWorker


def prepare() -> None:
    """Bring the database up to date; give an empty one the demo project, or complete one left half made."""
    store = current_store()
    store.migrate()
    if os.environ.get("MANER_DEMO") != "0" and all(project.settings.name == demo.NAME for project in store.projects()):
        demo.create_demo(store)


@contextlib.asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Prepare, start the worker, serve, stop the worker."""
    await run_in_threadpool(prepare)
    navigation.import_pages()
    gc.collect()
    gc.freeze()  # what is imported by now is never garbage: no collection needs to look at it again
    worker = None if os.environ.get("MANER_WORKER") == "0" else KeptWorker(current_settings())
    try:
        yield
    finally:
        if worker is not None:
            await run_in_threadpool(worker.stop)
        current_store().close()


app = st.App("annotation/ui/main.py", lifespan=lifespan, routes=Api(current_store, secret).routes(base_path()))
