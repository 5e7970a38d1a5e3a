// Who the visitor is; the form for a key, which becomes a cookie that no script can read.

import { Problem, json } from "./api.js";
import { h } from "./dom.js";

export const session = (signal) => json("dashboard/session", { signal });

export function logIn(key) {
  if (!/^[\x21-\x7e]+$/.test(key)) throw new Problem(401, "this server does not know the key: no key has such characters");
  // Not as Authorization, which may be a proxy's.
  return json("dashboard/login", { method: "POST", headers: { "X-API-Key": key } });
}

export const logOut = () => json("dashboard/logout", { method: "POST" });

export function form(refusal) {
  return h("section", { class: "card login", "data-key": "login" },
    h("h1", { tabindex: -1 }, "Log in"),
    h("p", null, "This server answers those who show an API key. One with the role ", h("code", null, "read"), " sees the dashboard, one with ", h("code", null, "operate"), " also pauses and cancels."),
    h("form", { id: "login" },
      h("label", { for: "key" }, "API key"),
      h("input", { id: "key", type: "password", required: true, autocomplete: "current-password", spellcheck: "false", placeholder: "dyk_…", "aria-describedby": "refusal" }),
      h("p", { id: "refusal", role: "alert" }, refusal || ""),
      h("button", { class: "primary" }, "Log in")),
    h("p", { class: "hint" }, h("code", null, "doneyet key new NAME --role read --file keys.txt"), " makes one."));
}
