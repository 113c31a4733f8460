/**
 * The names of a GraphQL request's operations (GraphQL over HTTP §5; GraphQL §2.3).
 * @module
 */
import type { HttpFlow } from "../flow/flow.ts";
import { internals } from "../internals.ts";
import { mayGrow } from "./moment.ts";

/** Request bodies beyond this are no GraphQL that anybody wrote. */
const MAX_BODY = 1024 * 1024;

const OPERATION = /\b(?:query|mutation|subscription)\s+([_A-Za-z]\w*)/g;

/** Texts in a query where no operation can be named: strings and comments. */
const QUOTED = /"""[\s\S]*?"""|"(?:\\.|[^"\\\n])*"|#[^\n]*/g;

/**
 * The operation that is asked for, or where none is named all that are defined; none for what is no GraphQL. Undefined while the
 * request's body is not there.
 */
export function graphqlNames(flow: HttpFlow): string[] | undefined {
  const { request } = flow;
  const at = request.path.indexOf("?");
  if (request.method === "GET" && at >= 0) {
    const query = new URLSearchParams(request.path.slice(at + 1));
    return namesOf({ query: query.get("query"), operationName: query.get("operationName") });
  }
  const type = request.headers.get("content-type") ?? "";
  if (request.method !== "POST" || !/\b(?:json|graphql)\b/i.test(type)) return [];
  if (mayGrow(request, flow) && request[internals].mode === "pending") return undefined;
  const { content } = request;
  if (content === null || content.length > MAX_BODY) return [];
  const text = new TextDecoder().decode(content);
  if (/^\s*application\/graphql\s*(?:;|$)/i.test(type)) return namesOf({ query: text });
  try {
    const body: unknown = JSON.parse(text);
    return (Array.isArray(body) ? body : [body]).flatMap(namesOf);
  } catch {
    return [];
  }
}

function namesOf(body: unknown): string[] {
  if (typeof body !== "object" || body === null) return [];
  const { query, operationName } = body as { query?: unknown; operationName?: unknown };
  if (typeof operationName === "string" && operationName !== "") return [operationName];
  if (typeof query !== "string") return [];
  return [...query.replace(QUOTED, " ").matchAll(OPERATION)].map(([, name]) => name);
}
