// Who works, and what each runs now.

import { h } from "./dom.js";
import { duration, number, plural, secondsSince, shortId } from "./format.js";

const SHOWN = 50;
const TASKS_SHOWN = 3;

export function workers(all) {
  const busyFirst = [...all].sort((one, other) => other.running_count - one.running_count || one.type.localeCompare(other.type) || one.owner.localeCompare(other.owner));
  return h(
    "section",
    { class: "card", "aria-labelledby": "workers" },
    h("h2", { id: "workers" }, "Workers", h("span", { class: "more" }, `${number(all.filter((each) => each.running_count).length)} of ${number(all.length)} busy`)),
    all.length
      ? h("ul", { class: "workers" }, busyFirst.slice(0, SHOWN).map(worker))
      : h("p", { class: "empty" }, "No worker is there. ", h("code", null, "doneyet worker"), " starts one."),
    all.length > SHOWN && h("p", { class: "empty" }, `and ${plural(all.length - SHOWN, "more worker")}`),
  );
}

function worker(each) {
  const { owner, type, version, running, running_count: count } = each;
  return h(
    "li",
    { "data-key": `${type} ${version} ${owner}`, class: count ? "busy" : null },
    h("div", null, h("code", { title: owner }, owner), h("span", { class: "of" }, type, version ? ` · version ${version}` : "")),
    count
      ? h("ul", null,
        running.slice(0, TASKS_SHOWN).map((task) =>
          h("li", { "data-key": task.id }, h("a", { href: `#/tasks/${task.id}`, title: task.id }, h("code", null, shortId(task.id))), task.started_at ? ` for ${duration(secondsSince(task.started_at))}` : "")),
        count > TASKS_SHOWN && h("li", null, `and ${number(count - Math.min(TASKS_SHOWN, running.length))} more`))
      : h("p", null, "idle"),
  );
}
