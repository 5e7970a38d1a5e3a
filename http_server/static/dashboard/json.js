// JSON as it was received, indented. It is never parsed into values: 2^53 + 1 would not survive that.

import { h } from "./dom.js";

const WIDTH = 60; // a value that fits into so many characters stays on one line
const MOST_SHOWN = 200_000; // characters; copying copies all
const TOKEN = /[\s]+|[{}[\],:]|"[^"\\]*(?:\\.[^"\\]*)*"|[^\s{}[\],:"]+/gy;

// [text, place] of each token that is no space.
function tokensOf(text) {
  const tokens = [];
  TOKEN.lastIndex = 0;
  for (let found; (found = TOKEN.exec(text)); ) {
    if (found[0].trim()) tokens.push([found[0], found.index]);
  }
  return tokens;
}

// A value is a token, or {open, close, members: [{name, value}], width, from, to}.
function read(tokens, at) {
  const [open, from] = tokens[at.place++];
  if (open !== "{" && open !== "[") return { token: open, width: open.length, from, to: from + open.length };
  const close = open === "{" ? "}" : "]";
  const members = [];
  let width = 2;
  while (tokens[at.place][0] !== close) {
    let name = null;
    if (open === "{") {
      name = tokens[at.place][0];
      at.place += 2; // the name and the colon
    }
    const value = read(tokens, at);
    members.push({ name, value });
    width += value.width + (name ? name.length + 2 : 0) + 2;
    if (tokens[at.place][0] === ",") at.place += 1;
  }
  const [, place] = tokens[at.place++];
  return { open, close, members, width, from, to: place + 1 };
}

const parsed = (text) => read(tokensOf(text), { place: 0 });

// The members of an object: [{name, raw}], `raw` being the value as it was received.
export function membersOf(text) {
  return parsed(text).members.map(({ name, value }) => ({ name: JSON.parse(name), raw: text.slice(value.from, value.to) }));
}

// The object that has these members.
export const objectOf = (members) => `{${members.map(({ name, raw }) => `${JSON.stringify(name)}:${raw}`).join(",")}}`;

// `text` as lines of coloured tokens, in the order and with the digits that it has.
export function shown(text) {
  if (text.length > MOST_SHOWN) {
    const cut = text.slice(0, MOST_SHOWN);
    return [cut, h("span", { class: "cut" }, `\n… ${text.length - MOST_SHOWN} more characters. Copy copies all.`)];
  }
  const out = [];
  write(parsed(text), "", out);
  return out;
}

function write(value, indent, out) {
  if (value.token !== undefined) {
    out.push(h("span", { class: kindOf(value.token) }, value.token));
    return;
  }
  const inline = value.width + indent.length <= WIDTH;
  const deeper = `${indent}  `;
  out.push(value.open);
  value.members.forEach(({ name, value: member }, index) => {
    if (index) out.push(inline ? ", " : ",");
    if (!inline) out.push(`\n${deeper}`);
    if (name !== null) out.push(h("span", { class: "name" }, name), ": ");
    write(member, deeper, out);
  });
  if (!inline && value.members.length) out.push(`\n${indent}`);
  out.push(value.close);
}

function kindOf(token) {
  if (token[0] === '"') return "string";
  return /^[-\d]/.test(token) ? "number" : "word";
}
