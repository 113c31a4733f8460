/** Traces over OpenTelemetry, and `trace_context` (fleet.md). @module */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { exchange } from "./support/client.ts";
import { origin, withLength } from "./support/origin.ts";
import { startWeir } from "./support/weir.ts";
import { SOON, within } from "./support/within.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c", SPAN = "b7ad6b7169203331";
const CLIENTS = `00-${TRACE}-${SPAN}-01`;

interface SeenSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly kind: number;
  readonly attributes: Record<string, unknown>;
  readonly events: string[];
  readonly status: number;
}

/** Takes spans as an OTLP collector does. */
class Collector implements AsyncDisposable {
  readonly spans: SeenSpan[] = [];
  readonly #server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const body = await request.json();
    for (const { scopeSpans } of body.resourceSpans ?? []) {
      for (const { scope, spans } of scopeSpans) {
        if (scope.name === "weir") this.spans.push(...spans.map(seen));
      }
    }
    return Response.json({});
  });

  get env(): Record<string, string> {
    const { port } = this.#server.addr;
    return {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_BSP_SCHEDULE_DELAY: "100",
    };
  }

  async take(count: number): Promise<SeenSpan[]> {
    const taken = async () => {
      while (this.spans.length < count) await new Promise((resolve) => setTimeout(resolve, 20));
    };
    await within(SOON, taken(), `${count} spans`);
    return this.spans.splice(0);
  }

  async [Symbol.asyncDispose]() {
    await this.#server.shutdown();
  }
}

// deno-lint-ignore no-explicit-any -- what JSON says
function seen(span: any): SeenSpan {
  // deno-lint-ignore no-explicit-any -- what JSON says
  const attributes = span.attributes.map(({ key, value }: any) => [key, Object.values(value)[0]]);
  return {
    ...span,
    attributes: Object.fromEntries(attributes),
    events: span.events.map(({ name }: { name: string }) => name),
    status: span.status?.code ?? 0,
  };
}

const SERVER = 2, CLIENT = 3, ERROR = 2;

Deno.test("an exchange is a server span with a client span in it, below the client's, and the origin hears of it", async () => {
  await using collector = await Promise.resolve(new Collector());
  await using server = await origin(withLength("x"));
  await using weir = await startWeir({ env: collector.env });
  const fields = `traceparent: ${CLIENTS}\r\ntracestate: a=1\r\nuser-agent: t\r\n`;
  await exchange(weir, server.url("/a?b=1"), { fields });
  const spans = await collector.take(2);
  const outer = spans.find(({ kind }) => kind === SERVER)!,
    inner = spans.find(({ kind }) => kind === CLIENT)!;
  assertEquals([outer.traceId, outer.parentSpanId], [TRACE, SPAN]);
  assertEquals([inner.traceId, inner.parentSpanId], [TRACE, outer.spanId]);
  const request = server.requests[0];
  assertEquals(request.get("traceparent"), `00-${TRACE}-${inner.spanId}-01`);
  assertEquals(request.get("tracestate"), "a=1");
  const { attributes } = outer;
  assertEquals(attributes["http.request.method"], "GET");
  assertEquals(attributes["url.path"], "/a");
  assertEquals(attributes["url.query"], "b=1");
  assertEquals(Number(attributes["http.response.status_code"]), 200);
  assertEquals(attributes["user_agent.original"], "t");
  assertEquals(inner.attributes["url.full"], server.url("/a?b=1"));
  assertEquals(outer.events, ["requestheaders", "request", "responseheaders", "response"]);

  await exchange(weir, "http://127.0.0.1:1/");
  const failed = await collector.take(2);
  assertEquals(failed.map(({ status, attributes }) => [status, attributes["error.type"]]), [
    [ERROR, "unreachable"],
    [ERROR, "unreachable"],
  ]);
  assert(failed.every(({ traceId }) => traceId !== TRACE));
});

Deno.test("trace_context start begins a trace, off leaves the field alone; both keep out of the client's trace", async () => {
  await using collector = await Promise.resolve(new Collector());
  await using server = await origin(withLength("x"));
  for (const mode of ["start", "off"]) {
    await using weir = await startWeir({ env: collector.env, args: ["--set", `trace_context=${mode}`] });
    await exchange(weir, server.url("/"), { fields: `traceparent: ${CLIENTS}\r\n` });
    const spans = await collector.take(2);
    assert(spans.every(({ traceId }) => traceId !== TRACE), mode);
    const field = server.requests.at(-1)!.get("traceparent");
    if (mode === "off") assertEquals(field, CLIENTS);
    else {assertEquals(
        field,
        `00-${spans[0].traceId}-${spans.find(({ kind }) => kind === CLIENT)!.spanId}-01`,
      );}
  }
});

Deno.test("without OpenTelemetry the field is untouched, but with trace_context start", async () => {
  await using server = await origin(withLength("x"));
  for (const mode of ["propagate", "start", "off"]) {
    await using weir = await startWeir({ args: ["--set", `trace_context=${mode}`] });
    await exchange(weir, server.url("/"), { fields: `traceparent: ${CLIENTS}\r\n` });
    const field = server.requests.at(-1)!.get("traceparent");
    if (mode !== "start") assertEquals(field, CLIENTS);
    else {
      assertMatch(field!, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
      assert(!field!.includes(TRACE));
    }
  }
});
