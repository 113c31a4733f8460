/**
 * Takes personal data out of JSON answers while they flow: tokens go, mail addresses keep their host, amounts become 0.
 *
 * Only the values that a function looks at are held; all other bytes of the answer stay as they came.
 *
 *     weir -s addons/examples/redact_json.ts
 */
import { decoded, drop, type HttpFlow, jsonStream } from "weir";

export function responseheaders(flow: HttpFlow) {
  const response = flow.response!;
  if (!response.headers.get("content-type")?.includes("json")) return;
  const edits = {
    "$..token": drop,
    "$..email": (email: unknown) => typeof email === "string" ? email.replace(/^[^@]*/, "***") : undefined,
    "$.items[*].price": 0,
  };
  response.stream = decoded(response, jsonStream(edits));
}
