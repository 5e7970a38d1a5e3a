// Who works, and what each runs now.

import { h } from "./dom.js";
import { duration, number, plural, secondsSince, shortId } from "./format.js";

const SHOWN = 50;
const TASKS_SHOWN = 3;
const NAMES_SHOWN = 20; // in the title of those that are idle

export function workers(all) {
  const busy = all.filter((each) => each.running_count).sort((one, other) => one.type.localeCompare(other.type) || one.owner.localeCompare(other.owner));
  return h(
    "section",
    { class: "card", "aria-labelledby": "workers" },
    h("h2", { id: "workers" }, "Workers", h("span", { class: "more" }, `${number(busy.length)} of ${number(all.length)} busy`)),
    all.length
      ? h("ul", { class: "workers" }, busy.slice(0, SHOWN).map(worker), busy.length > SHOWN && h("li", null, `and ${plural(busy.length - SHOWN, "more busy worker")}`), idle(all))
      : h("p", { class: "empty" }, "No worker is there. ", h("code", null, "doneyet worker"), " starts one."),
  );
}

function worker({ owner, type, version, running, running_count: count }) {
  return h(
    "li",
    { "data-key": `${type} ${version} ${owner}` },
    h("div", null, h("code", { title: owner }, owner), h("span", { class: "of" }, named(type, version))),
    h("ul", null,
      running.slice(0, TASKS_SHOWN).map((task) =>
        h("li", { "data-key": task.id }, h("a", { href: `#/tasks/${task.id}`, title: task.id }, h("code", null, shortId(task.id))), task.started_at ? ` for ${duration(secondsSince(task.started_at))}` : "")),
      count > TASKS_SHOWN && h("li", null, `and ${number(count - Math.min(TASKS_SHOWN, running.length))} more`)),
  );
}

// Those of a type in one line: there may be hundreds.
function idle(all) {
  const groups = new Map();
  for (const { owner, type, version, running_count: count } of all) {
    if (count) continue;
    const name = named(type, version);
    groups.set(name, [...(groups.get(name) || []), owner]);
  }
  return [...groups].sort().map(([name, owners]) =>
    h("li", { "data-key": `idle ${name}`, class: "idle", title: owners.slice(0, NAMES_SHOWN).join("\n") }, h("div", null, h("span", { class: "of" }, name)), h("p", null, `${number(owners.length)} idle`)));
}

const named = (type, version) => (version ? `${type} · version ${version}` : type);
