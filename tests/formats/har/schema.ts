/** The JSON schemas of HAR 1.2 that npm's `har-schema` has, checked by ajv. @module */
import { Ajv } from "ajv";
import formats from "ajv-formats";
import draft6 from "ajv/dist/refs/json-schema-draft-06.json" with { type: "json" };
import schemas from "har-schema";

const ajv = new Ajv({ strict: false, allErrors: true });
ajv.addMetaSchema(draft6);
// Its types say that the function is in a member of the module; at run time it is the module.
(formats as unknown as { default: (ajv: Ajv) => void }).default(ajv);
ajv.addSchema(Object.values(schemas as Record<string, { $id: string }>));

/** What is wrong with a HAR; empty for a good one. */
export function schemaErrors(har: unknown): string[] {
  const check = ajv.getSchema("har.json#")!;
  if (check(har)) return [];
  return (check.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}
