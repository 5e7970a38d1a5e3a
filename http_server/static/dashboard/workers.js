// Who works, and what each runs now.

import { h } from "./dom.js";
import { duration, number, plural, secondsSince, shortId } from "./format.js";

const SHOWN = 50;
const TASKS_SHOWN = 3;
const TYPES_SHOWN = 3;
const NAMES_SHOWN = 20; // in the title of those that are idle

// One entry for each process, which is told once for each type that it serves.
export function processes(told) {
  const all = new Map();
  for (const { owner, type, version, running, running_count: count } of told) {
    const one = all.get(owner) || { owner, types: [], running: [], count: 0 };
    one.types.push({ type, version });
    one.running.push(...running.map((task) => ({ ...task, type })));
    one.count += count;
    all.set(owner, one);
  }
  return [...all.values()].sort((one, other) => named(one.types).localeCompare(named(other.types)) || one.owner.localeCompare(other.owner));
}

export function workers(told) {
  const all = processes(told);
  const busy = all.filter((each) => each.count);
  return h(
    "section",
    { class: "card", "aria-labelledby": "workers" },
    h("h2", { id: "workers" }, "Workers", h("span", { class: "more" }, `${number(busy.length)} of ${number(all.length)} busy`)),
    all.length
      ? h("ul", { class: "workers" }, busy.slice(0, SHOWN).map(worker), busy.length > SHOWN && h("li", null, `and ${plural(busy.length - SHOWN, "more busy worker")}`), idle(all))
      : h("p", { class: "empty" }, "No worker is there. ", h("code", null, "doneyet worker"), " starts one."),
  );
}

function worker({ owner, types, running, count }) {
  const tasks = running.slice(0, TASKS_SHOWN);
  return h(
    "li",
    { "data-key": owner },
    h("div", null, h("code", { title: owner }, owner), served(types)),
    h("ul", null,
      tasks.map(({ id, type, started_at: started }) =>
        h("li", { "data-key": id },
          types.length > 1 && h("span", { class: "of" }, `${type} `),
          h("a", { href: `#/tasks/${id}`, title: id }, h("code", null, shortId(id))), started ? ` for ${duration(secondsSince(started))}` : "")),
      count > tasks.length && h("li", null, `and ${number(count - tasks.length)} more`)),
  );
}

// Those that serve the same in one line: there may be hundreds.
function idle(all) {
  const groups = new Map();
  for (const { owner, types, count } of all) {
    if (count) continue;
    const key = named(types);
    const group = groups.get(key) || { types, owners: [] };
    group.owners.push(owner);
    groups.set(key, group);
  }
  return [...groups].map(([key, { types, owners }]) =>
    h("li", { "data-key": `idle ${key}`, title: owners.slice(0, NAMES_SHOWN).join("\n") }, h("div", null, served(types)), h("p", null, `${number(owners.length)} idle`)));
}

const served = (types) => h("span", { class: "of", title: named(types) }, named(types, TYPES_SHOWN));

// "a, b and 4 more · version 1", or each with its own version.
function named(types, most = Infinity) {
  const versions = new Set(types.map(({ version }) => version));
  const one = versions.size === 1 ? types[0].version : "";
  const names = types.slice(0, most).map(({ type, version }) => (one || !version ? type : `${type} · version ${version}`)).join(", ");
  const more = types.length > most ? ` and ${number(types.length - most)} more` : "";
  return `${names}${more}${one && ` · version ${one}`}`;
}
