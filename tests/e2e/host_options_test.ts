/**
 * Which connections weir looks into: auto_ignore, tcp_hosts, show_ignored_hosts; and options that turn off what weir always does.
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { inDirectory, openssl } from "../tls/openssl.ts";
import { originCa } from "./support/certs.ts";
import { Client, curl } from "./support/client.ts";
import { http2Origin } from "./support/http2.ts";
import { Flag } from "../http2/support.ts";
import { origin, tcpOrigin, withLength } from "./support/origin.ts";
import { startProxy } from "./support/proxy.ts";
import { has } from "./support/tools.ts";
import { startWeir, type Weir } from "./support/weir.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const TELLS = `export const tcp_start = () => console.log("tcp_start");
  export const tcp_message = (flow) => console.log("tcp_message " + flow.messages.at(-1).content.length);
  export const request = (flow) => console.log("request " + flow.request.httpVersion);`;

async function trusting(directory: string): Promise<string[]> {
  await Deno.writeTextFile(`${directory}/origins.pem`, await originCa());
  return ["--set", `ssl_verify_upstream_trusted_ca=${directory}/origins.pem`];
}

/** One that trusts the origins' CA alone, as an app does that pins it. */
async function pinned(weir: Weir, directory: string, url: string, ...args: string[]): Promise<string> {
  const { stdout, code } = await curl("-x", weir.url, "--cacert", `${directory}/origins.pem`, ...args, url);
  return code === 0 ? text(stdout) : `curl: ${code}`;
}

Deno.test("auto_ignore: after N refused certificates curl gets through to the origin itself, others are looked into", async () => {
  await inDirectory(async (directory) => {
    const trust = await trusting(directory);
    await using http1 = await origin(withLength("one"), { tls: true });
    await using http2 = await http2Origin(
      (peer, id) => peer.headers(id, [":status", "200", "content-length", "0"], Flag.END_STREAM),
      { tls: true, alpn: ["h2"] },
    );
    await using weir = await startWeir({ args: [...trust, "--auto-ignore", "2"], addon: TELLS });
    // 60: the certificate is not trusted; 90: it has another key than the pinned one.
    assertEquals(await pinned(weir, directory, http1.url()), "curl: 60");
    assertEquals(await pinned(weir, directory, http1.url()), "curl: 60");
    assertEquals(await pinned(weir, directory, http1.url()), "one");
    assertEquals(await pinned(weir, directory, http1.url()), "one");
    const [, said] = await weir.waitForLog(
      /warn: (127\.0\.0\.1 has refused the certificate for localhost 2 times)/,
    );
    assertEquals(weir.stderr.list.filter((line) => line.includes(said)).length, 1);
    // The name is the same, and so is the client: it passes at once. Another name does not.
    assertEquals(await pinned(weir, directory, http2.url(), "--http2"), "");
    const other = ["--connect-to", `other.test:${http1.port}:localhost:${http1.port}`];
    assertEquals(await pinned(weir, directory, `https://other.test:${http1.port}/`, ...other), "curl: 60");
  });
});

Deno.test("auto_ignore: a pinned key, and a client of GnuTLS, which leaves behind the handshake, count as well", async () => {
  await inDirectory(async (directory) => {
    await using server = await origin(withLength("one"), { tls: true });
    const mode = ["--mode", `reverse:https://localhost:${server.port}`];
    await using weir = await startWeir({
      args: [...await trusting(directory), ...mode, "--auto-ignore", "2"],
    });
    const url = `https://127.0.0.1:${weir.port}/`;
    const pin = ["--pinnedpubkey", "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="];
    assertEquals((await curl("--cacert", weir.caFile, ...pin, url)).code, 90);
    await weir.waitForLog(/TLS with the client failed \(localhost\): it/);
    if (has("gnutls-cli", "GnuTLS refuses weir's certificate")) {
      const args = ["--port", String(weir.port), "--x509cafile", `${directory}/origins.pem`, "127.0.0.1"];
      await new Deno.Command("gnutls-cli", { args, stdin: "null", stdout: "null", stderr: "null" }).output();
    } else await curl("--cacert", `${directory}/origins.pem`, url);
    await weir.waitForLog(/127\.0\.0\.1 has refused the certificate for localhost 2 times within a minute/);
    assertEquals(text((await curl("--cacert", `${directory}/origins.pem`, url)).stdout), "one");
  });
});

Deno.test("tls_failed_client tells what failed and whether it was the certificate; only that counts for auto_ignore", async () => {
  const seen: string[] = [];
  await using server = await origin(withLength("one"), { tls: true });
  await using proxy = await startProxy({
    tls_failed_client: ({ sni, serverAddress, isRefusal, error, clientConn }) => {
      const where = serverAddress && `${serverAddress.hostname}:${serverAddress.port}`;
      seen.push(`${sni} ${where} ${isRefusal} ${clientConn.address.hostname}: ${error}`);
    },
  }, { auto_ignore: 2, tls_version_client_min: "TLS1_3" });
  const target = ["-proxy", proxy.url.slice(7), "-connect", server.authority];
  for (let i = 0; i < 3; i++) await openssl(["s_client", ...target, "-tls1_2"]);
  {
    await using client = await Client.connect(proxy);
    await client.tunnel(server.authority);
    await client.send("\x16\x03\x01\x00\x04nope");
    await client.readToEnd();
  }
  await openssl(["s_client", "-verify_return_error", ...target]);
  const client = `${server.authority}`;
  assertEquals(seen.length, 5);
  for (const line of seen.slice(0, 3)) {
    assertMatch(
      line,
      /^localhost localhost:\d+ false 127\.0\.0\.1: The TLS handshake .*: peer is incompatible/,
    );
  }
  assertEquals(
    seen[3],
    `null ${client} false 127.0.0.1: it began a TLS record in which there is no ClientHello`,
  );
  assertMatch(
    seen[4],
    /^localhost localhost:\d+ true 127\.0\.0\.1: .*it refused the certificate \(UnknownCA\)/,
  );
});

Deno.test("tcp_hosts: what is inside of TLS, or of a tunnel without it, is raw bytes, whichever side speaks first", async () => {
  const greets = async (
    wire: { send(text: string): Promise<void>; readUntil(end: string): Promise<string> },
  ) => {
    await wire.send("220 ready\r\n");
    const line = await wire.readUntil("\r\n");
    await wire.send(`250 ${line}\r\n`);
  };
  await using mail = await tcpOrigin(greets, { tls: true });
  await using web = await origin(withLength("page"), { tls: true });
  await using plain = await origin(withLength("page"));
  // The one by the name that clients ask for within TLS, the other by where they connect to.
  const hosts = ["--tcp-hosts", "^named\\.test$", "--tcp-hosts", "127\\.0\\.0\\.1$"];
  await using weir = await startWeir({ args: ["-k", ...hosts], addon: TELLS });
  {
    await using client = await Client.connect(weir);
    await client.tunnel(mail.authority);
    await client.startTls("named.test", await Deno.readTextFile(weir.caFile));
    assertEquals(await client.readUntil("\r\n"), "220 ready\r\n");
    await client.send("HELO me\r\n");
    assertMatch(await client.readUntil("\r\n"), /^250 HELO me/);
  }
  for (const flag of ["--http1.1", "--http2"]) {
    const url = `https://named.test:${web.port}/`, to = `::localhost:${web.port}`;
    const { stdout } = await curl(flag, "-x", weir.url, "--cacert", weir.caFile, "--connect-to", to, url);
    assertEquals(text(stdout), "page");
  }
  assertEquals(text((await curl("-p", "-x", weir.url, plain.url())).stdout), "page");
  // A request that names its origin itself is one for a proxy.
  assertEquals(text((await curl("-x", weir.url, plain.url())).stdout), "page");
  await weir.waitForOutput(/^request HTTP\/1\.1/);
  const lines = weir.stdout.list.filter((line) => /^(tcp_start|request)/.test(line));
  assertEquals(lines, ["tcp_start", "tcp_start", "tcp_start", "tcp_start", "request HTTP/1.1"]);
  await using reverse = await startWeir({
    args: [...hosts, "--mode", `reverse:http://127.0.0.1:${plain.port}`],
    addon: TELLS,
  });
  assertEquals(text((await curl(reverse.url)).stdout), "page");
  await reverse.waitForOutput(/^tcp_start/);
});

Deno.test("show_ignored_hosts=false: connections that are left alone run no tcp_* hooks and are not printed", async () => {
  await inDirectory(async (directory) => {
    await trusting(directory);
    await using secure = await origin(withLength("secret"), { tls: true });
    await using raw = await tcpOrigin(async (wire) => {
      await wire.readUntil("\n");
      await wire.send("pong\n");
    });
    const LEFT = ["--ignore-hosts", "^localhost:"], NONE = ["--allow-hosts", "nowhere"];
    for (const [shows, hosts] of [["true", LEFT], ["false", LEFT], ["false", NONE]] as const) {
      await using weir = await startWeir({
        args: [...hosts, "--set", `show_ignored_hosts=${shows}`],
        addon: TELLS,
      });
      assertEquals(await pinned(weir, directory, secure.url()), "secret");
      // Bytes of a protocol that weir does not know are no host that it was told to leave alone.
      await using client = await Client.connect(weir);
      await client.tunnel(raw.authority);
      await client.send("ping\n");
      assertEquals(await client.readUntil("\n"), "pong\n");
      await client[Symbol.asyncDispose]();
      await weir.stop();
      const count = weir.stdout.list.filter((line) => line === "tcp_start").length;
      const shown = shows === "true" ? 2 : hosts === NONE ? 0 : 1;
      assertEquals(count, shown);
      // The bytes of the ignored one are TLS, in more than two pieces.
      const messages = weir.stdout.list.filter((line) => line.startsWith("tcp_message")).length;
      assertEquals([messages > 2, messages === 0], [shown === 2, shown === 0], weir.stdout.list.join());
    }
  });
});

Deno.test("options that turn off what weir always does are told at start to have no effect", async () => {
  const names = ["rawtcp", "validate-inbound-headers", "normalize-outbound-headers"];
  await using weir = await startWeir({ args: names.map((name) => `--no-${name}`) });
  for (const name of names) {
    const option = name.replaceAll("-", "_");
    await weir.waitForLog(new RegExp(`warn: option ${option}=false has no effect: .* always `));
  }
  await using silent = await startWeir({ args: names.map((name) => `--${name}`) });
  await silent.stop();
  assertEquals(silent.stderr.list.filter((line) => line.includes("has no effect")), []);
});
