"""What people see who are not signed in: name and password or an identity provider; the way in by a link; and the way out.

The forms talk to the routes by themselves (annotation/ui/account_form).
"""

from typing import Literal

import streamlit as st

from annotation.ui.account_form import form
from annotation.ui.session import base_path, current_words, has_provider, identity_token, known_person
from annotation.ui.words import Words
from storage import Annotator


def page() -> None:
    """Asks who is there."""
    words = current_words()
    identity = identity_token()
    with _narrow():
        st.title(words["welcome"], anchor=False, text_alignment=_side(words))
        st.markdown(_ended(words, "about"), text_alignment=_side(words))
        form("sign-in", base=base_path(), words=words, identity=identity)
        if identity is not None:
            if st.button(words["other_identity"]):
                st.logout()
        elif has_provider() and st.button(words["provider"], icon=":material/badge:"):
            st.login()
        st.caption(_ended(words, "no_account"), text_alignment=_side(words))


def join_page() -> None:
    """What the link of an invitation leads to."""
    words = current_words()
    identity = identity_token()
    with _narrow():
        st.title(words["welcome"], anchor=False, text_alignment=_side(words))
        st.markdown(_ended(words, "about"), text_alignment=_side(words))
        name = "" if identity is None else str(st.user.get("name", ""))
        here = known_person()
        form(
            "join",
            base=base_path(),
            words=words,
            identity=identity,
            name=name,
            annotator_id=None if here is None else here.annotator.id,
        )
        if identity is None and has_provider() and st.button(words["provider"], icon=":material/badge:"):
            st.login()


def person(annotator: Annotator) -> None:
    """Who is signed in, and the button to leave."""
    provider = has_provider() and bool(st.user.is_logged_in)
    form(
        "sign-out",
        base=base_path(),
        words=current_words(),
        name=annotator.name,
        provider=provider,
        annotator_id=annotator.id,
    )


def _side(words: Words) -> Literal["left", "right"]:
    return "right" if words.right_to_left else "left"


def _ended(words: Words, key: str) -> str:
    """A sentence whose full stop stands at its end also where Streamlit takes the language for one written left to right."""
    return words[key] + ("\u200f" if words.right_to_left else "")


def _narrow() -> st.delta_generator.DeltaGenerator:
    _, middle, _ = st.columns([1, 1.4, 1])
    return middle
