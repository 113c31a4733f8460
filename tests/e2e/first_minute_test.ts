/** What a newcomer does first, with the real program, curl, and a web server (nginx where it is installed). @module */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { originCa, serverCertificate } from "./support/certs.ts";
import { absolute, Client, curl, exchange } from "./support/client.ts";
import { freePort } from "./support/free_port.ts";
import { Head, readHead } from "./support/http.ts";
import { tcpOrigin } from "./support/origin.ts";
import { startWeir } from "./support/weir.ts";
import { START, within } from "./support/within.ts";

const MIB = 1024 * 1024;

/** A web server with the files `small.txt` (in `text`), `large.bin` (`bytes`) and `empty`. */
interface WebServer extends AsyncDisposable {
  readonly plain: string;
  readonly secure: string;
  readonly caFile: string;
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly dir: string;
}

async function webServer(): Promise<WebServer> {
  const dir = await Deno.makeTempDir({ prefix: "weir-e2e-" });
  await Deno.chmod(dir, 0o755);
  const text = "hello from the origin\n", bytes = new Uint8Array(24 * MIB);
  for (let at = 0; at < bytes.length; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  await Deno.mkdir(`${dir}/www`);
  await Deno.writeTextFile(`${dir}/www/small.txt`, text);
  await Deno.writeFile(`${dir}/www/large.bin`, bytes);
  await Deno.writeFile(`${dir}/www/empty`, new Uint8Array());
  const { cert, key } = await serverCertificate();
  await Deno.writeTextFile(`${dir}/ca.pem`, await originCa());
  await Deno.writeTextFile(`${dir}/cert.pem`, cert);
  await Deno.writeTextFile(`${dir}/key.pem`, key);
  const server = await nginx(dir) ?? await denoServer(dir, cert, key);
  return {
    ...server,
    text,
    bytes,
    dir,
    caFile: `${dir}/ca.pem`,
    async [Symbol.asyncDispose]() {
      await server.stop();
      await Deno.remove(dir, { recursive: true });
    },
  };
}

interface Served {
  plain: string;
  secure: string;
  stop(): Promise<void>;
}

/** nginx with the files of `dir`; null where it is not installed. */
async function nginx(dir: string): Promise<Served | null> {
  const ports = [freePort(), freePort()];
  await Deno.writeTextFile(
    `${dir}/nginx.conf`,
    `daemon off; pid ${dir}/pid; error_log stderr; worker_processes 1;
events {}
http {
  access_log off; client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/fastcgi; uwsgi_temp_path ${dir}/uwsgi; scgi_temp_path ${dir}/scgi;
  server {
    listen 127.0.0.1:${ports[0]}; listen 127.0.0.1:${ports[1]} ssl;
    ssl_certificate ${dir}/cert.pem; ssl_certificate_key ${dir}/key.pem;
    root ${dir}/www; client_max_body_size 0;
  }
}
`,
  );
  const path = [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin"].map((folder) => `${folder}/nginx`);
  const found = path.find((file) => {
    try {
      return Deno.statSync(file).isFile;
    } catch {
      return false;
    }
  });
  if (found === undefined) return null;
  const args = ["-c", `${dir}/nginx.conf`, "-p", dir];
  const child = new Deno.Command(found, { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
  await within(START, untilListening(ports[1]), "nginx");
  return {
    plain: `http://127.0.0.1:${ports[0]}`,
    secure: `https://localhost:${ports[1]}`,
    async stop() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

async function denoServer(dir: string, cert: string, key: string): Promise<Served> {
  const serve = async (request: Request) => {
    const body = await Deno.readFile(`${dir}/www${new URL(request.url).pathname}`);
    return new Response(body, { headers: { "content-length": `${body.length}` } });
  };
  const options = { hostname: "127.0.0.1", port: 0, onListen() {} };
  const servers = [Deno.serve(options, serve), Deno.serve({ ...options, cert, key }, serve)];
  const [plain, secure] = servers.map((server) => server.addr.port);
  return await Promise.resolve({
    plain: `http://127.0.0.1:${plain}`,
    secure: `https://localhost:${secure}`,
    stop: async () => void await Promise.all(servers.map((server) => server.shutdown())),
  });
}

async function untilListening(port: number): Promise<void> {
  for (;;) {
    try {
      (await Deno.connect({ port, hostname: "127.0.0.1" })).close();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

for (const args of [[], ["--set", "stream_large_bodies=1"]]) {
  Deno.test(`curl through weir, http and https, byte for byte (${args.join(" ") || "no options"})`, async () => {
    await using web = await webServer();
    await using weir = await startWeir({
      args: [...args, "--set", `ssl_verify_upstream_trusted_ca=${web.caFile}`],
    });
    for (const base of [web.plain, web.secure]) {
      const via = ["-x", weir.url, "--cacert", weir.caFile];
      const small = await curl(...via, `${base}/small.txt`);
      assertEquals([small.stderr, new TextDecoder().decode(small.stdout)], ["", web.text]);
      const large = await curl(...via, `${base}/large.bin`);
      assertEquals([large.code, large.stdout.length], [0, web.bytes.length]);
      assert(large.stdout.every((byte, i) => byte === web.bytes[i]), "bytes differ");
      const head = await curl(...via, "-I", `${base}/large.bin`);
      assertMatch(
        new TextDecoder().decode(head.stdout),
        new RegExp(`content-length: ${web.bytes.length}`, "i"),
      );
      const empty = await curl(...via, "-w", "%{http_code}", `${base}/empty`);
      assertEquals(new TextDecoder().decode(empty.stdout), "200");
      const several = await curl(...via, "-v", `${base}/small.txt`, `${base}/small.txt`);
      assertEquals(new TextDecoder().decode(several.stdout), web.text + web.text);
      assertMatch(several.stderr, /Re-using existing connection/);
    }
    await weir.stop();
  });
}

Deno.test("one request each over a raw connection: HEAD, pipelining, keep-alive, 1xx, upload", async () => {
  await using server = await tcpOrigin(async (wire) => {
    for (;;) {
      let head: Head;
      try {
        head = await readHead(wire);
      } catch {
        return;
      }
      const body = await wire.readExactly(Number(head.get("content-length") ?? 0));
      const length = head.method === "HEAD" ? 1234 : body.length;
      await wire.send(`HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`);
      await wire.send(body);
    }
  });
  await using weir = await startWeir();
  const url = server.url();
  await using client = await Client.connect(weir);
  const upload = "x".repeat(MIB);
  const requests: [string, string][] = [["HEAD", ""], ["POST", "abc"], ["POST", upload], ["GET", ""]];
  const text = requests.map(([method, body]) => absolute(url, { method, body })).join("");
  const sending = client.send(text);
  for (const [method, body] of requests) {
    const seen = await client.response(method);
    assertEquals([seen.interim.length, seen.head.statusCode, seen.text.length], [1, 200, body.length]);
    if (method === "HEAD") assertEquals(seen.head.get("content-length"), "1234");
  }
  await sending;
  assertEquals((await exchange(weir, url)).head.statusCode, 200);
  await weir.stop();
});

Deno.test("the first run says where the CA is and a curl line that works; later runs do not", async () => {
  const dir = await Deno.makeTempDir({ prefix: "weir-e2e-" });
  const confdir = ["--set", `confdir=${dir}/it's new`];
  {
    await using weir = await startWeir({ args: confdir });
    await weir.waitForLog(
      new RegExp(`certificate authority was made.*: ${dir}/it's new/weir-ca-cert\\.pem$`),
    );
    const [, line] = await weir.waitForLog(/^ +(curl -x .*) https:\/\/example\.com\/$/);
    const { stdout } = await new Deno.Command("sh", { args: ["-c", `${line} -sS https://weir.internal/`] })
      .output();
    assertMatch(new TextDecoder().decode(stdout), /^<!doctype html>/);
    await weir.stop();
  }
  {
    await using weir = await startWeir({ args: confdir });
    await weir.stop();
    assert(!weir.stderr.list.some((line) => /curl|authority/.test(line)), weir.stderr.list.join("\n"));
  }
  await Deno.remove(dir, { recursive: true });
});

Deno.test("http://weir.internal/ and https://weir.internal/ have the page and the certificates", async () => {
  await using weir = await startWeir();
  for (const base of ["http://weir.internal", "https://weir.internal"]) {
    const via = ["-x", weir.url, "--cacert", weir.caFile];
    const page = await curl(...via, `${base}/`);
    assertMatch(new TextDecoder().decode(page.stdout), new RegExp(`curl -x ${weir.url} `));
    for (const format of ["pem", "cer", "p12"]) {
      const { stdout } = await curl(...via, `${base}/cert/${format}`);
      assertEquals(stdout, await Deno.readFile(weir.caFile.replace(/pem$/, format)), format);
    }
  }
  await weir.stop();
});
