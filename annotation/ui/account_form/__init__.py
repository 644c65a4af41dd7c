"""The forms of signing in, joining and signing out: a Streamlit component each, on the same script and style.

They are forms of the page itself, not of Streamlit, because only a route of ours can set a cookie; without isolation, so
that password managers find them.
"""

from pathlib import Path

import streamlit as st

from annotation import accounts
from annotation.ui.words import Words

_FOLDER = Path(__file__).parent

_NAME = f"""
<label><span data-word="name"></span>
<input name="name" autocomplete="username" maxlength="{accounts.MAX_NAME}" dir="auto" required></label>
"""
_SIGN_IN = f"""
<form class="account in">{_NAME}
<label><span data-word="password"></span>
<input name="password" type="password" autocomplete="current-password" maxlength="{accounts.MAX_PASSWORD}" required></label>
<button type="submit" data-word="sign_in"></button><p class="error" role="alert"></p></form>
"""
_JOIN = f"""
<form class="account join"><p class="about"></p>{_NAME}
<label><span data-word="new_password"></span>
<input name="password" type="password" autocomplete="new-password" minlength="{accounts.MIN_PASSWORD}"
maxlength="{accounts.MAX_PASSWORD}" required><span class="hint" data-word="password_hint"></span></label>
<button type="submit" data-word="join"></button><p class="error" role="alert"></p>
<button type="button" class="instead" data-word="sign_in" hidden></button></form>
"""
_SIGN_OUT = """
<form class="account out"><span dir="auto"></span>
<button type="submit" data-word="sign_out"></button><p class="error" role="alert" hidden></p></form>
"""


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


_FORMS = {
    kind: st.components.v2.component(
        f"maner_{kind.replace('-', '_')}", html=html, css=_read("form.css"), js=_read("form.js"), isolate_styles=False
    )
    for kind, html in (("sign-in", _SIGN_IN), ("join", _JOIN), ("sign-out", _SIGN_OUT))
}


def form(
    kind: str,
    *,
    base: str,
    words: Words,
    identity: str | None = None,
    name: str = "",
    provider: bool = False,
    annotator_id: int | None = None,
) -> None:
    """Show the form "sign-in", "join" or "sign-out".

    `identity` is a token of account_routes.mint_identity for somebody whom an identity provider knows, `name` what to call
    them; with `provider` signing out goes on at the identity provider. `annotator_id` is who is signed in: what of their work
    this browser has not sent yet is told before they sign out, and where a link is no good nobody else is asked to sign in.
    """
    data = {
        "kind": kind,
        "base": base,
        "words": words.all(),
        "identity": identity,
        "name": name,
        "provider": provider,
        "annotator": annotator_id,
    }
    _FORMS[kind](key=kind, data=data)
