// One task: how it went, what went in, and what came out, digit by digit.

import { text as ask } from "./api.js";
import { h } from "./dom.js";
import { between, duration, exactly, plural, secondsSince, since } from "./format.js";
import { membersOf, objectOf, shown } from "./json.js";
import { endpointOf, recipeOf } from "./run_again.js";
import { progressOf } from "./tasks.js";

// What `GET /tasks/<id>` tells beside the input and the answer; no input or output may be called so.
const MARKS = ["done", "load", "id", "status", "type", "progress", "error", "attempts", "submitted_at", "started_at", "finished_at"];
const LARGE = 4_000_000; // characters; beyond it the answer is not taken apart
const SLOWLY = 200_000; // beyond it a task that is not done is asked for less often

let last = { text: null };

export const title = ({ id }) => `Task ${id.slice(0, 8)}`;

export async function load({ id }, signal) {
  const text = await ask(`tasks/${encodeURIComponent(id)}`, { signal });
  if (text !== last.text) last = { text, ...(await takenApart(text, signal)) };
  // Nothing more happens to a task that is over, unless somebody runs it again.
  return { ...last, againMs: last.marks.done || text.length > SLOWLY ? 10_000 : undefined };
}

async function takenApart(text, signal) {
  if (text.length > LARGE) return { marks: marksOf(JSON.parse(text)), input: null, answer: text, isAll: true, recipe: null };
  const members = membersOf(text);
  const marks = marksOf(Object.fromEntries(members.filter(({ name }) => MARKS.includes(name)).map(({ name, raw }) => [name, JSON.parse(raw)])));
  const data = members.filter(({ name }) => !MARKS.includes(name));
  const endpoint = await endpointOf(marks.type, signal);
  const input = endpoint ? data.filter(({ name }) => endpoint.inputs.includes(name)) : [];
  const output = data.filter((member) => !input.includes(member));
  return {
    marks,
    input: endpoint ? objectOf(input) : null,
    answer: objectOf(output),
    isAll: !endpoint,
    recipe: endpoint && marks.done ? recipeOf(endpoint, input) : null,
    missing: endpoint && marks.done && !recipeOf(endpoint, input),
  };
}

const marksOf = (all) => Object.fromEntries(MARKS.map((name) => [name, all[name]]));

export const recipe = () => last.recipe;
export const copied = (what) => ({ input: last.input, answer: last.answer, all: last.text, error: JSON.stringify(last.marks.error), id: last.marks.id })[what];

export function render({ marks, input, answer, isAll, recipe: again, missing }, _route, visitor) {
  const { id, type, status, done, attempts, progress, error } = marks;
  const operates = visitor.role === "operate";
  return [
    h("nav", { class: "crumbs", "aria-label": "Where you are" }, h("a", { href: "#/tasks" }, "Tasks"), h("a", { href: `#/tasks?type=${encodeURIComponent(type)}` }, type)),
    h("div", { class: "task-head" },
      h("h1", { tabindex: -1 }, h("span", { class: `badge large ${status}` }, status), h("code", null, id)),
      h("div", { class: "buttons" },
        h("button", { type: "button", "data-action": "copy", "data-what": "id" }, "Copy id"),
        again && h("button", { type: "button", "data-action": "run-again", "data-id": id }, "Run again"),
        operates && !done && h("button", { type: "button", class: "danger", "data-action": "cancel", "data-id": id }, "Cancel task"))),
    timeline(marks),
    h("dl", { class: "facts" },
      fact("Type", h("a", { href: `#/tasks?type=${encodeURIComponent(type)}` }, type)),
      fact("Attempts", String(attempts)),
      fact("Load", plural(marks.load, "unfinished task"))),
    status === "running" && progress && h("section", { class: "card", "aria-label": "Progress" }, progressOf(progress)),
    error && h("section", { class: "card problem", "aria-labelledby": "error" },
      h("h2", { id: "error" }, h("span", null, "Error ", h("code", null, error.code)), copyButton("error")), h("p", null, error.detail)),
    h("div", { class: "columns even" },
      input && input !== "{}" && panel("input", "Input", input),
      (isAll || (done && !error)) && answer !== "{}" && panel("answer", isAll ? "Input and answer" : "Answer", answer)),
    missing && h("p", { class: "hint" }, "The server does not tell the whole input of this task, so it cannot be run again from here."),
    h("p", { class: "hint" }, h("button", { type: "button", class: "link", "data-action": "copy", "data-what": "all" }, "Copy the whole reply"), " as the server sent it."),
  ];
}

const fact = (name, value) => h("div", null, h("dt", null, name), h("dd", null, value));

const copyButton = (what) => h("button", { type: "button", class: "small", "data-action": "copy", "data-what": what, "aria-label": `Copy the ${what}` }, "Copy");

function panel(what, head, text) {
  return h("section", { class: "card", "aria-labelledby": what },
    h("h2", { id: what }, head, copyButton(what)),
    h("pre", { class: "json", role: "group", tabindex: 0, "aria-labelledby": what }, shown(text)));
}

function timeline({ status, submitted_at: submitted, started_at: started, finished_at: finished }) {
  const waited = started ? between(submitted, started) : finished ? between(submitted, finished) : submitted && secondsSince(submitted);
  const ran = finished ? between(started, finished) : started && secondsSince(started);
  const ended = { done: "Done", failed: "Failed", cancelled: "Cancelled" }[status] || "Finished";
  return h("ol", { class: `timeline ${status}` },
    step("Submitted", submitted, true, submitted ? `${started || finished ? "waited" : "waits for"} ${duration(waited)}` : ""),
    step("Started", started, Boolean(started), started ? `${finished ? "ran" : "runs for"} ${duration(ran)}` : ""),
    step(ended, finished, Boolean(finished), null));
}

function step(name, time, reached, then) {
  return h("li", { class: reached ? "reached" : null },
    h("b", null, name), time ? h("span", { title: exactly(time) }, since(time)) : h("span", null, "–"), then !== null && h("i", null, then));
}
