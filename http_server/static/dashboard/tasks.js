// Lists of tasks, by type, status and the beginning of their id: all of it in the address.

import { json, query } from "./api.js";
import { h } from "./dom.js";
import { between, duration, number, plural, secondsSince, sentence, shortId, since, unavailable } from "./format.js";

export const STATUSES = ["waiting", "running", "done", "failed", "cancelled"];
const LIMIT = 50;
const UNLISTED_MS = 30_000;
const ID = /^[0-9a-f]{4,40}$/;
const MOST_PAGES = 5; // looked through for one that has something

export const title = () => "Tasks";

export async function load({ type, status, id, after }, signal) {
  if (id && !ID.test(id)) return { wrong: true, busy: await json("load", { signal }), tasks: [], next: null };
  const [busy, listed] = await Promise.all([
    json("load", { signal }),
    page({ type, status, id, after, limit: LIMIT }, signal).catch(unlisted),
  ]);
  return { busy, ...listed };
}

// A page of a search may be empty though more follow.
async function page(wanted, signal) {
  let listed = await json(query("tasks", wanted), { signal });
  for (let looked = 1; looked < MOST_PAGES && !listed.tasks.length && listed.next; looked += 1) {
    listed = await json(query("tasks", { ...wanted, after: listed.next }), { signal });
  }
  return listed;
}

// The random queue mode has no list of what waits, and will not have one soon.
function unlisted(problem) {
  if (problem.status !== 501) throw problem;
  return { tasks: [], next: null, why: problem.message, againMs: UNLISTED_MS };
}

export function render({ busy, tasks, next, wrong, why }, route, visitor) {
  const { type = "", status = "", id = "", after = "" } = route;
  const kind = busy.types[type];
  const waits = kind?.waiting || 0;
  const link = (changed) => query("#/tasks", { type, status, id, ...changed });
  return [
    h("h1", { tabindex: -1 }, "Tasks"),
    unavailable(busy.unavailable),
    h("div", { class: "filters" },
      h("ul", { class: "chips", "aria-label": "Status" }, ["", ...STATUSES].map((each) =>
        h("li", null, h("a", { href: link({ status: each }), class: each || "any", "aria-current": each === status ? "true" : null },
          each || "all", counted(each, kind || busy))))),
      h("label", null, h("span", { class: "unseen" }, "Type"),
        h("select", { id: "type", "data-filter": "type", "data-value": type },
          h("option", { value: "" }, "all types"),
          Object.keys(busy.types).sort().map((name) => h("option", { value: name }, name)))),
      h("label", null, h("span", { class: "unseen" }, "Beginning of the id"),
        h("input", { id: "prefix", type: "search", placeholder: "id begins with…", maxlength: 40, spellcheck: "false", autocomplete: "off", "data-filter": "id", "data-value": id })),
      visitor.role === "operate" && type && status === "waiting" && waits > 0 && !why &&
        h("button", { type: "button", class: "danger", "data-action": "cancel-waiting", "data-type": type, "data-count": waits }, `Cancel ${plural(waits, "waiting task")}`)),
    h("section", { class: "card flush", "aria-label": "Tasks" },
      tasks.length ? table(tasks) : h("p", { class: "empty" }, emptiness({ wrong, why, next, type, status, id, after }))),
    h("nav", { class: "pages", "aria-label": "Pages" },
      after ? h("a", { href: link({}) }, "← First page") : h("span", null),
      h("span", null, tasks.length ? note(status, tasks.length) : ""),
      next ? h("a", { href: link({ after: next }), rel: "next" }, status === "waiting" ? "Later ones →" : "Older ones →") : h("span", null)),
  ];
}

const counted = (status, { waiting, running }) => {
  const count = { waiting, running }[status];
  return count === undefined ? null : h("small", null, number(count));
};

const note = (status, count) => (status === "waiting" ? `${plural(count, "task")}, the next ones first` : `${plural(count, "task")}, the newest first`);

function emptiness({ wrong, why, next, type, status, id, after }) {
  if (why) return sentence(why);
  if (wrong) return "Give at least four digits of the id, which are 0 to 9 and a to f.";
  if (next) return "Nothing so far.";
  if (after) return "No more tasks.";
  const what = [status, "task", type && `of ${type}`, id && `whose id begins with ${id}`].filter(Boolean).join(" ");
  return id ? `No ${what} is in the lists. The whole id finds any task.` : `No ${what}.`;
}

function table(tasks) {
  const heads = ["Status", "Task", "Type", "Submitted", "Waited", "Ran", "Attempts"];
  const tells = tasks.some((task) => about(task));
  return h("table", { class: "tasks" },
    h("thead", null, h("tr", null, heads.map((head, index) => h("th", { scope: "col", class: index >= 4 ? "right" : null }, head)),
      tells && h("th", { scope: "col" }, h("span", { class: "unseen" }, "Error or progress")))),
    h("tbody", null, tasks.map((task) => row(task, tells))));
}

// What there is to say of a task beside its times.
function about({ status, error, progress }) {
  if (status === "failed" && error) return [h("b", null, error.code), " ", error.detail];
  return status === "running" && progress ? progressOf(progress) : null;
}

function row(task, tells) {
  const { id, type, status, attempts, submitted_at: submitted, started_at: started, finished_at: finished } = task;
  const waited = started ? between(submitted, started) : status === "waiting" && submitted ? secondsSince(submitted) : null;
  const ran = finished ? between(started, finished) : status === "running" && started ? secondsSince(started) : null;
  return h("tr", { "data-key": id },
    h("td", { "data-label": "Status" }, h("span", { class: `badge ${status}` }, status)),
    h("th", { scope: "row", "data-label": "Task" }, h("a", { href: `#/tasks/${id}`, title: id }, h("code", null, shortId(id)))),
    h("td", { class: "kind", "data-label": "Type" }, type),
    h("td", { "data-label": "Submitted" }, since(submitted)),
    h("td", { class: "right", "data-label": "Waited" }, duration(waited)),
    h("td", { class: "right", "data-label": "Ran" }, duration(ran)),
    h("td", { class: "right", "data-label": "Attempts" }, attempts),
    tells && h("td", { class: "about" }, about(task)));
}

export function progressOf({ fraction, message }) {
  const percent = Math.round(fraction * 100);
  return h("span", { class: "progress" }, h("progress", { max: 100, value: percent, "aria-label": "Progress" }), h("span", null, `${percent} %`, message && ` · ${message}`));
}
