/** An exchange from its first hook to its last, as transcripts. @module */
import { assertEquals, assertMatch } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import type { Repeatable } from "../../src/http/wire.ts";
import type { HttpFlow } from "../../src/flow/flow.ts";
import type { Addon } from "../../src/hooks/mod.ts";
import { runExchange } from "../../src/proxy/exchange.ts";
import { serverConn } from "../support/addon_host.ts";
import { memoryConnPair } from "../support/memory_conn.ts";
import { bodyOfPieces, TestBody } from "../streams/support.ts";
import {
  answer,
  FakeIncoming,
  lease,
  ok,
  type Origin,
  proxyContext,
  recorder,
  responseHead,
  route,
  transcript,
} from "./support.ts";

const MODES: [string, Addon[]][] = [
  ["buffered", []],
  ["streamed", [{
    requestheaders: (flow) => void (flow.request.stream = true),
    responseheaders: (flow) => void (flow.response!.stream = true),
  }]],
];

for (const [mode, addons] of MODES) {
  Deno.test(`hooks run in order, complete once (${mode})`, async () => {
    const request = { method: "POST", body: bodyOfPieces(["a", "b"]) };
    assertEquals(await transcript({ request, addons }), [
      "requestheaders",
      "request",
      "< POST / ab",
      "responseheaders",
      "response",
      "> 200 hello",
      "complete",
      "release",
    ]);
  });
}

const ANSWERS: [hook: "requestheaders" | "request" | "responseheaders" | "response", string[]][] = [
  ["requestheaders", ["requestheaders", "request", "responseheaders", "response", "> 403 no", "complete"]],
  ["request", ["requestheaders", "request", "responseheaders", "response", "> 403 no", "complete"]],
  ["responseheaders", [
    "requestheaders",
    "request",
    "< GET /",
    "responseheaders",
    "response",
    "> 403 no",
    "upstream abort closed",
    "complete",
    "release",
  ]],
  ["response", [
    "requestheaders",
    "request",
    "< GET /",
    "responseheaders",
    "response",
    "> 403 no",
    "upstream abort closed",
    "complete",
    "release",
  ]],
];
for (const [hook, expected] of ANSWERS) {
  for (const [mode, addons] of MODES) {
    Deno.test(`an answer set in ${hook} is what the client gets (${mode})`, async () => {
      const blocker: Addon = {
        [hook]: (flow: HttpFlow) => flow.response = new Response("no", { status: 403 }),
      };
      const log = await transcript({
        addons: [blocker, ...addons],
      });
      assertEquals(log, expected);
    });
  }
}

Deno.test("the origin's body is cancelled when an answer takes its place", async () => {
  for (const hook of ["responseheaders", "response"] as const) {
    const body = new TestBody().push("first");
    const addon: Addon = {
      responseheaders: (flow) => void (flow.response!.stream = true),
      [hook]: (flow: HttpFlow) => flow.response = new Response("mine"),
    };
    const log = await transcript({
      origin: () => ({ head: responseHead(200), body, upgraded: null }),
      addons: [addon],
    });
    assertEquals(log.includes("> 200 mine"), true);
    assertEquals(body.cancelled?.code, "closed");
  }
});

Deno.test("a response taken away by an addon cuts the client and runs error", async () => {
  const log = await transcript({ addons: [{ response: (flow) => void (flow.response = null) }] });
  assertEquals(log.slice(4), ["response", "upstream abort addon", "abort addon", "error", "release"]);
});

const lost = () => new WeirError("server", "closed", "The server closed its connection.");

/** An exchange whose first `failures` attempts find the connection closed. */
async function retried(given: {
  method?: string;
  failures: number;
  repeatable?: Repeatable;
  pieces?: string[];
  addons?: Addon[];
}): Promise<{ log: string[]; avoided: unknown[] }> {
  const log: string[] = [];
  const avoided: unknown[] = [];
  const { context } = proxyContext((_destination, _flow, options) => {
    avoided.push(options.avoid);
    const fails = avoided.length <= given.failures;
    return lease(
      log,
      fails ? () => Promise.reject(lost()) : ok,
      given.repeatable ?? "idempotent",
    );
  }, given.addons);
  const body = given.method === undefined ? null : bodyOfPieces(given.pieces ?? ["bo", "dy"]);
  await runExchange(context, new FakeIncoming(log, { method: given.method, body }), route);
  return { log, avoided };
}

Deno.test("a pooled connection that was closed: the request is sent once more, on a fresh one, body and all", async () => {
  const { log, avoided } = await retried({ method: "PUT", failures: 1 });
  assertEquals(log, ["< PUT / body", "release", "< PUT / body", "> 200 hello", "release"]);
  assertEquals(avoided, [null, "pooled"]);
});

const NOT_RETRIED: [string, Parameters<typeof retried>[0]][] = [
  ["a second time", { failures: 2 }],
  ["when it is not idempotent", { method: "POST", failures: 1 }],
  ["when the origin may have seen it", { repeatable: "none", failures: 1 }],
  ["when more of its body was streamed than is kept", {
    method: "PUT",
    failures: 1,
    pieces: ["x".repeat(64 * 1024), "y"],
    addons: [{ requestheaders: (flow) => void (flow.request.stream = true) }],
  }],
];
for (const [what, given] of NOT_RETRIED) {
  Deno.test(`a request is not sent again ${what}`, async () => {
    const { log, avoided } = await retried(given);
    assertEquals(avoided.length, given.failures);
    assertMatch(log.find((line) => line.startsWith(">"))!, /^> 50[24] /);
  });
}

Deno.test("a request that the origin has not looked at is sent again, over another connection, whatever its method", async () => {
  const { log, avoided } = await retried({ method: "POST", repeatable: "any", failures: 1 });
  assertEquals(avoided, [null, serverConn]);
  assertEquals(log.filter((line) => line.startsWith(">")), ["> 200 hello"]);
});

Deno.test("the error page names the origin and says why; the flow has the same error", async () => {
  const log: string[] = [];
  let flow!: HttpFlow;
  const { context } = proxyContext(
    () => Promise.reject(new WeirError("server", "timeout", "Connecting took too long.")),
    [{ error: (given) => void (flow = given) }],
  );
  await runExchange(context, new FakeIncoming(log), route);
  assertEquals(log, ["> 504 504 Gateway Timeout\n\nweir: a.example: Connecting took too long."]);
  assertEquals(flow.error?.message, "a.example: Connecting took too long.");
  assertEquals(flow.error?.cause.code, "timeout");
});

Deno.test("no error page in the middle of a body: the client sees a cut", async () => {
  const body = new TestBody().push("part").end(lost());
  const log = await transcript({
    origin: () => ({ head: responseHead(200), body, upgraded: null }),
    addons: [MODES[1][1][0]],
  });
  assertEquals(log.slice(4), ["response", "upstream abort closed", "abort closed", "error", "release"]);
});

Deno.test("a mistake in weir is a 500 and is logged with its stack", async () => {
  const log: string[] = [];
  const { context, lines } = proxyContext(() => {
    throw new RangeError("oops");
  });
  await runExchange(context, new FakeIncoming(log), route);
  assertMatch(log[0], /^> 500 .*oops/s);
  assertMatch(lines[0], /^error: WeirError: .*oops/s);
});

Deno.test("body_size_limit: 413 before anything was sent, 502 when it is the response", async () => {
  const options = { body_size_limit: 3 };
  const body = bodyOfPieces(["12", "34"]);
  const request = await transcript({ request: { method: "POST", body }, options });
  assertMatch(request[1], /^> 413 .*body_size_limit \(3 bytes\)/s);
  assertEquals([request.at(-1), body.cancelled?.code], ["error", "limit"]);
  assertMatch((await transcript({ options })).join("\n"), /> 502 .*body_size_limit/s);
});

const expecting = (body = bodyOfPieces(["body"])) => ({
  method: "PUT",
  headers: [["Host", "a.example"], ["Expect", "100-continue"]] as [string, string][],
  body,
});

Deno.test("Expect: 100-continue: weir sends the 100 when it buffers, and does not ask the origin", async () => {
  const log = await transcript({
    request: expecting(),
    origin: async (_text, head, interim) => {
      assertEquals(head.headers.has("expect"), false);
      await interim(responseHead(100));
      await interim(responseHead(103));
      return answer("hello");
    },
  });
  assertEquals(log.filter((line) => line.startsWith(">")), ["> 100", "> 103", "> 200 hello"]);
});

Deno.test("Expect: 100-continue: the origin's 100 is passed on when the body is streamed", async () => {
  const log = await transcript({
    request: expecting(),
    addons: MODES[1][1],
    origin: async (_text, head, interim) => {
      assertEquals(head.headers.get("expect"), "100-continue");
      await interim(responseHead(100));
      return answer("hello");
    },
  });
  assertEquals(log.filter((line) => line.startsWith(">")), ["> 100", "> 200 hello"]);
});

for (const [mode, addons] of MODES) {
  Deno.test(`a 100 that nobody asked for is passed on (${mode})`, async () => {
    const log = await transcript({
      addons,
      origin: async (_text, _head, interim) => {
        await interim(responseHead(100));
        return answer("hello");
      },
    });
    assertEquals(log.filter((line) => line.startsWith(">")), ["> 100", "> 200 hello"]);
  });
}

Deno.test("an origin that reads the body without a 100 is no reason to cut the upload", async () => {
  const log = await transcript({ request: expecting(), addons: MODES[1][1] });
  assertEquals(log.slice(-3), ["> 200 hello", "complete", "release"]);
});

Deno.test("HEAD, 204 and 304 have no body, whatever an addon answers", async () => {
  for (const [method, status] of [["HEAD", 200], ["GET", 204], ["GET", 304]] as const) {
    const body = new TestBody().push("x");
    const log = await transcript({
      request: { method },
      origin: () => ({ head: responseHead(status), body, upgraded: null }),
      addons: [{ responseheaders: (flow) => void (flow.response!.stream = true) }],
    });
    assertEquals(log.includes(`> ${status}`), true);
    assertEquals(body.cancelled === null, false);
  }
});

Deno.test("via adds one field each way, also when the request is sent again", async () => {
  const seen: unknown[] = [];
  let attempts = 0;
  const log: string[] = [];
  const { context } = proxyContext(
    () =>
      lease(log, (_text, { headers }) => {
        seen.push(headers.getAll("via"));
        return ++attempts === 1 ? Promise.reject(lost()) : answer("");
      }, "idempotent"),
    [{ complete: (flow) => void seen.push(flow.response!.headers.getAll("via")) }],
    { via: true },
  );
  await runExchange(context, new FakeIncoming(log), route);
  assertEquals(seen, [["1.1 weir"], ["1.1 weir"], ["1.1 weir"]]);
});

Deno.test("after a 101 bytes go both ways until both have ended; kill cuts both", async () => {
  for (const kill of [false, true]) {
    const log: string[] = [];
    const [client, clientEnd] = memoryConnPair(), [server, serverEnd] = memoryConnPair();
    let flow!: HttpFlow;
    const upgrade: Origin = () => ({ head: responseHead(101), body: null, upgraded: serverEnd });
    const { context } = proxyContext((_destination, _flow, options) => {
      assertEquals(options.http1, true);
      return lease(log, upgrade);
    }, [recorder(log), { response: (given) => void (flow = given) }]);
    const incoming = new FakeIncoming(log, {
      headers: [["Host", "a.example"], ["Connection", "Upgrade"], ["Upgrade", "raw"]],
    });
    incoming.upgraded = clientEnd;
    const done = runExchange(context, incoming, route);
    await client.writeText("ping");
    assertEquals(await server.readUntil("ping"), "ping");
    if (kill) {
      flow.kill();
      await done;
      assertEquals([clientEnd.wasReset, serverEnd.wasReset, log.at(-1)], [true, true, "error"]);
    } else {
      await client.closeWrite();
      await server.readToEnd();
      await server.writeText("pong");
      await server.closeWrite();
      assertEquals(await client.readToEnd(), "pong");
      await done;
      assertEquals(log.slice(-3), ["> 101", "release", "complete"]);
    }
    for (const conn of [client, clientEnd, server, serverEnd]) conn.close();
  }
});

Deno.test("an answer in place of the 101 closes the origin's connection", async () => {
  const [server, serverEnd] = memoryConnPair();
  const log = await transcript({
    origin: () => ({ head: responseHead(101), body: null, upgraded: serverEnd }),
    addons: [{ responseheaders: (flow) => flow.response = new Response("no", { status: 403 }) }],
  });
  assertEquals(log.slice(4), ["response", "> 403 no", "release", "complete"]);
  assertEquals(serverEnd.closed, true);
  server.close();
});

Deno.test("a copy of a streamed body can be read in complete, and later by who kept the flow", async () => {
  const seen: unknown[] = [];
  const flows: HttpFlow[] = [];
  await transcript({
    addons: [
      MODES[1][1][0],
      {
        complete: (flow) => void seen.push(flow.response!.text, flow.response!.streamedBy, flows.push(flow)),
      },
    ],
    options: { store_streamed_bodies: true },
  });
  assertEquals(seen, ["hello", "addon", 1]);
  assertEquals(flows[0].response!.text, "hello");
  assertEquals(await new globalThis.Response(flows[0].response!.readStored()).text(), "hello");
});

Deno.test("an addon that keeps the flow does not keep the exchange: kill has nothing to act on", async () => {
  let flow!: HttpFlow;
  const log: string[] = [];
  const { context } = proxyContext(() => lease(log, ok), [{ complete: (given) => void (flow = given) }]);
  await runExchange(context, new FakeIncoming(log), route);
  flow.kill();
  assertEquals(log.at(-1), "release");
});

Deno.test("an answer to HEAD has no body: its stream is cancelled, not streamed, and no hook is called", async () => {
  const seen: unknown[] = [];
  const cancelled = Promise.withResolvers<void>();
  await transcript({
    request: { method: "HEAD" },
    addons: [{
      request: (flow) =>
        flow.response = new Response(new ReadableStream({ cancel: () => cancelled.resolve() })),
      responseheaders: (flow) => {
        flow.response!.stream = () => void seen.push("hook");
      },
      complete: (flow) => void seen.push(flow.response!.streamedBy),
    }],
  });
  await cancelled.promise;
  assertEquals(seen, [null]);
});
