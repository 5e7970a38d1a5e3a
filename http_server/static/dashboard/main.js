// The page: which view the address names, when it is asked for, and what keys and buttons do.

import { actions } from "./actions.js";
import { query } from "./api.js";
import { tellPointed } from "./charts.js";
import { isOpen, showHelp } from "./dialogs.js";
import { h, morphChildren } from "./dom.js";
import { sentence } from "./format.js";
import { form, logIn, logOut, session } from "./login.js";
import * as overview from "./overview.js";
import { Refresh } from "./refresh.js";
import * as task from "./task.js";
import * as tasks from "./tasks.js";
import { nextTheme, startTheme } from "./theme.js";

const views = { overview, tasks, task };
const of = (id) => document.getElementById(id);
const content = of("content");
let visitor = null; // {keys, name, role}; null until the server told
let arrived = true; // whether the view is a new one, whose heading is to be read

// "#/tasks?type=a&status=failed", "#/tasks/<id>", "#/".
function route() {
  const [path, search = ""] = location.hash.replace(/^#/, "").split("?");
  const [, first, id] = path.split("/");
  if (first === "tasks" && id) return { view: "task", id };
  return { view: first === "tasks" ? "tasks" : "overview", ...Object.fromEntries(new URLSearchParams(search)) };
}

async function work(signal) {
  if (!visitor?.role) {
    visitor = await session(signal);
    showVisitor();
    if (!visitor.role) {
      showLogin("");
      return Infinity;
    }
  }
  const there = route();
  const view = views[there.view];
  const data = await view.load(there, signal);
  if (signal.aborted) return undefined;
  show(view.render(data, there, visitor));
  tellPointed();
  document.title = `${view.title(there)} · doneyet`;
  return data.againMs;
}

function show(nodes) {
  content.removeAttribute("aria-busy");
  morphChildren(content, [...h("div", null, nodes).childNodes]);
  if (arrived === "moved") content.querySelector("h1")?.focus({ preventScroll: true });
  arrived = false;
}

function told({ state, problem, nextS }) {
  of("live").hidden = !visitor?.role;
  of("live").className = state;
  if (state === "live") {
    of("live-text").textContent = "live";
    say("");
    return true;
  }
  if (problem.status === 401) {
    visitor = null;
    refresh.now();
    return false;
  }
  if (problem.status === 404 || problem.status === 400 || problem.status === 422) {
    show([h("h1", { tabindex: -1 }, "Not found"), h("p", { class: "card empty" }, sentence(problem.message))]);
    of("live-text").textContent = "live";
    of("live").className = "live";
    say("");
    return true;
  }
  of("live-text").textContent = "not live";
  say(`${sentence(problem.message || "something went wrong")} Asking again in ${nextS} s.`);
  if (problem.status === undefined) console.error(problem); // a mistake of ours
  return true;
}

function say(trouble) {
  if (of("notice").textContent !== trouble) of("notice").textContent = trouble;
  of("notice").hidden = !trouble;
}

function announce(text) {
  of("said").textContent = text;
  clearTimeout(announce.timer);
  announce.timer = setTimeout(() => (of("said").textContent = ""), 6000);
}

function showVisitor() {
  const inside = Boolean(visitor?.role);
  for (const id of ["views", "search", "live"]) of(id).hidden = !inside;
  of("visitor").hidden = of("log-out").hidden = !(inside && visitor.keys);
  of("visitor").textContent = inside && visitor.keys ? `${visitor.name} · ${visitor.role}` : "";
}

function showLogin(refusal) {
  document.title = "Log in · doneyet";
  show([form(refusal)]);
  of("key").focus();
}

function navigate() {
  const there = route();
  for (const link of of("views").children) {
    const current = link.dataset.view === there.view || (link.dataset.view === "tasks" && there.view === "task");
    if (current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (visitor?.role) content.setAttribute("aria-busy", "true");
  refresh.now();
}

const refresh = new Refresh(work, told);

addEventListener("hashchange", () => {
  arrived = "moved";
  scrollTo(0, 0);
  navigate();
});

const own = {
  refresh: () => refresh.now(),
  help: showHelp,
  theme: () => announce(`Theme: ${nextTheme()}`),
  skip: () => content.focus(),
  close: () => of("help").close(),
  "log-out": async () => {
    await logOut().catch((problem) => problem.status === 401 || Promise.reject(problem));
    visitor = null;
    refresh.now();
  },
};

document.addEventListener("click", async (event) => {
  const target = event.target.closest("[data-action]");
  if (!target) return;
  const { action } = target.dataset;
  event.preventDefault();
  try {
    if (own[action]) {
      await own[action]();
      return;
    }
    target.setAttribute("aria-busy", "true");
    const said = await actions[action](target.dataset);
    if (said) announce(said);
    if (action !== "copy") refresh.now();
  } catch (problem) {
    announce(sentence(problem.message));
  } finally {
    target.removeAttribute("aria-busy");
  }
});

document.addEventListener("change", ({ target }) => {
  const { filter } = target.dataset;
  if (!filter) return;
  const { type, status, id } = { ...route(), [filter]: target.value.trim().toLowerCase() };
  location.hash = query("#/tasks", filter === "type" ? { type: target.value, status, id } : { type, status, id });
});

document.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (event.target.id === "search") {
    const id = of("wanted").value.trim().toLowerCase();
    if (id) location.hash = id.length === 40 ? `#/tasks/${id}` : query("#/tasks", { id });
    of("wanted").value = "";
    of("wanted").blur();
  } else if (event.target.id === "login") {
    try {
      visitor = await logIn(of("key").value.trim());
      arrived = "moved";
      showVisitor();
      navigate();
    } catch (problem) {
      of("refusal").textContent = sentence(problem.message);
      of("key").select();
    }
  }
});

const keys = { "/": () => of("wanted").focus(), r: own.refresh, t: own.theme, "?": own.help };

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select");
  if (event.key === "Escape" && typing) typing.blur();
  if (typing || isOpen() || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});

startTheme();
navigate();
