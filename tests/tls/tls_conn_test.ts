import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { within } from "../e2e/support/within.ts";
import { type Conn, dial, listen, TcpConn } from "../../src/net/mod.ts";
import { clientHandshake, type Leaf, Leaves, loadAuthority, serverHandshake } from "../../src/tls/mod.ts";
import type { ClientHandshakeOptions } from "../../src/tls/handshake.ts";
import { settled } from "../support/fake_clock.ts";
import { byteByByte, latin1, memoryConnPair, type Split, whole } from "../support/memory_conn.ts";
import { prefixed } from "../support/prefixed.ts";
import { inDirectory, openssl } from "./openssl.ts";

interface Setup {
  leaf: Leaf;
  ca: string;
  caPath: string;
}

async function withLeaf(use: (setup: Setup) => Promise<void>, host = "localhost"): Promise<void> {
  await inDirectory(async (directory) => {
    const authority = await loadAuthority(directory);
    const leaf = await new Leaves(authority).leafFor({ host });
    const caPath = authority.certificatePath;
    await use({ leaf, ca: Deno.readTextFileSync(caPath), caPath });
  });
}

const CLIENT = { servername: "localhost", alpn: ["h2", "http/1.1"], verify: true };

/** A session in memory: the client's end, the server's, and what lies below. */
async function session(
  { leaf, ca }: Setup,
  options: { client?: Partial<ClientHandshakeOptions>; alpn?: string[]; split?: Split; capacity?: number } =
    {},
) {
  const [below, belowServer] = memoryConnPair({ split: options.split ?? whole, capacity: options.capacity });
  const [client, server] = await Promise.all([
    clientHandshake(below, { ...CLIENT, ca: [ca], ...options.client }),
    serverHandshake(belowServer, { secureContext: leaf.context, alpn: options.alpn ?? ["h2", "http/1.1"] }),
  ]);
  return { client, server, below, belowServer };
}

async function readToEnd(conn: Conn, size = 1000): Promise<string> {
  const into = new Uint8Array(size);
  let text = "";
  for (let count; (count = await conn.read(into)) !== null;) text += latin1(into.subarray(0, count));
  return text;
}

async function readAll(conn: Conn): Promise<number> {
  const into = new Uint8Array(64 * 1024);
  let total = 0;
  for (let count; (count = await conn.read(into)) !== null;) total += count;
  return total;
}

/** What came over a session, if there was one. */
async function received(handshake: Promise<Conn>): Promise<string> {
  const conn = await handshake.catch(() => null);
  const text = await (conn === null ? "" : readToEnd(conn).catch(() => ""));
  conn?.reset();
  return text;
}

const bytes = (text: string) => new TextEncoder().encode(text);

/** Accepts one TCP connection while `connect` makes it. */
async function accepted<T>(connect: (port: number) => Promise<T>): Promise<[T, TcpConn]> {
  const listener = listen({ hostname: "127.0.0.1", port: 0 });
  const iterator = listener[Symbol.asyncIterator]();
  const [other, next] = await Promise.all([connect(listener.addr.port), iterator.next()]);
  listener.close();
  assert(!next.done);
  return [other, next.value];
}

for (const [what, split] of [["whole", whole], ["byte by byte", byteByByte]] as const) {
  Deno.test(`data and ends go both ways, ciphertext ${what}`, async () => {
    await withLeaf(async (setup) => {
      const { client, server, below } = await session(setup, { split });
      assertEquals([client.tls?.alpn, client.tls?.version], ["h2", "TLSv1.3"]);
      assertEquals([server.tls?.alpn, server.tls?.sni], ["h2", "localhost"]);
      assert(client.tls?.cipher?.startsWith("TLS_"));
      assertEquals(server.tls?.peerCertificate, null);
      assertStringIncludes(
        setup.leaf.cert.replaceAll("\n", ""),
        (client.tls?.peerCertificate as Uint8Array<ArrayBuffer>).toBase64(),
      );
      await client.write(bytes("question"));
      await client.closeWrite();
      assertEquals(await readToEnd(server, 3), "question");
      await server.write(bytes("answer"));
      await server.write(new Uint8Array(0));
      await server.closeWrite();
      assertEquals(await readToEnd(client), "answer");
      assertEquals(await client.read(new Uint8Array(1)), null);
      assertEquals([client.truncated, server.truncated], [false, false]);
      assertEquals(below.writeEnded, true);
      client.close();
      server.close();
      assertEquals(below.closed, true);
    });
  });
}

Deno.test("a large transfer in both directions at once arrives whole", async () => {
  await withLeaf(async (setup) => {
    const { client, server } = await session(setup);
    const SIZE = 3_000_000;
    const data = Uint8Array.from({ length: SIZE }, (_, i) => i * 31 >> 3);
    const take = async (conn: Conn) => {
      const all = new Uint8Array(SIZE);
      let at = 0;
      for (let count; (count = await conn.read(all.subarray(at, at + 70_000))) !== null;) {
        if ((at += count) === SIZE) break;
      }
      return all;
    };
    const [atServer, atClient] = await Promise.all([
      take(server),
      take(client),
      client.write(data),
      server.write(data),
    ]);
    assert(atServer.every((byte, i) => byte === data[i]));
    assert(atClient.every((byte, i) => byte === data[i]));
    client.close();
    server.close();
  });
});

Deno.test("a writer waits for a reader that does not read, and ciphertext is not read ahead", async () => {
  await withLeaf(async (setup) => {
    const { client, server, belowServer } = await session(setup);
    let sent = 0;
    const chunk = new Uint8Array(64 * 1024);
    const writing = (async () => {
      for (; sent < 40; sent++) await client.write(chunk);
      await client.closeWrite();
    })();
    await Promise.race([belowServer.peerStuck, writing]);
    await settled(() => sent + belowServer.bytesRead);
    const before = belowServer.bytesRead;
    assert(sent <= 1, `${sent} writes were taken by a pipe of 64 KiB`);
    assertEquals(await server.read(new Uint8Array(1)), 1);
    const ahead = belowServer.bytesRead - before;
    assert(ahead <= 256 * 1024, `${ahead} bytes were read for one`);
    assertEquals(await readAll(server), 40 * chunk.length - 1);
    await writing;
    client.close();
    server.close();
  });
});

Deno.test("an end without close_notify is an end that says it is truncated", async () => {
  await withLeaf(async (setup) => {
    const { client, server, below } = await session(setup);
    await client.write(bytes("part"));
    await below.closeWrite();
    assertEquals(await readToEnd(server), "part");
    assertEquals(server.truncated, true);
    assertEquals(await server.read(new Uint8Array(1)), null);
    client.close();
    server.close();
  });
});

Deno.test("reset goes through to the connection below and is no clean end for the peer", async () => {
  await withLeaf(async (setup) => {
    const { client, server, below } = await session(setup);
    const reading = assertRejects(() => client.read(new Uint8Array(1)), WeirError, "closed here");
    const peer = assertRejects(() => readToEnd(server), WeirError);
    client.reset();
    assertEquals(below.wasReset, true);
    await reading;
    assertEquals((await peer).side, "client");
    await assertRejects(() => client.write(bytes("x")), WeirError);
    await assertRejects(() => server.write(bytes("x")), WeirError);
    client.reset();
    client.close();
    server.close();
  });
});

Deno.test("broken ciphertext fails the session on both roles", async () => {
  await withLeaf(async (setup) => {
    for (const role of ["client", "server"] as const) {
      const { client, server, below, belowServer } = await session(setup);
      const [victim, wire] = role === "server" ? [server, below] : [client, belowServer];
      await wire.write(Uint8Array.of(23, 3, 3, 0, 32, ...new Array(32).fill(1)));
      const error = await assertRejects(() => readToEnd(victim), WeirError);
      assertEquals(error.code, "tls");
      await assertRejects(() => victim.write(bytes("x")), WeirError);
      client.close();
      server.close();
    }
  });
});

Deno.test("a write that fails leaves readable what the peer has sent", async () => {
  await withLeaf(async (setup) => {
    const { client, server, below } = await session(setup);
    await server.write(bytes("413, and goodbye"));
    await server.closeWrite();
    below.write = () => Promise.reject(new WeirError("server", "closed", "broken pipe"));
    for (let i = 0; i < 2; i++) {
      await assertRejects(() => client.write(bytes("upload")), WeirError, "broken pipe");
    }
    assertEquals(await readToEnd(client), "413, and goodbye");
    client.close();
    server.close();
  });
});

Deno.test("what arrives before node has started its session harms nobody", async () => {
  await withLeaf(async ({ leaf }) => {
    for (
      const garbage of [
        "GET / HTTP/1.1\r\n\r\n",
        "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
        "\x15\x03\x03\x00\x02\x02\x28",
      ]
    ) {
      const [peer, below] = memoryConnPair();
      const conn = prefixed(below, Uint8Array.from(garbage, (char) => char.charCodeAt(0)));
      const error = await assertRejects(
        () => serverHandshake(conn, { secureContext: leaf.context, alpn: [] }),
        WeirError,
      );
      assertEquals(error.code, "tls");
      peer.close();
    }
  });
});

Deno.test("close waits for no peer that reads nothing", async () => {
  await withLeaf(async (setup) => {
    const { client, server, below } = await session(setup);
    const stuck = Promise.withResolvers<void>();
    below.write = () => stuck.promise;
    client.close();
    await assertRejects(() => client.read(new Uint8Array(1)), WeirError, "closed here");
    // How a connection ends in which something was left unread is not the point here.
    await within(2000, readToEnd(server).catch(() => {}), "the end");
    assertEquals(below.closed, true);
    stuck.resolve();
    server.close();
  });
});

Deno.test("closing while a write is stuck rejects the write", async () => {
  await withLeaf(async (setup) => {
    const { client, server, belowServer } = await session(setup);
    const writing = assertRejects(() => client.write(new Uint8Array(1024 * 1024)), WeirError);
    await belowServer.peerStuck;
    client.close();
    await writing;
    server.close();
  });
});

Deno.test("over TCP, close sends close_notify in time and reset is a RST", async () => {
  await withLeaf(async (setup) => {
    for (const how of ["close", "reset"] as const) {
      const [raw, tcp] = await accepted((port) => dial("127.0.0.1", port, { side: "server" }));
      const [client, server] = await Promise.all([
        clientHandshake(raw, { ...CLIENT, ca: [setup.ca] }),
        serverHandshake(tcp, { secureContext: setup.leaf.context, alpn: [] }),
      ]);
      assertEquals([server.tls?.alpn, client.tls?.alpn], [null, null]);
      await server.write(bytes("bye"));
      assertEquals(await client.read(new Uint8Array(3)), 3);
      server[how]();
      if (how === "close") {
        assertEquals(await client.read(new Uint8Array(1)), null);
        assertEquals(client.truncated, false);
      } else {
        assertStringIncludes((await assertRejects(() => readToEnd(client), WeirError)).message, "reset");
      }
      client.close();
    }
  });
});

Deno.test("a certificate that is not accepted: host, reason and code in one sentence", async () => {
  await withLeaf(async (setup) => {
    const refused = async (leaf: Pick<Leaf, "context">, client: Partial<ClientHandshakeOptions>) => {
      const [below, belowServer] = memoryConnPair();
      const server = received(serverHandshake(belowServer, { secureContext: leaf.context, alpn: [] }));
      const error = await assertRejects(
        () => clientHandshake(below, { ...CLIENT, alpn: [], ...client }),
        WeirError,
      );
      assertEquals([error.side, error.code, error.statusCode], ["server", "tls", 502]);
      assertEquals(await server, "", "nothing is sent to a server that was not accepted");
      assertEquals([below.closed, belowServer.closed], [true, true]);
      return error.message;
    };
    const { leaf, ca } = setup;
    const unknown = await refused(leaf, { host: "localhost:443" });
    assertStringIncludes(
      unknown,
      "certificate of localhost:443 was not accepted: it comes from an unknown issuer",
    );
    const wrong = await refused(leaf, { servername: "other.example", ca: [ca] });
    assertStringIncludes(wrong, "wrong host (its names: localhost)");
    await refused(leaf, { servername: "127.0.0.1", ca: [ca] });
  });
});

Deno.test("self-signed and expired upstream certificates are called so", async () => {
  const { createSecureContext } = await import("node:tls");
  const x509 = await import("@peculiar/x509");
  const DAY = 86_400_000;
  const generate = () =>
    crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  await inDirectory(async (directory) => {
    const authority = await loadAuthority(directory);
    const make = async (notAfter: number, issuer: typeof authority | null) => {
      const keys = await generate();
      const certificate = await x509.X509CertificateGenerator.create({
        subject: "CN=x",
        issuer: issuer === null ? "CN=x" : new x509.X509Certificate(issuer.certificate).subjectName,
        publicKey: keys.publicKey,
        signingKey: issuer?.key ?? keys.privateKey,
        signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
        notBefore: new Date(Date.now() - 10 * DAY),
        notAfter: new Date(notAfter),
        extensions: [new x509.SubjectAlternativeNameExtension([{ type: "dns", value: "localhost" }])],
      });
      const key = x509.PemConverter.encode(
        await crypto.subtle.exportKey("pkcs8", keys.privateKey),
        "PRIVATE KEY",
      );
      return createSecureContext({ key, cert: certificate.toString("pem") });
    };
    const cases = [
      [await make(Date.now() + DAY, null), "it is self-signed (DEPTH_ZERO_SELF_SIGNED_CERT)"],
      [await make(Date.now() - DAY, authority), "it has expired (CERT_HAS_EXPIRED)"],
    ] as const;
    const ca = [Deno.readTextFileSync(authority.certificatePath)];
    for (const [secureContext, reason] of cases) {
      const [below, belowServer] = memoryConnPair();
      const server = received(serverHandshake(belowServer, { secureContext, alpn: [] }));
      const error = await assertRejects(() => clientHandshake(below, { ...CLIENT, ca }), WeirError);
      assertStringIncludes(error.message, reason);
      await server;
    }
  });
});

Deno.test("without verification everything is accepted, and its session is no way around verification later", async () => {
  await withLeaf(async (setup) => {
    for (let i = 0; i < 3; i++) {
      const { client, server } = await session(setup, { client: { verify: false, ca: [] } });
      await server.write(bytes("tickets are here before this"));
      await client.read(new Uint8Array(100));
      client.close();
      server.close();
    }
    await assertRejects(() => session(setup, { client: { ca: [] } }), WeirError);
  });
});

Deno.test("trusted certificates that are not PEM are an error, not silently nothing", async () => {
  const [below] = memoryConnPair();
  const error = await assertRejects(() => clientHandshake(below, { ...CLIENT, ca: ["nonsense"] }), WeirError);
  assertStringIncludes(error.message, "no certificate in it");
  assertEquals(below.closed, true);
});

Deno.test("a peer that says nothing, ends, or speaks something else ends the handshake with the reason", async () => {
  await withLeaf(async ({ leaf }) => {
    const attempt = async (
      act: (peer: ReturnType<typeof memoryConnPair>[0]) => Promise<void>,
      timeout = 5000,
    ) => {
      const [peer, below] = memoryConnPair();
      const failed = assertRejects(
        () => serverHandshake(below, { secureContext: leaf.context, alpn: ["h2"], timeout }),
        WeirError,
      );
      await act(peer);
      const error = await failed;
      assertEquals([error.side, below.closed], ["client", true]);
      return error;
    };
    const silent = await attempt(async () => {}, 50);
    assertEquals(silent.code, "timeout");
    const ended = await attempt((peer) => peer.closeWrite());
    assertEquals(ended.code, "closed");
    assertStringIncludes(ended.message, "weir-ca-cert.pem");
    assertEquals((await attempt((peer) => peer.writeText("GET / HTTP/1.1\r\n\r\n"))).code, "tls");
    assertEquals((await attempt((peer) => Promise.resolve(peer.reset()))).code, "closed");
    const untrusting = await attempt((peer) => peer.write(Uint8Array.of(21, 3, 3, 0, 2, 2, 48)));
    assertEquals(untrusting.code, "tls");
    assertStringIncludes(untrusting.message, "refused the certificate (UnknownCA)");
    assertStringIncludes(untrusting.message, "weir-ca-cert.pem");
  });
  const [below] = memoryConnPair();
  const error = await assertRejects(() => clientHandshake(below, { ...CLIENT, timeout: 50 }), WeirError);
  assertEquals([error.side, error.code, error.statusCode], ["server", "timeout", 504]);
});

Deno.test("curl verifies a session, and says which protocol it got", async () => {
  await withLeaf(async ({ leaf, caPath }) => {
    const get = async (port: number, ...args: string[]) => {
      const url = `https://localhost:${port}/`;
      const common = [
        "-s",
        "-m",
        "10",
        "--noproxy",
        "*",
        "--cacert",
        caPath,
        "-w",
        "%{http_version} %{ssl_verify_result}",
      ];
      const { code, stdout } = await new Deno.Command("curl", { args: [...common, ...args, url] }).output();
      return `${code} ${new TextDecoder().decode(stdout)}`;
    };
    const listener = listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    const served = (async () => {
      const outcomes: string[] = [];
      for await (const tcp of listener) {
        try {
          const conn = await serverHandshake(tcp, { secureContext: leaf.context, alpn: ["http/1.1"] });
          await conn.read(new Uint8Array(4096));
          await conn.write(bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
          // curl ends first: what it has not read when it closes makes the system reset the connection.
          outcomes.push(`${conn.tls?.version} ${await conn.read(new Uint8Array(1))} ${conn.truncated}`);
          conn.close();
        } catch (thrown) {
          outcomes.push(String(thrown));
        }
      }
      return outcomes;
    })();
    assertEquals(await get(port), "0 ok1.1 0");
    assertEquals(await get(port, "--tls-max", "1.2"), "0 ok1.1 0");
    // 60: the certificate was not accepted.
    assert((await get(port, "--cacert", "/etc/hostname", "--capath", "/nonexistent")).startsWith("77 "));
    const { leaf: other } = await new Promise<Setup>((resolve) =>
      withLeaf((setup) => Promise.resolve(resolve(setup)))
    );
    const otherCa = await Deno.makeTempFile();
    Deno.writeTextFileSync(otherCa, other.cert.slice(other.cert.lastIndexOf("-----BEGIN")));
    assert((await get(port, "--cacert", otherCa)).startsWith("60 "));
    await Deno.remove(otherCa);
    listener.close();
    const [one, two, ...rest] = await served;
    assertEquals([one, two], ["TLSv1.3 null false", "TLSv1.2 null false"]);
    assertStringIncludes(rest.at(-1)!, "weir-ca-cert.pem");
  });
});

Deno.test("a client that offers only other protocols gets an alert that says so", async () => {
  await withLeaf(async ({ leaf }) => {
    const [judged, tcp] = await accepted((port) => {
      const judge = openssl(["s_client", "-connect", `127.0.0.1:${port}`, "-alpn", "spdy/1"]);
      return Promise.resolve({ judge });
    });
    const error = await assertRejects(
      () => serverHandshake(tcp, { secureContext: leaf.context, alpn: ["h2"] }),
      WeirError,
    );
    assertEquals(error.code, "tls");
    const { stderr } = await judged.judge;
    assertStringIncludes(stderr, "tlsv1 alert no application protocol");
  });
});
