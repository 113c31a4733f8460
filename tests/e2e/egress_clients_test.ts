/** Programs that know nothing of weir work through `exec --policy` with placeholders alone. @module */
import { assertEquals } from "@std/assert";
import { anthropicStream, chatStream } from "../streams/units/model_fixtures.ts";
import { originCa } from "./support/certs.ts";
import { BodyReader } from "./support/http.ts";
import { origin, type Script } from "./support/origin.ts";
import { START, within } from "./support/within.ts";
import { echoServer } from "./support/websocket_server.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const VALUE = "sk-live-0123456789";

/** Runs a command under a policy; the variable KEY holds the value. */
async function exec(
  policy: string,
  command: readonly string[],
  { flags = [], files = {} }: { flags?: string[]; files?: Record<string, string> } = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const dir = await Deno.makeTempDir({ prefix: "weir-e2e-" });
  try {
    await Deno.writeTextFile(`${dir}/origin-ca.pem`, await originCa());
    for (const [name, text] of Object.entries({ ...files, "egress.yaml": policy })) {
      await Deno.writeTextFile(`${dir}/${name}`, text);
    }
    const trust = `ssl_verify_upstream_trusted_ca=${dir}/origin-ca.pem`;
    const output = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        `${ROOT}main.ts`,
        "exec",
        "--confdir",
        `${dir}/conf`,
        "--set",
        trust,
        ...flags,
        "--policy",
        "egress.yaml",
        "--",
        ...command,
      ],
      cwd: dir,
      env: { NO_COLOR: "1", KEY: VALUE, DENO_NO_UPDATE_CHECK: "1", HOME: dir, DENO_DIR: denoDir() },
      stdin: "null",
    }).output();
    const { code, stdout, stderr } = await within(START, output, "weir exec to end");
    return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Where packages are: the home directory is another one. */
function denoDir(): string {
  return Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
}

function policy(port: number, secrets: string): string {
  return `rules:\n  - allow: localhost:${port}\nsecrets:\n${secrets}`;
}

const MODEL: Script = async (wire, request) => {
  const body = await BodyReader.ofRequest(wire, request).text();
  const isOpenai = request.target.includes("/chat/");
  const key = request.get("authorization");
  const knows = body.includes(VALUE) ? "the value" : "a placeholder";
  const tokens = [`${key} was sent, with ${knows}: `, ...VALUE, "!"];
  const provider = isOpenai ? chatStream : anthropicStream;
  await wire.send(`HTTP/1.1 200 OK\r\nContent-Type: ${provider.type}\r\nTransfer-Encoding: chunked\r\n\r\n`);
  for (const event of provider.write({ text: tokens, reasoning: [], tool: ["{}"] }).split(/(?<=\n\n)/)) {
    const bytes = new TextEncoder().encode(event);
    await wire.send(`${bytes.length.toString(16)}\r\n${event}\r\n`);
  }
  await wire.send("0\r\n\r\n");
};

for (const http2 of ["--http2", "--no-http2"]) {
  Deno.test(`openai and @anthropic-ai/sdk stream through exec --policy with placeholders only, ${http2}`, async () => {
    await using server = await origin(MODEL, { tls: true });
    const secrets = ["OPENAI", "ANTHROPIC"].map((name) =>
      `  ${name}_API_KEY: { from: "env:KEY", hosts: [localhost], placeholder: "sk-weir-${name}-{id}" }\n`
    );
    const command = [
      Deno.execPath(),
      "run",
      "-A",
      "--quiet",
      "--config",
      `${ROOT}deno.json`,
      `${ROOT}tests/e2e/support/policy_sdks.ts`,
      server.url("").replace(/\/$/, ""),
    ];
    const { code, stdout, stderr } = await exec(policy(server.port, secrets.join("")), command, {
      flags: [http2],
    });
    assertEquals(code, 0, stderr);
    const said = JSON.parse(stdout);
    // Both have one value, of which the first secret's placeholder comes back.
    const holder = /sk-weir-OPENAI-[0-9a-f]{32}/.exec(stdout)![0];
    assertEquals(said, {
      openai: `Bearer ${holder} was sent, with a placeholder: ${holder}!`,
      anthropic: `Bearer ${holder} was sent, with a placeholder: ${holder}!`,
    });
    const keys = server.requests.map((request) => request.get("authorization"));
    assertEquals(keys, [`Bearer ${VALUE}`, `Bearer ${VALUE}`]);
  });
}

Deno.test("git clones over https with a token that it does not have", async () => {
  const repo = await Deno.makeTempDir({ prefix: "weir-git-" });
  try {
    const git = async (...args: string[]) => {
      const { success, stderr } = await new Deno.Command("git", {
        args: ["-c", "user.name=t", "-c", "user.email=t@t", ...args],
        cwd: repo,
        stdin: "null",
      }).output();
      if (!success) throw new Error(new TextDecoder().decode(stderr));
    };
    await git("init", "-q");
    await Deno.writeTextFile(`${repo}/file`, "cloned\n");
    await git("add", "file");
    await git("commit", "-q", "-m", "one");
    await git("update-server-info");
    await using server = await origin(async (wire, request) => {
      if (request.get("authorization") !== `Basic ${btoa(`me:${VALUE}`)}`) {
        return await wire.send(
          "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n",
        );
      }
      const path = new URL(request.target, "http://x").pathname.replace("/repo.git/", "/.git/");
      const bytes = await Deno.readFile(`${repo}${path}`).catch(() => null);
      if (bytes === null) return await wire.send("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
      await wire.send(
        `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${bytes.length}\r\n\r\n`,
      );
      await wire.send(bytes);
    }, { tls: true });
    const script = `git clone -q https://me:$TOKEN@localhost:${server.port}/repo.git there && cat there/file`;
    const { stdout, stderr } = await exec(
      policy(server.port, "  TOKEN: { from: env:KEY, hosts: [localhost] }\n"),
      ["sh", "-c", script],
    );
    assertEquals(stdout, "cloned\n", stderr);
  } finally {
    await Deno.remove(repo, { recursive: true });
  }
});

Deno.test("npm asks a registry with a token that it does not have", async () => {
  await using server = await origin(async (wire, request) => {
    const isKnown = request.get("authorization") === `Bearer ${VALUE}`;
    const body = JSON.stringify(
      isKnown
        ? {
          name: "pkg",
          "dist-tags": { latest: "1.2.3" },
          versions: { "1.2.3": { name: "pkg", version: "1.2.3" } },
        }
        : {},
    );
    await wire.send(
      `HTTP/1.1 ${
        isKnown ? 200 : 401
      } X\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  }, { tls: true });
  const registry = `localhost:${server.port}/`;
  const script =
    `echo "//${registry}:_authToken=\${TOKEN}" > .npmrc; npm view pkg version --registry https://${registry} --no-update-notifier`;
  const { stdout, stderr } = await exec(
    policy(server.port, "  TOKEN: { from: env:KEY, hosts: [localhost] }\n"),
    ["sh", "-c", script],
  );
  assertEquals(stdout, "1.2.3\n", stderr);
});

Deno.test("a WebSocket client speaks through exec --policy, and its placeholder becomes the value", async () => {
  await using server = await echoServer({ secure: true });
  const seen: string[] = [];
  server.http.on(
    "upgrade",
    (request: { headers: Record<string, string> }) => void seen.push(request.headers["x-key"]),
  );
  const program = `
import { WebSocket } from "ws";
import net from "node:net";
import tls from "node:tls";
const url = new URL(Deno.args[0]), proxy = new URL(Deno.env.get("https_proxy"));
const socket = net.connect(proxy.port, proxy.hostname);
socket.write("CONNECT " + url.host + " HTTP/1.1\\r\\nHost: " + url.host + "\\r\\n\\r\\n");
socket.once("data", () => {
  const secure = tls.connect({ socket, servername: "localhost" }, () => {
    const ws = new WebSocket(url, { createConnection: () => secure, headers: { "x-key": Deno.env.get("TOKEN") } });
    ws.on("open", () => ws.send("a message of " + Deno.env.get("TOKEN")));
    ws.on("message", (data) => { console.log(String(data)); ws.close(); });
    ws.on("close", () => Deno.exit());
  });
});
`;
  const command = [
    Deno.execPath(),
    "run",
    "-A",
    "--quiet",
    "--no-check",
    "--config",
    `${ROOT}deno.json`,
    "ws.js",
    server.url,
  ];
  const { stdout, stderr } = await exec(
    policy(
      server.port,
      '  TOKEN: { from: env:KEY, hosts: [localhost], placeholder: "a-placeholder", in: [header, websocket] }\n',
    ),
    command,
    { files: { "ws.js": program } },
  );
  assertEquals(stdout, "a message of a-placeholder\n", stderr);
  assertEquals(seen, [VALUE]);
});
