// Asks this server. Its paths are relative, so that a prefix before the page is one before them, too.

export class Problem extends Error {
  // status 0: the server does not answer.
  constructor(status, detail, retryAfterS = 0) {
    super(detail);
    Object.assign(this, { status, retryAfterS });
  }
}

export async function text(path, { method = "GET", headers = {}, body, signal } = {}) {
  let reply, told;
  try {
    reply = await fetch(path, { method, headers, body, signal, credentials: "same-origin", cache: "no-store" });
    told = await reply.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "The server does not answer.");
  }
  if (reply.ok) return told;
  throw new Problem(reply.status, detailOf(told) || `${reply.status} ${reply.statusText}`, Number(reply.headers.get("Retry-After")) || 0);
}

// For lists and counts alone: numbers of tasks' inputs and answers may be larger than JavaScript's.
export const json = async (path, options) => JSON.parse(await text(path, options));

// null where this server, or its queue mode, does not tell.
export async function optional(path, options) {
  try {
    return await json(path, options);
  } catch (problem) {
    if (problem.status === 404 || problem.status === 501) return null;
    throw problem;
  }
}

export const query = (path, parameters) => {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
};

function detailOf(told) {
  try {
    return JSON.parse(told).detail;
  } catch {
    return ""; // a proxy's page
  }
}
