/**
 * Downstream: CONNECT (RFC 9110 §9.3.6). A client asks for a tunnel. What comes through it is looked at elsewhere.
 * @module
 */
import { WeirError } from "../errors.ts";
import { HttpFlow } from "../flow/flow.ts";
import { Request } from "../flow/request.ts";
import type { Response } from "../flow/response.ts";
import { errorPage, Headers, type IncomingExchange } from "../http/mod.ts";
import { internals } from "../internals.ts";
import type { Conn } from "../net/mod.ts";
import { BodyPlan } from "./body_plan.ts";
import type { Client } from "./client.ts";
import type { ProxyContext } from "./context.ts";
import { isIgnored } from "./host_rules.ts";
import type { Origin } from "./route.ts";
import { dialRaw, hangUp } from "./tunnel.ts";
import type { Dialed } from "./upstream_dialer.ts";
import { webBody } from "./web_body.ts";

/**
 * Answers a CONNECT, and has what comes through the tunnel served. A host that is to be left alone is connected to first, and
 * its bytes pass.
 */
export async function runConnect(
  client: Client,
  incoming: IncomingExchange,
  serve: (tunnel: Conn, origin: Origin) => Promise<void>,
): Promise<void> {
  const { context: { hooks, log, options, gate = null } } = client;
  const flow = new HttpFlow(new Request(incoming.head), client.facts);
  flow[internals].log = log;
  flow[internals].proxy = client.via;
  flow[internals].kill = (how) =>
    incoming.abort(new WeirError("weir", "killed", "The flow was killed."), how);
  let passage = gate?.connect(flow) ?? null;
  if (passage instanceof globalThis.Response) flow.response = passage;
  const asked = flow.request.url;
  await hooks.trigger("http_connect", flow);
  if (flow[internals].killed) return;
  // What an addon has changed is decided again.
  const isChanged = asked !== flow.request.url ||
    passage instanceof globalThis.Response && flow.response === null;
  if (gate !== null && isChanged) {
    passage = gate.connect(flow);
    if (passage instanceof globalThis.Response) flow.response = passage;
  }
  if (flow.response !== null) return await refuse(client, incoming, flow);

  const { host, port } = flow.request;
  const origin: Origin = { scheme: "http", host, port, via: flow[internals].proxy };
  if (passage === "opaque" || isIgnored(options, [origin])) {
    return await passThrough(client, origin, incoming, flow);
  }
  await accept(incoming);
  const tunnel = killable(flow, incoming.takeOver());
  await hooks.trigger("http_connected", flow);
  await serve(tunnel, origin);
}

/** An addon has answered: there is no tunnel. */
async function refuse({ context }: Client, incoming: IncomingExchange, flow: HttpFlow): Promise<void> {
  let plan = await planOf(context, flow.response!);
  try {
    await context.hooks.trigger("http_connect_error", flow);
    const state = flow[internals];
    if (state.killed) return;
    state.kill = null;
    state.ended = true;
    if (flow.response !== null && flow.response !== plan.message) {
      plan.release();
      plan = await planOf(context, flow.response);
    }
    await incoming.respond(plan.message as Response, plan.outgoing());
  } finally {
    plan.release();
  }
}

/** An answer whose body was read, so that its size and content are there for hooks. */
async function planOf(context: ProxyContext, response: Response): Promise<BodyPlan> {
  const plan = new BodyPlan(context, response, await webBody(response, context.log));
  await plan.settle((limit) => new WeirError("weir", "limit", `An addon's answer is over ${limit} bytes.`));
  return plan;
}

/** The client is answered when the origin is there, or cannot be reached. */
async function passThrough(
  client: Client,
  origin: Origin,
  incoming: IncomingExchange,
  flow: HttpFlow,
): Promise<void> {
  const { context, facts } = client;
  let upstream: Dialed;
  try {
    upstream = await dialRaw(context, origin, facts);
  } catch (error) {
    if (context.gate && error instanceof WeirError && error.code === "policy") {
      flow.response = context.gate.refuse(flow, error);
      return await refuse(client, incoming, flow);
    }
    const { head, body } = errorPage(WeirError.from(error, "weir", "internal", "weir failed"));
    return await incoming.respond(head, body);
  }
  try {
    await accept(incoming);
  } catch (error) {
    await hangUp(context, upstream, facts);
    throw error;
  }
  const tunnel = killable(flow, incoming.takeOver());
  await context.hooks.trigger("http_connected", flow);
  await client.relay(tunnel, upstream, { isLeftAlone: true });
}

/** What went through a CONNECT ends when its flow is killed; whoever runs it then ends the other side. */
function killable(flow: HttpFlow, tunnel: Conn): Conn {
  flow[internals].kill = () => tunnel.reset();
  return tunnel;
}

function accept(incoming: IncomingExchange): Promise<void> {
  return incoming.respond(
    { statusCode: 200, reason: "Connection established", httpVersion: "HTTP/1.1", headers: new Headers() },
    null,
  );
}
