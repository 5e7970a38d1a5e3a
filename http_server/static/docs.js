// Shows /openapi.json, and lets the reader try each request.
"use strict";

function element(name, text, ...children) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function resolve(api, schema) {
  if (!schema || !schema.$ref) return schema || {};
  return schema.$ref.slice(2).split("/").reduce((part, key) => part[key], api);
}

function typeName(api, schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const several = schema.anyOf || schema.oneOf;
  if (several) return several.map((one) => typeName(api, one)).join(" | ");
  if (schema.type === "array" && schema.items) return `array of ${typeName(api, schema.items)}`;
  return [schema.type || "anything"].flat().join(" | ");
}

function fieldTable(api, schema) {
  const table = element("table");
  const required = schema.required || [];
  for (const [name, field] of Object.entries(schema.properties || {})) {
    const described = resolve(api, field);
    table.append(element("tr", "",
      element("td", "", element("code", name)),
      element("td", typeName(api, field) + (required.includes(name) ? "" : " (optional)")),
      element("td", field.description || described.description || "")));
  }
  return table;
}

function bodyPart(api, operation) {
  const part = element("div");
  const content = operation.requestBody.content["application/json"];
  const kinds = (content.schema.anyOf || [content.schema]).filter((kind) => kind.$ref);
  for (const kind of kinds) {
    part.append(element("h4", kind.$ref.split("/").pop()), fieldTable(api, resolve(api, kind)));
  }
  const examples = Object.values(content.examples || {}).map((example) => example.value);
  return { part, example: examples.length ? JSON.stringify(examples[0]) : "{}" };
}

function responsePart(api, operation) {
  const table = element("table");
  for (const [status, response] of Object.entries(operation.responses)) {
    table.append(element("tr", "",
      element("td", "", element("code", status)), element("td", response.description)));
  }
  const done = operation.responses["200"].content["application/json"].schema;
  const kinds = (done.anyOf || [done]).filter((kind) => kind.$ref);
  const tables = kinds.flatMap((kind) => [
    element("h4", kind.$ref.split("/").pop()), fieldTable(api, resolve(api, kind))]);
  return element("div", "", element("h3", "Answers"), table, ...tables);
}

function curl(method, url, body, wait) {
  const parts = ["curl", method === "GET" ? "" : `-X ${method}`, `'${location.origin}${url}'`];
  if (wait) parts.push(`-H 'Prefer: ${wait}'`);
  if (body !== null) {
    parts.push("-H 'Content-Type: application/json'", `-d '${body.replaceAll("'", "'\\''")}'`);
  }
  return parts.filter(Boolean).join(" ");
}

async function send(method, url, body, wait, output) {
  const headers = {};
  if (body !== null) headers["Content-Type"] = "application/json";
  if (wait) headers.Prefer = wait;
  output.textContent = `${curl(method, url, body, wait)}\n\n…`;
  let shown;
  try {
    const response = await fetch(url, { method, headers, body: body === null ? undefined : body });
    const text = await response.text();
    let pretty = text;
    try { pretty = JSON.stringify(JSON.parse(text), null, 1); } catch { /* shown as it came */ }
    shown = `${response.status} ${response.statusText}\n${pretty}`;
  } catch (error) {
    shown = String(error);
  }
  output.textContent = `${curl(method, url, body, wait)}\n\n${shown}`;
}

function tryPart(path, method, parameters, example) {
  const form = element("form");
  const values = {};
  for (const parameter of parameters) {
    const input = element("input");
    input.type = "text";
    input.value = parameter.schema.enum ? parameter.schema.enum[0] : parameter.example || "";
    values[parameter.name] = input;
    form.append(element("label", "", element("code", parameter.name), input));
  }
  let area = null;
  if (example !== null) {
    area = element("textarea");
    area.value = example;
    area.rows = 4;
    form.append(element("label", "Body", area));
  }
  const output = element("pre");
  output.hidden = true;
  form.append(element("button", "Send"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    output.hidden = false;
    const url = path.replace(/{([^}]+)}/g, (_, name) =>
      values[name].value.split("/").map(encodeURIComponent).join("/"));
    const wait = values.Prefer ? values.Prefer.value.trim() : "";
    send(method.toUpperCase(), url, area ? area.value : null, wait, output);
  });
  return element("div", "", element("h3", "Try it"), form, output);
}

function operationPart(api, path, method, item) {
  const operation = item[method];
  const head = element("summary", "", element("span", method.toUpperCase()), element("code", path),
    ` ${operation.summary}`);
  head.firstChild.className = "method";
  const inside = element("div");
  if (operation.description) inside.append(element("p", operation.description.replaceAll("**", "")));
  let example = null;
  if (operation.requestBody) {
    const body = bodyPart(api, operation);
    example = body.example;
    inside.append(element("h3", "Input"), body.part);
  }
  const parameters = [...(item.parameters || []), ...(operation.parameters || [])];
  inside.append(tryPart(path, method, parameters, example), responsePart(api, operation));
  const details = element("details", "", head, inside);
  details.open = Boolean(operation.requestBody);
  return details;
}

async function show() {
  const api = await (await fetch("/openapi.json")).json();
  document.getElementById("summary").textContent = api.info.summary;
  document.getElementById("about").textContent = api.info.description.replaceAll("`", "");
  const main = document.getElementById("paths");
  main.textContent = "";
  for (const tag of api.tags) {
    main.append(element("h2", tag.description));
    for (const [path, item] of Object.entries(api.paths)) {
      for (const method of ["get", "post", "delete"]) {
        if (item[method] && item[method].tags.includes(tag.name)) {
          main.append(operationPart(api, path, method, item));
        }
      }
    }
  }
}

show().catch((error) => { document.getElementById("paths").textContent = String(error); });
