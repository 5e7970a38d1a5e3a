// How a task is submitted again, from what /openapi.json tells of its type and what its answer repeats.

import { json } from "./api.js";
import { objectOf } from "./json.js";

const MODEL = "model"; // picks one of several types at an endpoint
let described = null;

// {path, inputs, required, model} of a type; null where the server does not tell.
export async function endpointOf(type, signal) {
  try {
    described ??= await json("openapi.json", { signal });
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    return null;
  }
  const name = `${type.replaceAll("/", ".")}.Input`;
  const properties = described.components.schemas[name]?.properties;
  const path = Object.keys(described.paths).find((each) => JSON.stringify(described.paths[each].post?.requestBody ?? "").includes(`"#/components/schemas/${name}"`));
  if (!properties || !path) return null;
  const repeated = described.components.schemas[`${type.replaceAll("/", ".")}.Answer`]?.properties || {};
  const choices = properties[MODEL]?.enum;
  const isChoice = Boolean(choices) && !(MODEL in repeated);
  return {
    path: path.slice(1), // relative, as all our paths are
    inputs: Object.keys(properties).filter((each) => !(isChoice && each === MODEL)),
    model: isChoice ? choices[0] : null,
  };
}

// {path, body}, where all fields of the input are there; else null: some are not told, and running
// something else would be worse than nothing.
export function recipeOf({ path, inputs, model }, members) {
  const told = members.map(({ name }) => name);
  if (!inputs.every((name) => told.includes(name))) return null;
  const picked = model === null ? [] : [{ name: MODEL, raw: JSON.stringify(model) }];
  return { path, body: objectOf([...members, ...picked]) };
}
