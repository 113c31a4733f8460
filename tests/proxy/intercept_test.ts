import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { Addon } from "../../src/hooks/mod.ts";
import { FirstBytes } from "../../src/net/mod.ts";
import { Client, ClientFacts } from "../../src/proxy/client.ts";
import { intercept } from "../../src/proxy/intercept.ts";
import { TLS_HANDSHAKE } from "../../src/proxy/protocol.ts";
import type { Origin } from "../../src/proxy/route.ts";
import { clientHandshake, Leaves, loadAuthority } from "../../src/tls/mod.ts";
import { serverConn } from "../support/addon_host.ts";
import { latin1, type MemoryConn, memoryConnPair } from "../support/memory_conn.ts";
import { utf8 } from "../streams/support.ts";
import { inDirectory } from "../tls/openssl.ts";
import { proxyContext } from "./support.ts";

const ORIGIN: Origin = { scheme: "https", host: "a.example", port: 443 };

/** One TLS connection on its way to `origin`. `use` is its client; gives what is known of it, the log and the other end. */
async function intercepted(
  use: (below: MemoryConn, ca: string, far: MemoryConn) => Promise<void>,
  given: { addon?: Addon; origin?: Origin | null } = {},
) {
  const seen: string[] = [];
  const [dialed, far] = memoryConnPair();
  let result: { facts: ClientFacts; lines: string[]; seen: string[]; far: MemoryConn };
  await inDirectory(async (directory) => {
    const authority = await loadAuthority(directory);
    const leaves = new Leaves(authority);
    const [below, conn] = memoryConnPair();
    const { context, lines } = proxyContext(
      () => Promise.reject(new Error("unused")),
      [given.addon ?? {}],
      {},
      {
        certificates: {
          prepare: () => Promise.resolve(),
          warn: () => Promise.resolve(),
          offerFor: async (origin, sni) => ({
            leaf: await leaves.leafFor({ host: sni ?? origin?.host ?? "weir" }),
            upstreamAlpn: "h2",
            requestsCertificate: false,
            isLoggable: true,
          }),
        },
        pool: {
          acquire: () => Promise.reject(new Error("unused")),
          connect: ({ scheme, host, port }) => {
            seen.push(`dial ${scheme}://${host}:${port}`);
            return Promise.resolve({ conn: dialed, serverConn });
          },
          connectAhead: () => Promise.reject(new Error("unused")),
          release: () => {},
        },
      },
    );
    const facts = new ClientFacts(conn, "regular");
    const running = intercept(
      new Client(context, facts, {}),
      new FirstBytes(conn),
      given.origin === undefined ? ORIGIN : given.origin,
      {
        keepsSni: true,
        serve: (inner) => {
          seen.push(`serve ${latin1(inner.bytes)}`);
          return Promise.resolve();
        },
      },
    );
    await use(below, await Deno.readTextFile(authority.certificatePath), far);
    await running;
    conn.close();
    below.close();
    result = { facts, lines, seen, far };
  });
  return result!;
}

const CLIENT = { servername: "b.example", alpn: ["h2", "http/1.1"], verify: true };

Deno.test("TLS is ended with a certificate for the name that was asked for, and what is in it is served", async () => {
  const { facts, lines, seen, far } = await intercepted(async (below, ca) => {
    const tls = await clientHandshake(below, { ...CLIENT, ca: [ca] });
    assertEquals(tls.tls?.alpn, "h2");
    await tls.write(utf8("hello"));
    tls.close();
  });
  assertEquals([seen, lines], [["serve hello"], []]);
  assertEquals([facts.tls?.sni, facts.tls?.alpn, facts.alpnOffers], ["b.example", "h2", CLIENT.alpn]);
  assert(facts.timestampTlsSetup !== null && facts.shownCertificate !== null);
  far.close();
});

Deno.test("tls_clienthello sees the offer, and may have the connection pass untouched", async () => {
  const offers: unknown[] = [];
  const { facts, seen } = await intercepted(async (below, _ca, far) => {
    const failed = assertRejects(() => clientHandshake(below, CLIENT));
    const into = new Uint8Array(1);
    await far.read(into);
    assertEquals(into[0], TLS_HANDSHAKE);
    far.close();
    await failed;
  }, {
    addon: {
      tls_clienthello(data) {
        offers.push([data.sni, data.alpn, data.serverAddress]);
        data.ignore = true;
      },
    },
  });
  assertEquals(offers, [["b.example", CLIENT.alpn, { hostname: "a.example", port: 443 }]]);
  assertEquals([seen, facts.tls], [["dial http://a.example:443"], null]);
});

Deno.test("a client that does not trust the certificate is told of in the log, by name", async () => {
  for (const origin of [ORIGIN, null]) {
    const { lines, seen, far } = await intercepted(async (below) => {
      await assertRejects(() => clientHandshake(below, CLIENT));
    }, { origin });
    assertEquals([seen, lines.length], [[], 1]);
    assertStringIncludes(lines[0], "TLS with the client failed (b.example): ");
    assertEquals(lines[0].includes("it spoke TLS to weir itself"), origin === null);
    far.close();
  }
});
