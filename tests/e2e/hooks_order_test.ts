/** Contract section 2: the order of hooks, answers and kills at any point, and addons that throw. @module */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Addon, HttpFlow } from "weir";
import { absolute, Client, exchange } from "./support/client.ts";
import { BodyReader } from "./support/http.ts";
import { freePort } from "./support/free_port.ts";
import { echo, origin, type Script, withChunks, withLength } from "./support/origin.ts";
import { type HttpHook, recorder, startProxy, streamAll } from "./support/proxy.ts";
import { startWeir } from "./support/weir.ts";
import { Events, Gate, SOON, within } from "./support/within.ts";

const POINTS = ["requestheaders", "request", "responseheaders", "response"] as const;
const ALL = [...POINTS, "complete"];
const MODES = [["buffered", {}], ["streamed", streamAll]] as const;

for (const [mode, addon] of MODES) {
  Deno.test(`hooks run in order, complete once (${mode})`, async () => {
    const events = new Events();
    await using server = await origin(echo);
    await using proxy = await startProxy([addon, recorder(events)]);
    for (let i = 1; i <= 3; i++) {
      const seen = await exchange(proxy, server.url(), { method: "POST", body: "abc" });
      assertEquals(seen.text, "abc");
      await events.seen("complete", i);
    }
    assertEquals(events.list, [...ALL, ...ALL, ...ALL]);
  });

  Deno.test(`flow.live is true until the flow has ended (${mode})`, async () => {
    const live: [string, boolean][] = [], events = new Events();
    const look = Object.fromEntries(
      ALL.map((name) => [name, (flow: HttpFlow) => void live.push([name, flow.live])]),
    ) as Addon;
    await using server = await origin(echo);
    await using proxy = await startProxy([addon, look, recorder(events)]);
    await exchange(proxy, server.url(), { method: "POST", body: "abc" });
    await events.seen("complete");
    assertEquals(live, ALL.map((name) => [name, name !== "complete"]));
  });

  for (const point of POINTS) {
    for (const kind of ["text", "stream"] as const) {
      Deno.test(`flow.response set in ${point} answers with a ${kind} body (${mode})`, async () => {
        const events = new Events();
        await using server = await origin(echo);
        const answer = recorder(events, {
          [point]: (flow: HttpFlow) => {
            flow.response = new Response(
              kind === "text" ? "from the addon" : streamOf("from ", "the addon"),
              {
                status: 418,
                headers: { "x-by": "addon" },
              },
            );
          },
        });
        await using proxy = await startProxy([addon, answer]);
        await using client = await Client.connect(proxy);
        for (let i = 1; i <= 2; i++) {
          await client.send(absolute(server.url(), { method: "POST", body: "abc" }));
          const seen = await client.response("POST");
          assertEquals([seen.head.statusCode, seen.head.get("x-by"), seen.text, seen.end], [
            418,
            "addon",
            "from the addon",
            "complete",
          ]);
          await events.seen("complete", i);
        }
        assertEquals(server.requests.length, point.startsWith("request") ? 0 : 2);
        assertEquals(events.count("error"), 0);
        // Whatever hooks run after an answer, they keep their order.
        const first = events.list.slice(0, events.list.indexOf("complete") + 1);
        assertEquals(first, ALL.filter((hook) => first.includes(hook)));
        assert(first.includes(point));
      });
    }

    Deno.test(`flow.kill() in ${point} ends both sides, error once (${mode})`, async () => {
      const events = new Events();
      const originEnd = Promise.withResolvers<string>();
      await using server = await origin(async (wire, request) => {
        await BodyReader.ofRequest(wire, request).text();
        await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
        originEnd.resolve(await wire.untilEnd());
      });
      const kill = recorder(events, { [point]: (flow: HttpFlow) => flow.kill() });
      await using proxy = await startProxy([addon, kill]);
      await using client = await Client.connect(proxy);
      await client.send(absolute(server.url(), { method: "POST", body: "abc" }));
      assertEquals((await client.readToEnd()).text, "");
      if (point.startsWith("request")) assertEquals(server.requests.length, 0);
      // What was buffered whole has left its connection in order: there is nothing to cut.
      else if (mode === "streamed" || point === "responseheaders") {
        await within(SOON, originEnd.promise, "the origin's connection to end");
      }
      await events.seen("error");
      assertEquals([events.count("complete"), events.count("error")], [0, 1]);
      assertEquals(events.list.slice(0, -1), POINTS.slice(0, POINTS.indexOf(point) + 1));
    });
  }
}

Deno.test("flow.kill() in mid body cuts both sides at once", async () => {
  const events = new Events();
  const originEnd = Promise.withResolvers<string>();
  let flow: HttpFlow | null = null;
  await using server = await origin(async (wire) => {
    await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
    originEnd.resolve(await wire.untilEnd());
  });
  await using proxy = await startProxy([streamAll, recorder(events, { response: (f) => flow = f })]);
  await using client = await Client.connect(proxy);
  await client.send(absolute(server.url()));
  const body = client.body(await client.head());
  assertEquals(await body.nextText(), "abc");
  flow!.kill();
  // 50 ms by the contract; the rest is for a machine that is busy.
  await within(500, Promise.all([client.untilEnd(), originEnd.promise]), "both connections to end");
  await events.seen("error");
  assertEquals(events.count("complete"), 0);
});

Deno.test("flow.kill() while the client uploads and the origin is silent", async () => {
  const events = new Events();
  const arrived = new Gate();
  const originEnd = Promise.withResolvers<string>();
  let flow: HttpFlow | null = null;
  await using server = await origin(async (wire) => {
    await wire.readExactly(3);
    arrived.open();
    originEnd.resolve(await wire.untilEnd());
  });
  await using proxy = await startProxy([streamAll, recorder(events, { request: (f) => flow = f })]);
  await using client = await Client.connect(proxy);
  await client.send(
    `POST ${server.url()} HTTP/1.1\r\nHost: ${server.authority}\r\nContent-Length: 100\r\n\r\nabc`,
  );
  await within(SOON, arrived.opened, "the first bytes at the origin");
  flow!.kill();
  assertEquals((await client.readToEnd()).text, "");
  await within(SOON, originEnd.promise, "the origin's connection to end");
  await events.seen("error");
});

Deno.test("buffered: request has the whole body, and may change it", async () => {
  await using server = await origin(echo);
  await using proxy = await startProxy({
    request: (flow) => void (flow.request.text = flow.request.text!.replace("foo", "longer")),
    response: (flow) => void (flow.response!.text += "!"),
  });
  assertEquals((await exchange(proxy, server.url(), { method: "POST", body: "a foo" })).text, "a longer!");
});

Deno.test("buffered: nothing reaches the origin before request, nor the client before response", async () => {
  const events = new Events();
  const gates: Record<string, Gate> = { request: new Gate(), response: new Gate() };
  await using server = await origin(withLength("body"));
  await using proxy = await startProxy(recorder(events, {
    request: () => gates.request.opened,
    response: () => gates.response.opened,
  }));
  await using client = await Client.connect(proxy);
  await client.send(absolute(server.url()));
  await events.seen("request");
  assertEquals(server.requests.length, 0);
  gates.request.open();
  await events.seen("response");
  assertEquals(client.bytesRead, 0);
  gates.response.open();
  assertEquals((await client.response()).text, "body");
});

Deno.test("streamed: request runs before any body byte was read, with null content", async () => {
  const content: unknown[] = [];
  const events = new Events();
  await using server = await origin(echo);
  await using proxy = await startProxy([
    streamAll,
    recorder(events, {
      request: ({ request }) => content.push(request.content, request.text, request.rawContent),
      response: ({ response }) => content.push(response!.content, response!.text),
    }),
  ]);
  await using client = await Client.connect(proxy);
  await client.send(
    `POST ${server.url()} HTTP/1.1\r\nHost: ${server.authority}\r\nContent-Length: 3\r\n\r\n`,
  );
  await events.seen("request");
  await client.send("abc");
  assertEquals((await client.response("POST")).text, "abc");
  assertEquals(content, [null, null, null, null, null]);
});

Deno.test("streamed: assigning content is ignored with a warning", async () => {
  await using server = await origin(echo);
  await using proxy = await startProxy([streamAll, {
    request: (flow) => void (flow.request.content = new Uint8Array(9)),
    response: (flow) => void (flow.response!.text = "changed"),
  }]);
  assertEquals((await exchange(proxy, server.url(), { method: "POST", body: "abc" })).text, "abc");
  await proxy.logged(/^warn.*streamed/);
});

Deno.test("streamed: a rule in request or response still edits head and route", async () => {
  await using wrong = await origin(withLength("wrong"));
  await using right = await origin(echo);
  await using proxy = await startProxy([streamAll, {
    request: ({ request }) => {
      request.port = right.port;
      request.path = "/secret";
      request.method = "PUT";
      request.headers.set("Authorization", "token");
    },
    response: ({ response }) => {
      response!.statusCode = 201;
      response!.headers.set("X-Added", "yes");
    },
  }]);
  const seen = await exchange(proxy, wrong.url("/x"), { method: "POST", body: "abc" });
  assertEquals([seen.head.statusCode, seen.head.get("x-added"), seen.text], [201, "yes", "abc"]);
  assertEquals(wrong.connections, 0);
  const [request] = right.requests;
  assertEquals([request.startLine, request.get("authorization")], ["PUT /secret HTTP/1.1", "token"]);
  assertEquals(request.get("host"), right.authority);
});

const FAILING: [string, Script | null][] = [
  ["an unreachable origin", null],
  ["an origin that closes without an answer", (wire) => wire.close()],
  ["an origin that dies in mid body", async (wire) => {
    await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    wire.close();
  }],
];
for (const [what, script] of FAILING) {
  for (const [mode, addon] of MODES) {
    Deno.test(`${what}: error runs once, complete does not (${mode})`, async () => {
      const events = new Events();
      await using server = await origin(script ?? withLength("x"));
      const { promise, resolve } = Promise.withResolvers<HttpFlow>();
      await using proxy = await startProxy([addon, recorder(events, { error: resolve })]);
      const url = script ? server.url() : `http://127.0.0.1:${freePort()}/`;
      const seen = await exchange(proxy, url);
      const flow = await within(SOON, promise, "error");
      assert(flow.error!.message.length > 0);
      if (seen.head.statusCode === 200) assert(seen.end !== "complete");
      else assertEquals(seen.head.statusCode, 502);
      // The next flow is a barrier: nothing of the first can come after it.
      await exchange(proxy, url);
      await events.seen("error", 2);
      assertEquals([events.count("complete"), events.count("error")], [0, 2]);
    });
  }
}

Deno.test("a client that resets while a hook waits: error at once, and other flows go on", async () => {
  const events = new Events();
  const gate = new Gate();
  await using server = await origin(withLength("fine"));
  await using proxy = await startProxy(recorder(events, {
    request: (flow) => flow.request.path === "/slow" ? gate.opened : undefined,
  }));
  await using client = await Client.connect(proxy, { resettable: true });
  await client.send(absolute(server.url("/slow")));
  await events.seen("request");
  client.reset();
  assertEquals((await exchange(proxy, server.url("/fast"))).text, "fine");
  gate.open();
  await events.seen("error");
  assertEquals([events.count("complete"), events.count("error")], [1, 1]);
});

Deno.test("async hooks of one flow wait for each other, in the order of the addons; other flows do not wait", async () => {
  const order: string[] = [];
  const entered = new Gate(), gate = new Gate();
  await using server = await origin(withLength("fine"));
  const first: Addon = {
    async request(flow) {
      if (flow.request.path !== "/slow") return;
      order.push("first begins");
      entered.open();
      await gate.opened;
      order.push("first ends");
    },
  };
  const second: Addon = {
    request: (flow) => void order.push(`second ${flow.request.path}`),
  };
  await using proxy = await startProxy([first, second]);
  const slow = exchange(proxy, server.url("/slow"));
  await within(SOON, entered.opened, "the slow hook");
  assertEquals((await exchange(proxy, server.url("/fast"))).text, "fine");
  gate.open();
  assertEquals((await slow).text, "fine");
  assertEquals(order, ["first begins", "second /fast", "first ends", "second /slow"]);
});

for (const point of POINTS) {
  Deno.test(`an addon that throws in ${point}: the flow goes on as if the hook had not run`, async () => {
    await using server = await origin(withChunks(["fi", "ne"]));
    const broken: Addon = {
      [point]: (flow: HttpFlow) => {
        flow.request.headers.set("X-Broken", "1");
        flow.response?.headers.set("X-Broken", "1");
        throw new Error("oops");
      },
    };
    const after: HttpHook[] = [];
    await using proxy = await startProxy([broken, { [point]: () => void after.push(point) }]);
    const seen = await exchange(proxy, server.url());
    assertEquals([seen.text, seen.head.get("x-broken")], ["fine", null]);
    assertEquals(server.requests[0].get("x-broken"), null);
    assertEquals(after, [point]);
    await proxy.logged(/^error.*oops/);
  });
}

Deno.test("the log names file and line of an addon that throws", async () => {
  await using server = await origin(withLength("fine"));
  await using weir = await startWeir({
    addon: `import type { HttpFlow } from "weir";
enum Kind { Bad = "bad" }
export async function request(flow: HttpFlow): Promise<void> {
  await 0;
  throw new Error(Kind.Bad + flow.request.path);
}
`,
  });
  assertEquals((await exchange(weir, server.url("/x"))).text, "fine");
  const [line] = await weir.waitForLog(/.*bad\/x.*/);
  assertStringIncludes(line, "addon.ts:5");
  await weir.stop();
});

function streamOf(...parts: string[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  return ReadableStream.from(parts).pipeThrough(new TextEncoderStream());
}
