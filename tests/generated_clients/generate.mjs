// Writes the types of the API: node generate.mjs openapi.json schema.ts

import { readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";
import ts from "typescript";

const [description, types] = process.argv.slice(2);
const BLOB = ts.factory.createTypeReferenceNode("Blob");

const nodes = await openapiTS(JSON.parse(await readFile(description, "utf8")), {
  transform: (schema) => (schema.format === "binary" ? BLOB : undefined),
});
await writeFile(types, astToString(nodes));
