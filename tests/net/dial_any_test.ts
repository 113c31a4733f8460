import { assertEquals, assertRejects } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { firstOf } from "../../src/net/dial_any.ts";
import { dialAny } from "../../src/net/mod.ts";
import { FakeClock, turn } from "../support/fake_clock.ts";

const options = { side: "server", name: "name.example" } as const;

/** A port of 127.0.0.2 that nobody listens on, and 127.0.0.1 does. */
function listener(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

Deno.test("the next address is tried at once when one refuses", async () => {
  using server = listener();
  const conn = await dialAny(["127.0.0.2", "127.0.0.3", "127.0.0.1"], server.addr.port, options);
  assertEquals(conn.remoteAddr.hostname, "127.0.0.1");
  conn.close();
  (await server.accept()).close();
});

Deno.test("the first that answers is taken, and no other connection is left", async () => {
  using server = listener();
  using other = Deno.listen({ hostname: "127.0.0.2", port: server.addr.port });
  const conn = await dialAny(["127.0.0.1", "127.0.0.2"], server.addr.port, options);
  assertEquals(conn.remoteAddr.hostname, "127.0.0.1");
  conn.close();
  (await server.accept()).close();
  other.close();
});

Deno.test("when all fail the error names the host, not its addresses", async () => {
  using server = listener();
  const { port } = server.addr;
  const error = await assertRejects(() => dialAny(["127.0.0.2", "127.0.0.3"], port, options), WeirError);
  assertEquals([error.side, error.code], ["server", "unreachable"]);
  assertEquals(error.message, `Connecting to name.example:${port} failed: connection refused.`);
});

Deno.test("an abort ends all attempts with its reason", async () => {
  using server = listener();
  const reason = new WeirError("weir", "shutdown", "weir is stopping.");
  const signal = AbortSignal.abort(reason);
  const dialing = dialAny(["127.0.0.1", "127.0.0.2"], server.addr.port, { ...options, signal });
  assertEquals(await assertRejects(() => dialing, WeirError), reason);
});

/** Attempts in a test's hands. */
class Attempts {
  readonly log: string[] = [];
  readonly #waiting = new Map<string, PromiseWithResolvers<{ close(): void }>>();

  readonly connect = (address: string, signal: AbortSignal) => {
    this.log.push(address);
    signal.addEventListener("abort", () => this.log.push(`${address} aborted`));
    const attempt = Promise.withResolvers<{ close(): void }>();
    this.#waiting.set(address, attempt);
    return attempt.promise;
  };

  answer(address: string): void {
    this.#waiting.get(address)!.resolve({ close: () => void this.log.push(`${address} closed`) });
  }

  refuse(address: string): void {
    this.#waiting.get(address)!.reject(new Error(`${address} refuses`));
  }
}

Deno.test("a slow address has 250 ms before the next is tried beside it; who comes late is closed", async () => {
  using clock = new FakeClock();
  const attempts = new Attempts();
  const first = firstOf(["a", "b", "c"], attempts.connect);
  await clock.pass(249);
  assertEquals(attempts.log, ["a"]);
  await clock.pass(1);
  assertEquals(attempts.log.splice(0), ["a", "b"]);
  attempts.answer("b");
  attempts.answer("a");
  await first;
  await turn();
  assertEquals(attempts.log.toSorted(), ["a aborted", "a closed", "b aborted"]);
  assertEquals(clock.timers, 0);
});

Deno.test("one that fails late does not start others again, and the last failure is told", async () => {
  using clock = new FakeClock();
  const attempts = new Attempts();
  const first = firstOf(["a", "b"], attempts.connect);
  await clock.pass(250);
  attempts.refuse("b");
  await turn();
  assertEquals(attempts.log, ["a", "b"]);
  attempts.refuse("a");
  await assertRejects(() => first, Error, "a refuses");
  assertEquals(clock.timers, 0);
});
