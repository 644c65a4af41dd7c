"""What `streamlit run app.py` serves: the pages, the routes beside them, and one worker process."""

import contextlib
import gc
import os
import sys
from collections.abc import AsyncIterator

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware

from annotation import accounts, demo
from annotation.access import OnlyThisMachine, SafeHeaders
from annotation.api import Api
from annotation.kept_worker import KeptWorker
from annotation.ui import navigation
from annotation.ui.session import base_path, current_access, current_settings, current_store, own_url, secret
from maner_core.errors import ManerError

FIRST_LINK = """
  Nobody administrates this installation yet. Whoever opens this link first, within a day, will:
  {link}

"""


def prepare() -> None:
    """Bring the database up to date; give an empty one the demo project, or complete one left half made; see who may in."""
    store = current_store()
    store.migrate()
    if os.environ.get("MANER_DEMO") != "0" and all(project.settings.name == demo.NAME for project in store.projects()):
        demo.create_demo(store)
    if current_access().single_user is None and (token := accounts.invite_first_administrator(store)):
        # The one secret that is ever written anywhere: this terminal is how the first administrator is known.
        sys.stdout.write(FIRST_LINK.format(link=f"{own_url()}/{navigation.JOIN}#{token}"))
        sys.stdout.flush()


@contextlib.asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Prepare, start the worker, serve, stop the worker."""
    try:
        await run_in_threadpool(prepare)
    except ManerError as error:
        sys.stderr.write(f"error: {error}\n")
        current_store().close()
        os._exit(1)  # sys.exit would bury the sentence under a traceback of the server
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


def serves_one_person() -> bool:
    """Whether nobody signs in here, so that only this machine may come in."""
    return current_access().single_user is not None


app = st.App(
    "annotation/ui/main.py",
    lifespan=lifespan,
    routes=Api(current_access, secret).routes(base_path()),
    middleware=[Middleware(OnlyThisMachine, applies=serves_one_person), Middleware(SafeHeaders)],
)
