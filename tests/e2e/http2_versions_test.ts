/** HTTP/1.1 and HTTP/2 on either leg, in all four combinations: the same exchange comes out the same. @module */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { HttpFlow } from "weir";
import { WeirError } from "../../src/errors.ts";
import type { IncomingExchange, ResponseHead } from "../../src/http/wire.ts";
import type { Body } from "../../src/streams/body.ts";
import { TestBody } from "../http2/support.ts";
import { recorder, startProxy, streamAll } from "./support/proxy.ts";
import {
  COMBINATIONS,
  read,
  response,
  type Version,
  VersionClient,
  VersionOrigin,
} from "./support/versions.ts";
import { Events, SOON, within } from "./support/within.ts";

interface Ends {
  client: VersionClient;
  server: VersionOrigin;
  clientVersion: Version;
  originVersion: Version;
  /** Hooks as they ran, and what the origin's handler wrote. */
  events: Events;
  /** Flows so far. */
  flows: HttpFlow[];
}

type Handler = (incoming: IncomingExchange, events: Events) => Promise<void>;

/** A test in each combination, buffered and streamed. */
function inAll(
  name: string,
  handler: Handler,
  test: (ends: Ends) => Promise<void>,
  { modes = ["buffered", "streamed"], edit }: {
    modes?: ("buffered" | "streamed")[];
    /** A hook on both bodies, in place of `true`. */
    edit?: (chunk: Uint8Array) => Uint8Array;
  } = {},
): void {
  for (const [clientVersion, originVersion] of COMBINATIONS) {
    for (const mode of modes) {
      Deno.test(`${clientVersion} client, ${originVersion} origin, ${mode}: ${name}`, async () => {
        const events = new Events(), flows: HttpFlow[] = [];
        const addons = [recorder(events, { requestheaders: (flow) => flows.push(flow) })];
        if (edit !== undefined) {
          addons.push({
            requestheaders: (flow) => void (flow.request.stream = edit),
            responseheaders: (flow) => void (flow.response!.stream = edit),
          });
        } else if (mode === "streamed") addons.push(streamAll);
        await using server = new VersionOrigin(originVersion, (incoming) => handler(incoming, events));
        await using proxy = await startProxy(addons, { http2_upstream: "any" });
        await using client = await VersionClient.connect(clientVersion, proxy, server);
        await test({ client, server, clientVersion, originVersion, events, flows });
        assertEquals(server.errors, []);
      });
    }
  }
}

/** Sends the body back, and says in fields and trailers what was seen. */
async function mirror(incoming: IncomingExchange): Promise<void> {
  const { head, body } = incoming;
  const { text } = await read(body);
  const trailers = ["x-trailer", `${text.length}`, ...body?.trailers ?? []];
  const fields: [string, string][] = [["X-In", head.headers.get("x-in") ?? ""]];
  fields.push(["set-cookie", "a=1"], ["set-cookie", "b=2"]);
  await incoming.respond(
    response(200, fields),
    TestBody.of([`${head.method} ${head.path} `, text], trailers),
  );
}

inAll("body, fields and trailers arrive both ways", mirror, async ({ client, flows, ...versions }) => {
  const body = TestBody.of(["upload ", "in pieces"], ["x-up", "1"]);
  const { head, body: echoed } = await client.send("POST", "/a?b", { fields: [["X-In", "\xe9"]], body });
  assertEquals((await read(echoed)).text, "POST /a?b upload in pieces");
  assertEquals(echoed!.trailers, ["x-trailer", "16", "x-up", "1"]);
  assertEquals([head.statusCode, head.headers.get("x-in")], [200, "\xe9"]);
  assertEquals(head.headers.getAll("set-cookie"), ["a=1", "b=2"]);
  const [{ request, response }] = flows;
  assertEquals([request.httpVersion, response!.httpVersion], [
    versions.clientVersion,
    versions.originVersion,
  ]);
});

inAll("a body whose length is known keeps it", async (incoming) => {
  const { text } = await read(incoming.body);
  const body = TestBody.of([text]);
  body.size = text.length;
  const seen = incoming.head.headers.get("content-length") ?? "none";
  await incoming.respond(response(200, [["x-length", seen]]), body);
}, async ({ client }) => {
  const body = TestBody.of(["12345678"]);
  body.size = 8;
  const { head, body: echoed } = await client.send("POST", "/", { body });
  assertEquals([head.headers.get("x-length"), head.headers.get("content-length")], ["8", "8"]);
  assertEquals((await read(echoed)).text, "12345678");
});

inAll("requests and responses without a body have none", async (incoming) => {
  assertEquals(incoming.body, null);
  const status = Number(incoming.head.path.slice(1));
  const saysLength = incoming.head.method === "HEAD" || status === 304;
  await incoming.respond(response(status, saysLength ? [["content-length", "7"]] : []), null);
}, async ({ client }) => {
  for (
    const [method, status, length] of [["GET", 204, null], ["GET", 304, "7"], ["HEAD", 200, "7"]] as const
  ) {
    const { head, body } = await client.send(method, `/${status}`);
    assertEquals([head.statusCode, body, head.headers.get("content-length")], [status, null, length]);
  }
  const { head, body } = await client.send("DELETE", "/200");
  assertEquals([head.statusCode, (await read(body)).text], [200, ""]);
});

inAll("interim responses come first", async (incoming) => {
  for (const hint of ["</a>", "</b>"]) await incoming.informational(response(103, [["link", hint]]));
  await incoming.respond(response(200), TestBody.of(["final"]));
}, async ({ client }) => {
  const interim: ResponseHead[] = [];
  const { body } = await client.send("GET", "/", { onInformational: (head) => void interim.push(head) });
  assertEquals((await read(body)).text, "final");
  assertEquals(interim.map((head) => [head.statusCode, head.headers.get("link")]), [[103, "</a>"], [
    103,
    "</b>",
  ]]);
});

inAll(
  "an early response reaches the client while it still uploads, and the upload goes on",
  async (incoming) => {
    const body = new TestBody();
    body.push("early");
    const responding = incoming.respond(response(200), body);
    body.push((await read(incoming.body)).text);
    body.end();
    await responding;
  },
  async ({ client }) => {
    const body = new TestBody();
    body.push("first ");
    const { body: echoed } = await client.send("POST", "/", { body });
    assertEquals(await next(echoed!), "early");
    body.push("second");
    body.end();
    assertEquals((await read(echoed)).text, "first second");
  },
  { modes: ["streamed"] },
);

/** The next piece, as text. */
async function next(body: Body): Promise<string> {
  for (;;) {
    const piece = body.take();
    if (piece === null) throw new Error("The body has ended.");
    if (piece !== undefined) return new TextDecoder().decode(piece);
    await within(SOON, body.fill(), "the next piece");
  }
}

const BROKEN = new WeirError("weir", "internal", "The source broke.");

/** Half of a response that never ends, until the client is gone. */
const half: Handler = async (incoming, events) => {
  const body = new TestBody();
  body.push("half");
  incoming.onGone((error) => {
    events.push("origin's client is gone");
    body.fail(error);
  });
  await assertRejects(() => incoming.respond(response(200), body));
};

const cutting: Handler = async (incoming) => {
  const body = new TestBody();
  body.push("half");
  body.fail(BROKEN);
  await assertRejects(() => incoming.respond(response(200), body));
};

inAll("a response that is cut is never ended cleanly", cutting, async ({ client, events }) => {
  const { body } = await client.send("GET");
  assertEquals((await read(body)).cut, true);
  await events.seen("error");
}, { modes: ["streamed"] });

inAll("a response that is cut before it was forwarded is a 502, or a reset", cutting, async (ends) => {
  const answer = ends.client.send("GET");
  if (ends.clientVersion === "HTTP/2.0" && ends.originVersion === "HTTP/2.0") {
    const error = await assertRejects(() => answer, WeirError);
    assert(error.message.includes("INTERNAL_ERROR"), error.message);
  } else {
    const { head, body } = await answer;
    await read(body);
    assertEquals(head.statusCode, 502);
  }
  await ends.events.seen("error");
}, { modes: ["buffered"] });

inAll("an upload that is cut never reaches the origin as whole", async (incoming, events) => {
  const { body } = incoming;
  if (await next(body!) === "half") events.push("half");
  events.push((await read(body)).cut ? "cut" : "whole");
  incoming.abort(new WeirError("client", "closed", "It was cut."));
}, async ({ client, events }) => {
  const body = new TestBody();
  body.push("half");
  const answer = client.send("POST", "/", { body });
  answer.catch(() => {});
  await events.seen("half");
  body.fail(BROKEN);
  await events.seen("cut");
  assertEquals(events.count("whole"), 0);
  await events.seen("error");
}, { modes: ["streamed"] });

inAll(
  "a client that gives up stops the origin, and error ends the flow",
  half,
  async ({ client, events }) => {
    const exchange = client.exchange();
    const { body } = await client.send("GET", "/", {}, exchange);
    assertEquals(await next(body!), "half");
    exchange.abort(new WeirError("weir", "killed", "The client gives up."));
    await events.seen("origin's client is gone");
    await events.seen("error");
  },
  { modes: ["streamed"] },
);

inAll("flow.kill() cuts both sides at once", half, async ({ client, events, flows }) => {
  const { body } = await client.send("GET");
  assertEquals(await next(body!), "half");
  flows[0].kill();
  await events.seen("origin's client is gone");
  assertEquals(await within(1000, read(body), "the client to see it"), { text: "", pieces: [], cut: true });
}, { modes: ["streamed"] });

inAll("hooks run in one order, and what they edit arrives", mirror, async ({ client, events }) => {
  const { body } = await client.send("POST", "/", { body: TestBody.of(["one", "two"], ["x-up", "1"]) });
  assertEquals((await read(body)).text, "POST / ONETWO");
  assertEquals(body!.trailers, ["x-trailer", "6", "x-up", "1"]);
  await events.seen("complete");
  assertEquals(events.list, ["requestheaders", "request", "responseheaders", "response", "complete"]);
}, {
  modes: ["streamed"],
  edit: (chunk) => new TextEncoder().encode(new TextDecoder().decode(chunk).toUpperCase()),
});
