// Numbers, durations and times as people read them.

import { h } from "./dom.js";

const digits = new Intl.NumberFormat("en");
const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

export const number = (value) => (value === null ? "–" : digits.format(value));

export const rate = (value) => (value >= 100 ? number(Math.round(value)) : value >= 10 || value === 0 ? value.toFixed(0) : value.toFixed(1));

export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

export function duration(s) {
  if (s === null || s === undefined) return "–";
  if (s < 0.00095) return "< 1 ms";
  if (s < 0.0095) return `${(s * 1000).toFixed(1)} ms`;
  if (s < 0.9995) return `${Math.round(s * 1000)} ms`;
  if (s < 9.95) return `${s.toFixed(1)} s`;
  if (s < 59.5) return `${Math.round(s)} s`;
  const minutes = Math.round(s / 60);
  if (s < 600) return `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}

// What is said of types that a cluster's node has which is away; nothing where there are none.
export const unavailable = (names) =>
  names && h("p", { class: "card missing", role: "status" }, `Redis does not answer for ${names.join(", ")}: what waits, runs and works there is not known now.`);

// What a problem's detail says, on its own.
export const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.$/, "")}.`;

export const minuteOf = (unixS) => clock.format(new Date(unixS * 1000));

export const hourOf = (unixS) => day.format(new Date(unixS * 1000));

export const secondsSince = (time) => Math.max(0, (Date.now() - Date.parse(time)) / 1000);

export const between = (from, to) => (from && to ? Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000) : null);

export function ago(s) {
  if (s < 2) return "just now";
  if (s < 60) return `${Math.floor(s)} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86400)} d ago`;
}

export const exactly = (time) => exact.format(new Date(time));

// How long ago; the title says when.
export const since = (time) => (time ? h("time", { datetime: time, title: exactly(time) }, ago(secondsSince(time))) : "–");

// The first 8 digits of an id are those of its type.
export const shortId = (id) => `${id.slice(0, 16)}…`;
