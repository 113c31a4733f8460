/** A gate has the first word about a request and the last, and what crosses is seen by hooks on the client's side alone. @module */
import { assertEquals } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import type { HttpFlow } from "../../src/flow/flow.ts";
import type { Addon, Gate } from "../../src/hooks/mod.ts";
import { Headers } from "../../src/http/mod.ts";
import { runExchange } from "../../src/proxy/exchange.ts";
import { replaceStream } from "../../src/streams/mod.ts";
import {
  answer,
  FakeIncoming,
  lease,
  type Origin,
  proxyContext,
  recorder,
  responseHead,
  route,
} from "./support.ts";
import { bytesBody } from "../../src/streams/bytes_body.ts";
import { utf8 } from "../streams/support.ts";

const refusal = () => new Response("refused", { status: 403 });

/** Lets everything pass as it is, but for what is given. */
function gateOf(given: Partial<Gate>): Gate {
  return {
    admit: () => null,
    check: () => null,
    refuse: (_, error) => new Response(error.message, { status: error.statusCode }),
    connect: () => null,
    opens: () => true,
    raw: () => null,
    reach: (_, addresses) => ({ addresses, reason: "" }),
    use: () => null,
    depart: (_, { path, headers }) => ({ path, headers, body: () => ({ stages: [], keepsLength: true }) }),
    arrive: (_, head) => head,
    body: () => [],
    trailers: (_, fields) => fields,
    messages: () => null,
    environment: (env) => ({ ...env }),
    summary: () => "",
    ...given,
  };
}

async function transcript(
  gate: Partial<Gate>,
  { addon = {}, origin = () => answer("hello"), body = null }: {
    addon?: Addon;
    origin?: Origin;
    body?: string | null;
  } = {},
): Promise<string[]> {
  const log: string[] = [];
  const acquire = () => {
    log.push("acquire");
    return lease(log, origin);
  };
  const { context } = proxyContext(acquire, [recorder(log), addon], {}, { gate: gateOf(gate) });
  const request = { method: "POST", body: body === null ? null : bytesBody(utf8(body)) };
  await runExchange(context, new FakeIncoming(log, request), route);
  return log;
}

Deno.test("what a gate does not admit is answered, its body is not read, and no connection is sought", async () => {
  const log = await transcript({ admit: refusal }, { body: "upload" });
  assertEquals(log, [
    "requestheaders",
    "request",
    "responseheaders",
    "response",
    "> 403 refused",
    "complete",
  ]);
});

Deno.test("a gate is told the names by which a request was addressed", async () => {
  const seen: (readonly string[])[] = [];
  await transcript({ admit: (_, names) => (seen.push(names), null) });
  assertEquals(seen, [["a.example", "a.example"]]);
});

Deno.test("behind all hooks a gate decides again, also where an addon has taken its refusal away", async () => {
  const addon: Addon = { request: (flow: HttpFlow) => void (flow.response = null) };
  const log = await transcript({ admit: refusal, check: refusal }, { addon });
  assertEquals(log.includes("acquire"), false);
  assertEquals(log.at(-2), "> 403 refused");
});

Deno.test("a request that its connection may not be used for is refused before it is sent", async () => {
  const log = await transcript({ use: () => "not there" });
  assertEquals(log.filter((line) => line.startsWith("<") || line.startsWith(">")), ["> 403 not there"]);
});

Deno.test("hooks see the client's side: what departs is changed behind them, what arrives in front of them", async () => {
  const seen: string[] = [];
  const addon: Addon = {
    request: ({ request }: HttpFlow) => void seen.push(request.path, request.text!),
    response: ({ response }: HttpFlow) =>
      void seen.push(response!.reason, response!.headers.get("x")!, response!.text!),
  };
  const origin: Origin = (text, head) => {
    seen.push(`sent ${head.path} ${head.headers.get("key")} ${text}`);
    const { body } = answer("a value b");
    return { head: { ...responseHead(200, [["x", "value"]]), reason: "value" }, body, upgraded: null };
  };
  const gate: Partial<Gate> = {
    depart: () => ({
      path: "/changed",
      headers: new Headers([["key", "value"]]),
      body: () => ({ stages: [replaceStream("holder", "value")], keepsLength: false }),
    }),
    arrive: () => ({ reason: "holder", headers: new Headers([["x", "holder"]]) }),
    body: () => [replaceStream("value", "holder")],
  };
  const log = await transcript(gate, { addon, origin, body: "my holder" });
  assertEquals(seen, ["/", "my holder", "sent /changed value my value", "holder", "holder", "a holder b"]);
  assertEquals(log.at(-3), "> 200 a holder b");
});

Deno.test("a body that a gate refuses while it is sent ends in its answer, and the connection is given up", async () => {
  const error = new WeirError("weir", "policy", "too large", { statusCode: 413 });
  const stage = new TransformStream<Uint8Array, Uint8Array>({
    transform() {
      throw error;
    },
  });
  const gate: Partial<Gate> = {
    depart: (_, { path, headers }) => ({
      path,
      headers,
      body: () => ({ stages: [stage], keepsLength: true }),
    }),
  };
  const log = await transcript(gate, { body: "upload" });
  assertEquals(log.filter((line) => line.startsWith(">")), ["> 413 too large"]);
  assertEquals(log.includes("release"), true);
});
