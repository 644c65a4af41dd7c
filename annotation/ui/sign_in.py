"""The name a person gives once, and the way to give it back. The browser calls the sign-in route, which sets the cookie.

Names only: accounts and passwords are another matter.
"""

import streamlit as st

from annotation import api
from annotation.ui.session import base_path
from storage import Annotator

_CSS = """
form { display: flex; flex-direction: column; gap: .75rem; font-family: var(--st-font); color: var(--st-text-color); }
label { font-size: .95rem; font-weight: 600; }
input { font: inherit; font-size: 1.1rem; padding: .65rem .8rem; border-radius: var(--st-base-radius);
        background: var(--st-background-color); color: inherit; border: 1px solid var(--st-border-color); }
button { font: inherit; font-weight: 600; padding: .65rem 1rem; border-radius: var(--st-button-radius); cursor: pointer;
         border: 1px solid var(--st-primary-color); background: var(--st-primary-color); color: var(--st-background-color); }
button:disabled { opacity: .6; cursor: progress; }
input:focus-visible, button:focus-visible { outline: 3px solid var(--st-primary-color); outline-offset: 2px; }
p { margin: 0; min-height: 1.3em; font-size: .9rem; color: var(--st-red-color); }
.out { flex-direction: row; align-items: center; justify-content: space-between; font-size: .9rem; }
.out span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.out button { font-weight: 400; font-size: .85rem; padding: .25rem .6rem; background: transparent; color: inherit;
              border-color: var(--st-border-color); flex: none; }
"""

_JS = """
export default function ({ parentElement, data }) {
  const form = parentElement.querySelector("form");
  const input = form.querySelector("input");
  const button = form.querySelector("button");
  const error = form.querySelector("p");
  if (data.name) form.querySelector("span").textContent = data.name;
  if (input && !form.dataset.ready) input.focus();
  form.dataset.ready = "yes";
  form.onsubmit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    error.textContent = "";
    try {
      const answer = await fetch(data.url, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Requested-With": "maner" },
        body: JSON.stringify(input ? { name: input.value } : {}),
      });
      if (!answer.ok) throw new Error((await answer.json()).error);
      window.location.reload();
    } catch (problem) {
      button.disabled = false;
      error.textContent = problem instanceof TypeError ? "The server cannot be reached; please try again." : problem.message;
    }
  };
}
"""

_IN = f"""
<form><label for="name">Your name</label>
<input id="name" name="name" autocomplete="name" maxlength="{api.MAX_NAME}" required>
<button type="submit">Start</button><p role="alert"></p></form>
"""

_OUT = """
<form class="out"><span></span>
<button type="submit" title="Forget my name on this computer">Sign out</button><p hidden role="alert"></p></form>
"""

_sign_in = st.components.v2.component("maner_sign_in", html=_IN, css=_CSS, js=_JS)
_sign_out = st.components.v2.component("maner_sign_out", html=_OUT, css=_CSS, js=_JS)


def page() -> None:
    """Asks for a name, once."""
    _, middle, _ = st.columns([1, 1.4, 1])
    with middle:
        st.title("Welcome")
        st.write(
            "Here people mark the names of persons, places and organisations in their language, while a model learns "
            "to suggest them. Tell us who you are, so that your work is kept under your name."
        )
        _sign_in(key="sign_in", data={"url": f"{base_path()}/api/sign-in"})
        st.caption("This computer remembers your name. No password, no e-mail.")


def person(annotator: Annotator) -> None:
    """Who is signed in, and the button to leave."""
    _sign_out(key="sign_out", data={"url": f"{base_path()}/api/sign-out", "name": annotator.name})
