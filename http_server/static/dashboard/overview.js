// All types at once: how busy they are, what failed last, and who works.

import { json, optional, query } from "./api.js";
import { chart, sparkline, sum } from "./charts.js";
import { h } from "./dom.js";
import { failures } from "./failures.js";
import { duration, number, plural, rate, unavailable } from "./format.js";
import { processes, workers } from "./workers.js";

const HISTORY_EVERY_MS = 10_000; // it has a number a minute
const HOURS_EVERY_MS = 60_000;
const FAILURES = 8;
const RATE_MIN = 5;
const SOON_LATE_S = 30; // a task that waits longer is worth a look

// What the chart shows, by `range` in the address; hours where the server keeps them.
const RANGES = {
  "": { name: "hour", head: "Last hour", by: "minute" },
  day: { name: "day", head: "Last 24 hours", by: "hour", hours: 24 },
  month: { name: "30 days", head: "Last 30 days", by: "hour", hours: 720 },
};

let history = null, historyAt = -Infinity;
let hours = null, hoursAt = -Infinity, hoursOf = "";

export const title = () => "Overview";

export async function load({ range }, signal) {
  const old = performance.now() - historyAt > HISTORY_EVERY_MS;
  if (RANGES[range]?.hours && (hoursOf !== range || performance.now() - hoursAt > HOURS_EVERY_MS)) {
    hours = await optional(query("history", { hours: RANGES[range].hours }), { signal });
    [hoursOf, hoursAt] = [range, performance.now()];
  }
  const [busy, failed, working, told] = await Promise.all([
    json("load", { signal }),
    optional(query("tasks", { status: "failed", limit: FAILURES }), { signal }),
    optional("workers", { signal }),
    old ? optional("history?minutes=60", { signal }) : history,
  ]);
  if (old) [history, historyAt] = [told, performance.now()];
  return { busy, failed, working, history, longer: RANGES[range]?.hours ? hours : null };
}

export function render({ busy, failed, working, history: past, longer }, { range }, visitor) {
  const names = Object.keys(busy.types).sort();
  return [
    h("h1", { tabindex: -1 }, "Overview"),
    unavailable(busy.unavailable),
    tiles(busy, past, working),
    past && (longer ? chart(longer.hours, totals(longer), shown(range, past)) : chart(past.minutes, totals(past), shown("", past))),
    types(names, busy.types, past, visitor),
    h("div", { class: "columns" }, failed && failures(failed.tasks), working && workers(working.workers)),
  ];
}

// How the chart of a range looks, and the links to the others.
function shown(range, { kept }) {
  const { head, by } = RANGES[range];
  const links = Object.entries(RANGES).map(([each, { name }]) =>
    h("li", null, h("a", { href: query("#/", { range: each }), "aria-current": each === range ? "true" : null }, name)));
  return { head, by, more: kept.hours > 0 && h("ul", { class: "chips", "aria-label": "Time that is shown" }, links) };
}

function totals({ minutes, hours, types: past }) {
  const all = (kind) => (minutes || hours).map((_, index) => sum(Object.values(past).map((each) => each[kind][index] || 0)));
  return { submitted: all("submitted"), done: all("done"), failed: all("failed"), cancelled: all("cancelled") };
}

function tiles(busy, past, working) {
  const all = past && totals(past);
  const ended = all && sum(all.done) + sum(all.failed);
  const share = ended ? (100 * sum(all.failed)) / ended : 0;
  const kinds = Object.values(busy.types);
  const there = working && processes(working.workers).length;
  const served = kinds.filter((kind) => kind.workers).length;
  const oldest = Math.max(...kinds.map((kind) => kind.oldest_waiting_s ?? -1));
  return h(
    "ul",
    { class: "tiles" },
    tile("waiting", number(busy.waiting), "waiting", oldest < 0 ? "nothing waits" : `the oldest for ${duration(oldest)}`, "#/tasks?status=waiting"),
    tile("running", number(busy.running), "running", `of ${plural(busy.load, "unfinished task")}`, "#/tasks?status=running"),
    all && tile("done", rate(perMinute(all.done, past.minutes)), "done / min", `${number(sum(all.done))} in the last hour`, "#/tasks?status=done"),
    all && tile("failed", number(sum(all.failed)), "failed", `${share.toFixed(share && share < 1 ? 1 : 0)} % in the last hour`, "#/tasks?status=failed"),
    working && tile("workers", number(there), there === 1 ? "worker" : "workers", `for ${served} of ${plural(kinds.length, "type")}`, null),
  );
}

function tile(kind, value, label, more, href) {
  const inside = [h("b", null, value), h("span", null, label), h("small", null, more)];
  return h("li", { class: kind }, href ? h("a", { href }, inside) : h("div", null, inside));
}

// Of the last minutes, and of what is over of this one.
function perMinute(counts, minutes) {
  const now = (Date.now() / 1000 - minutes.at(-1)) / 60;
  return sum(counts.slice(-RATE_MIN - 1)) / (RATE_MIN + Math.min(1, Math.max(0, now)));
}

function types(names, busy, past, visitor) {
  const heads = ["Type", "Waiting", "Running", "Done and failed", "Done/min", "Failed", "Wait", "Run", "Oldest waits", "Workers", "Runs"];
  return h(
    "section",
    { class: "card", "aria-labelledby": "types" },
    h("h2", { id: "types" }, "Task types"),
    h("table", { class: "types" },
      h("thead", null, h("tr", null, heads.map((head, index) => h("th", { scope: "col", class: [0, 3, 10].includes(index) ? null : "right" }, head)))),
      h("tbody", null, names.map((name) => type(name, busy[name], past, visitor)))),
  );
}

function type(name, kind, history, visitor) {
  const past = history?.types[name];
  const nobody = kind.workers === 0 && kind.waiting > 0;
  const late = !kind.paused && kind.oldest_waiting_s > SOON_LATE_S;
  const failed = past ? sum(past.failed) : null;
  const to = (status) => query("#/tasks", { type: name, status });
  return h(
    "tr",
    { "data-key": name, class: nobody ? "alarm" : kind.paused ? "paused" : null },
    h("th", { scope: "row" }, h("a", { href: to("") }, name), kind.paused && h("span", { class: "badge waiting" }, "paused"),
      (kind.other_versions || []).map((other) => h("small", null, `version ${other.version}: ${plural(other.load, "task")}, ${plural(other.workers, "worker")}`))),
    cell("Waiting", h("a", { href: to("waiting") }, number(kind.waiting))),
    cell("Running", h("a", { href: to("running") }, number(kind.running))),
    h("td", { class: "spark", "data-label": "Last hour" }, past ? sparkline(past) : "–"),
    cell("Done/min", past ? rate(perMinute(past.done, history.minutes)) : "–"),
    cell("Failed", failed === null ? "–" : h("a", { href: to("failed"), class: failed ? "bad" : null }, number(failed))),
    cell("Wait", past ? duration(mean(past, "wait_s")) : "–"),
    cell("Run", past ? duration(mean(past, "run_s")) : "–"),
    cell("Oldest waits", h("span", { class: late ? "bad" : null }, duration(kind.oldest_waiting_s))),
    cell("Workers", h("span", { class: nobody ? "bad" : null, title: nobody ? "Tasks wait, and nobody works for this type" : null }, nobody ? "none" : number(kind.workers))),
    h("td", { class: "switch", "data-label": "Runs" }, pauseSwitch(name, kind, visitor)),
  );
}

const cell = (label, ...inside) => h("td", { class: "right", "data-label": label }, inside);

function pauseSwitch(name, kind, visitor) {
  const label = kind.paused ? `${name} is paused: resume` : `${name} runs: pause`;
  if (visitor.role !== "operate") return kind.paused ? "paused" : "yes";
  return h("button", {
    type: "button", role: "switch", class: "toggle", "aria-checked": String(!kind.paused), "aria-label": `Tasks of ${name} begin`,
    title: label, "data-action": kind.paused ? "resume" : "pause", "data-type": name,
  }, h("span", { "aria-hidden": "true" }));
}

// Of the hour, each minute by how many tasks ended in it.
function mean(past, kind) {
  let all = 0, weights = 0;
  past[kind].forEach((value, index) => {
    const weight = past.done[index] + past.failed[index] || 1;
    if (value !== null) [all, weights] = [all + value * weight, weights + weight];
  });
  return weights ? all / weights : null;
}
