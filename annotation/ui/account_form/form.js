// The forms of signing in, joining and signing out. They talk to the routes of account_routes.py, which set the cookie, and
// then load the page anew: Streamlit reads cookies only when a page is opened.

const LINK = "maner:invitation"; // where the secret of a link waits while somebody signs in elsewhere

class Refusal extends Error {}

async function post(url, fields) {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Requested-With": "maner" },
    body: JSON.stringify(fields),
  });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refusal(body.error ?? `${answer.status}`);
  return body;
}

// The secret of the link, which stands behind the # so that no server and no log sees it. It leaves the address bar at once.
function takeLink() {
  const [, link] = window.location.hash.match(/^#([\w-]{20,})$/) ?? [];
  if (link) {
    sessionStorage.setItem(LINK, link);
    history.replaceState(history.state, "", window.location.pathname + window.location.search);
  }
  return sessionStorage.getItem(LINK);
}

// How many finished annotations of a person wait in this browser, in any of their projects: outbox.js keeps each under a key.
function unsent(annotator) {
  const theirs = new RegExp(`^maner:outbox:\\d+-\\d+-${annotator}:`);
  try {
    return Object.keys(localStorage).filter((key) => theirs.test(key)).length;
  } catch {
    return 0; // blocked: then nothing is kept there
  }
}

export default function ({ parentElement, data }) {
  const form = parentElement.querySelector("form");
  const { kind, base, words, identity } = data;
  const find = (selector) => form.querySelector(selector);
  const field = (name) => form.elements.namedItem(name);
  const error = find(".error");
  const button = find("button");

  const show = (selector, visible) => {
    const target = find(selector);
    if (target) target.hidden = !visible;
  };
  const say = (problem) => {
    const said = problem instanceof Refusal ? problem.message : words.offline;
    error.textContent = said.charAt(0).toUpperCase() + said.slice(1);
  };
  const go = async (work) => {
    button.disabled = true;
    error.textContent = "";
    try {
      await work();
    } catch (problem) {
      button.disabled = false;
      say(problem);
    }
  };
  const enter = () => {
    sessionStorage.removeItem(LINK);
    window.location.href = `${base}/`;
  };

  if (form.dataset.ready) return;
  form.dataset.ready = "yes";
  form.dir = words.direction;
  for (const place of form.querySelectorAll("[data-word]")) place.textContent = words[place.dataset.word];

  const begin = {
    "sign-in": () => {
      const link = sessionStorage.getItem(LINK);
      if (identity && link) {
        window.location.href = `${base}/join`; // back from the identity provider, on the way in by a link
      } else if (identity) {
        show("label", false);
        go(async () => {
          await post(`${base}/api/sign-in`, { identity });
          window.location.reload();
        });
      } else {
        field("name").focus();
      }
      form.onsubmit = (event) => {
        event.preventDefault();
        const fields = identity ? { identity } : { name: field("name").value, password: field("password").value };
        go(async () => {
          await post(`${base}/api/sign-in`, fields);
          window.location.reload();
        });
      };
    },
    join: () => {
      const link = takeLink();
      button.disabled = true;
      const fail = (problem) => {
        for (const place of ["label", "label + label", "button"]) show(place, false);
        say(problem);
        // An old link is how many come back: they have an account by now. One that could only not be asked about stays.
        if (problem instanceof Refusal && data.annotator === null) show(".instead", true);
      };
      find(".instead").onclick = enter;
      if (!link) return fail(new Refusal(words.no_link));
      let invited = {};
      post(`${base}/api/invitation`, { invitation: link })
        .then((answer) => {
          invited = answer;
          const role = words[invited.role] ?? "";
          find(".about").textContent = invited.project
            ? words.invited.replace("{by}", invited.by).replace("{project}", invited.project).replace("{role}", role)
            : words.first;
          show("label", !invited.as);
          show("label + label", !invited.as && !identity);
          field("name").required = !invited.as;
          field("password").required = !invited.as && !identity;
          // What somebody has begun to type while the answer was on its way stays.
          field("name").value = invited.name || field("name").value || data.name;
          field("name").readOnly = Boolean(invited.name);
          if (invited.as) button.textContent = words.join_as.replace("{name}", invited.as);
          button.disabled = false;
          if (!invited.as && !form.contains(document.activeElement)) {
            field(invited.name && !identity ? "password" : "name").focus();
          }
        })
        .catch(fail);
      form.onsubmit = (event) => {
        event.preventDefault();
        const fields = { invitation: link };
        if (!invited.as) {
          fields.name = field("name").value;
          if (identity) fields.identity = identity;
          else fields.password = field("password").value;
        }
        go(async () => {
          await post(`${base}/api/join`, fields);
          enter();
        });
      };
    },
    "sign-out": () => {
      find("span").textContent = data.name;
      let warned = false;
      form.onsubmit = (event) => {
        event.preventDefault();
        const waiting = unsent(data.annotator);
        show(".error", true);
        if (waiting && !warned) {
          warned = true;
          error.textContent = words.unsent_out.replace("{n}", waiting);
          button.textContent = words.sign_out_anyway;
          return;
        }
        go(async () => {
          await post(`${base}/api/sign-out`, {});
          if (data.provider) window.location.href = `${base}/auth/logout`;
          else window.location.reload();
        });
      };
    },
  };
  begin[kind]();
}
