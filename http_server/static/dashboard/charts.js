// Bars by the minute, or by the hour, as inline SVG. A chart's numbers are in its label, too.

import { h, svg } from "./dom.js";
import { hourOf, minuteOf, number } from "./format.js";

const HEIGHT = 100;

// Small: what was done and what failed. `largest` may be shared by several.
export function sparkline(history) {
  const { done, failed } = history;
  const largest = Math.max(1, ...done.map((count, index) => count + failed[index]));
  const all = sum(done), bad = sum(failed);
  const label = `Last hour: ${number(all)} done, ${number(bad)} failed, at most ${number(largest)} a minute`;
  return svg(
    "svg",
    { class: "sparkline", viewBox: `0 0 ${done.length * 3} 30`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("title", null, label),
    svg("path", { class: "base", d: `M0 29.5H${done.length * 3}` }),
    bars(done, null, largest, 28, 29, "done"),
    bars(failed, done, largest, 28, 29, "failed"),
  );
}

// One path for all bars of a kind, each on top of those `below`; a bar that is there is seen.
function bars(counts, below, largest, height, foot, kind) {
  const parts = counts.map((count, index) => {
    if (!count) return "";
    const tall = Math.max(1.2, (count / largest) * height);
    const from = foot - (below ? (below[index] / largest) * height : 0);
    return `M${index * 3 + 0.3} ${round(from)}v${-round(tall)}h2.4v${round(tall)}z`;
  });
  return svg("path", { class: kind, d: parts.join("") });
}

// Large: all types. The minute, or hour, under the pointer is told in the legend. `began`: when each did; `by`: which it
// is; `more`: what stands beside the head.
export function chart(began, totals, { head, by, more }) {
  const { submitted, done, failed, cancelled } = totals;
  const ends = done.map((count, index) => count + failed[index] + cancelled[index]);
  const largest = niceAbove(Math.max(4, ...ends, ...submitted));
  const width = began.length * 3;
  const line = submitted.map((count, index) => `${index * 3 + 1.5} ${round(HEIGHT - (count / largest) * HEIGHT)}`);
  const label =
    `${head}, by the ${by}: ${number(sum(submitted))} submitted, ${number(sum(done))} done, ` +
    `${number(sum(failed))} failed, ${number(sum(cancelled))} cancelled`;
  const last = began.length - 1;
  return h(
    "figure",
    { class: "chart", "data-chart": JSON.stringify({ began, by, submitted, done, failed, cancelled }) },
    h(
      "figcaption",
      null,
      h("h2", null, head),
      more,
      h("ul", { class: "legend" }, ["submitted", "done", "failed", "cancelled"].map((kind) =>
        h("li", { class: kind }, h("i", { "aria-hidden": "true" }), h("b", { "data-sum": kind }, number(sum(totals[kind]))), ` ${kind}`))),
      h("span", { class: "minute", "data-minute": "" }, `by the ${by}`),
    ),
    h("div", { class: "plot" },
      h("span", { class: "scale", "aria-hidden": "true" }, h("i", null, number(largest)), h("i", null, number(largest / 2)), h("i", null, "0")),
      svg(
        "svg",
        { viewBox: `0 0 ${width} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
        svg("path", { class: "grid", d: `M0 .5H${width}M0 ${HEIGHT / 2}H${width}M0 ${HEIGHT - 0.5}H${width}` }),
        svg("rect", { class: "cursor", x: "-9", y: "0", width: "3", height: HEIGHT }),
        bars(done, null, largest, HEIGHT, HEIGHT, "done"),
        bars(failed, done, largest, HEIGHT, HEIGHT, "failed"),
        bars(cancelled, done.map((count, index) => count + failed[index]), largest, HEIGHT, HEIGHT, "cancelled"),
        svg("polyline", { class: "submitted", points: line.join(" ") }),
      )),
    h("div", { class: "axis", "aria-hidden": "true" },
      [0, 1, 2, 3].map((part) => h("span", null, timeOf[by](began[Math.round((part * last) / 4)]))), h("span", null, "now")),
  );
}

const timeOf = { minute: minuteOf, hour: hourOf };

let pointed = null; // from 0 to 1, while the pointer is over a plot

document.addEventListener("pointermove", ({ target, clientX }) => {
  const box = target.closest?.(".chart .plot svg")?.getBoundingClientRect();
  if (!box && pointed === null) return;
  pointed = box ? (clientX - box.left) / box.width : null;
  tellPointed();
});

// What the legend tells, once more: a chart was drawn anew.
export function tellPointed() {
  for (const figure of document.querySelectorAll(".chart")) tell(figure, pointed);
}

// `place` from 0 to 1, or null for all of it.
function tell(figure, place) {
  const history = JSON.parse(figure.dataset.chart);
  const { began, by } = history;
  const index = place === null ? null : Math.min(began.length - 1, Math.max(0, Math.floor(place * began.length)));
  for (const each of figure.querySelectorAll("[data-sum]")) {
    const counts = history[each.dataset.sum];
    each.textContent = number(index === null ? sum(counts) : counts[index]);
  }
  figure.querySelector("[data-minute]").textContent = index === null ? `by the ${by}` : timeOf[by](began[index]);
  figure.querySelector(".cursor").setAttribute("x", index === null ? -9 : index * 3);
}

export const sum = (counts) => counts.reduce((all, count) => all + count, 0);

export function niceAbove(largest) {
  const step = 10 ** Math.floor(Math.log10(largest));
  return [1, 1.5, 2, 3, 4, 6, 8, 10].map((times) => times * step).find((nice) => nice >= largest);
}

const round = (value) => Math.round(value * 100) / 100;
