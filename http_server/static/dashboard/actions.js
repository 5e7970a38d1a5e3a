// What buttons do. Each is named by its `data-action`.

import { json, query, text } from "./api.js";
import { confirmed } from "./dialogs.js";
import { number, plural } from "./format.js";
import { membersOf } from "./json.js";
import { copied, recipe } from "./task.js";

const MOST_ROUNDS = 1000;

// Each returns what is then said of it, or nothing.
export const actions = {
  pause: ({ type }) => setPaused(type, "pause"),
  resume: ({ type }) => setPaused(type, "resume"),

  async cancel({ id }) {
    const sure = await confirmed({ head: "Cancel this task?", text: "It is cancelled for everybody who submitted it. A run is stopped within seconds.", yes: "Cancel task" });
    if (!sure) return "";
    await text(`tasks/${id}`, { method: "DELETE" });
    return "The task is cancelled.";
  },

  async "cancel-waiting"({ type, count }) {
    const sure = await confirmed({
      head: `Cancel ${plural(Number(count), "waiting task")} of ${type}?`,
      text: "They are cancelled for everybody who submitted them. Tasks that run go on.",
      yes: `Cancel ${plural(Number(count), "task")}`,
    });
    if (!sure) return "";
    let all = 0;
    for (let round = 0; round < MOST_ROUNDS && all < Number(count); round += 1) {
      const { cancelled, left } = await json(query("tasks", { type, status: "waiting" }), { method: "DELETE" });
      all += cancelled;
      if (!left || !cancelled) break;
    }
    return `${plural(all, "task")} of ${type} cancelled.`;
  },

  async "run-again"({ id }) {
    const { path, body } = recipe();
    const told = await text(path, { method: "POST", body, headers: { "Content-Type": "application/json", "Cache-Control": "no-cache" } });
    const now = membersOf(told).find(({ name }) => name === "id");
    const other = now && JSON.parse(now.raw);
    if (!other || other === id) return "The task runs again.";
    location.hash = `#/tasks/${other}`; // the server reads what it repeated otherwise
    return "The server reads this input as another task, which is shown now.";
  },

  async copy({ what }) {
    await copy(copied(what));
    return `Copied: ${number(copied(what).length)} characters.`;
  },
};

async function setPaused(type, how) {
  await text(`types/${type}/${how}`, { method: "POST" });
  return how === "pause" ? `${type} is paused. Tasks that run go on.` : `${type} runs again.`;
}

async function copy(said) {
  if (navigator.clipboard && isSecureContext) {
    try {
      return await navigator.clipboard.writeText(said);
    } catch {
      // not permitted: the old way
    }
  }
  const area = document.createElement("textarea");
  area.value = said;
  area.className = "unseen";
  const before = document.activeElement;
  document.body.append(area);
  area.select();
  document.execCommand("copy"); // the one way on plain http
  area.remove();
  before?.focus?.();
}
