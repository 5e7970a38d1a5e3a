// The reference: Swagger UI on this server's own description, and a word where nobody serves a type.
"use strict";

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  validatorUrl: null,
  onComplete: sayWhoIsMissing,
  responseInterceptor: (response) => {
    sayWhoIsMissing();
    return response;
  },
});

async function sayWhoIsMissing() {
  const notice = document.getElementById("notice");
  try {
    const { types } = await (await fetch("load")).json();
    const missing = Object.keys(types || {}).filter((name) => types[name].workers === 0);
    notice.textContent =
      `No worker serves ${missing.join(", ")}. ` +
      "You can submit inputs, but they are not answered before a worker starts.";
    notice.hidden = missing.length === 0;
  } catch {
    notice.hidden = true; // Redis is away: each request says so itself
  }
}
