// The newest failures of all types.

import { h } from "./dom.js";
import { shortId, since } from "./format.js";

export function failures(tasks) {
  return h(
    "section",
    { class: "card", "aria-labelledby": "failures" },
    h("h2", { id: "failures" }, "Recent failures", h("a", { class: "more", href: "#/tasks?status=failed" }, "all")),
    tasks.length
      ? h("ul", { class: "failures" }, tasks.map((task) =>
        h("li", { "data-key": task.id },
          h("div", null, h("a", { href: `#/tasks/${task.id}`, title: task.id }, h("code", null, shortId(task.id))), h("span", { class: "of" }, task.type), since(task.finished_at)),
          h("p", null, h("span", { class: "badge failed" }, task.error?.code || "failed"), " ", task.error?.detail || ""))))
      : h("p", { class: "empty" }, "No task has failed lately."),
  );
}
