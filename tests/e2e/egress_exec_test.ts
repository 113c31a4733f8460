/** `weir exec --policy`: placeholders in place of keys, the summary, a policy that is learned; `weir policy check`. @module */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { originCa } from "./support/certs.ts";
import { origin, withLength } from "./support/origin.ts";
import { START, within } from "./support/within.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
const VALUE = "ghp_0123456789realvalue";

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

async function run(dir: string, args: string[], env: Record<string, string> = {}): Promise<Outcome> {
  const output = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", MAIN, ...args],
    cwd: dir,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
  }).output();
  const { code, stdout, stderr } = await within(START, output, "weir to end");
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

/** A directory with a policy, and the tests' CA. */
async function directory(policy: string): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "weir-e2e-" });
  await Deno.writeTextFile(`${path}/origin-ca.pem`, await originCa());
  await Deno.writeTextFile(`${path}/egress.yaml`, policy);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

const flags = (
  dir: string,
) => ["--confdir", `${dir}/conf`, "--set", `ssl_verify_upstream_trusted_ca=${dir}/origin-ca.pem`];

Deno.test("exec --policy: the command holds placeholders, the origin gets the value, and it comes back as the placeholder", async () => {
  await using server = await origin(async (wire, request) => {
    const body = `you said ${request.get("authorization")}`;
    await wire.send(
      `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nX-Echo: ${
        request.get("authorization")
      }\r\n\r\n${body}`,
    );
  }, { tls: true });
  await using dir = await directory(`rules:
  - allow: localhost:${server.port}
secrets:
  TOKEN: { from: "env:REAL_TOKEN", hosts: [localhost] }
`);
  const script = `curl -si -H "Authorization: Bearer $TOKEN" ${
    server.url("/x")
  }; echo; env; curl -s -o /dev/null -w "%{http_code}" http://other.example/; exit 7`;
  const { code, stdout, stderr } = await run(
    dir.path,
    [
      "exec",
      ...flags(dir.path),
      "--set",
      "audit_log=audit.jsonl",
      "--set",
      "hardump=all.har",
      "--set",
      "save_stream_file=all.mitm",
      "--policy",
      "egress.yaml",
      "--",
      "sh",
      "-c",
      script,
    ],
    { REAL_TOKEN: VALUE, DATABASE_URL: `postgres://u:${VALUE}@h/`, NO_PROXY: "localhost" },
  );
  assertEquals(code, 7, stderr);
  const [, placeholder] = /^TOKEN=(ghp_weir[0-9a-f]{32})$/m.exec(stdout)!;
  assertEquals(server.requests[0].get("authorization"), `Bearer ${VALUE}`);
  assertStringIncludes(stdout, `you said Bearer ${placeholder}`);
  assertMatch(stdout, new RegExp(`^x-echo: Bearer ${placeholder}`, "mi"));
  assertStringIncludes(stdout, `DATABASE_URL=postgres://u:${placeholder}@h/`);
  assertEquals(/^(REAL_TOKEN|NO_PROXY)=./m.test(stdout), false);
  assertMatch(stdout, /403$/);
  assertStringIncludes(stderr, "weir: egress: 1 requests allowed, 1 denied");
  assertStringIncludes(stderr, "1 × other.example:80 GET; this would allow it:  - allow: other.example:80");
  assertStringIncludes(stderr, "secrets used: TOKEN (1)");
  // The value is in nothing that was printed or written.
  const written = [stdout, stderr];
  for (const name of ["audit.jsonl", "all.har", "all.mitm"]) {
    written.push(await Deno.readTextFile(`${dir.path}/${name}`));
  }
  for (const text of written) {
    assertEquals([text.includes(VALUE), text.includes(btoa(VALUE))], [false, false]);
  }
  const [decided, ended] = written[2].split("\n").map((line) => line && JSON.parse(line));
  assertEquals([decided.injected, ended.injected, ended.scrubbed], [{ TOKEN: 1 }, { TOKEN: 1 }, {
    TOKEN: 2,
  }]);
});

Deno.test("exec --policy: a broken policy is one sentence, and the command is not started", async () => {
  await using dir = await directory("rulez: []\n");
  const { code, stdout, stderr } = await run(dir.path, [
    "exec",
    ...flags(dir.path),
    "--policy",
    "egress.yaml",
    "--",
    "echo",
    "started",
  ]);
  assertEquals([code, stdout], [1, ""]);
  assertEquals(stderr, "weir: error: egress.yaml:1: a policy has no key rulez (did you mean rules?).\n");
});

Deno.test("exec --policy without a file takes egress.yaml in confdir", async () => {
  await using dir = await directory("");
  await Deno.mkdir(`${dir.path}/conf`);
  await Deno.writeTextFile(`${dir.path}/conf/egress.yaml`, "mode: nothing\n");
  const { code, stderr } = await run(dir.path, ["exec", ...flags(dir.path), "--policy", "echo", "x"]);
  assertEquals(code, 1);
  assertMatch(stderr, /conf\/egress\.yaml:1: mode must be enforce or warn/);
});

Deno.test("exec --learn: nothing is denied, and what was seen becomes the smallest policy", async () => {
  await using server = await origin(withLength("x"));
  await using secure = await origin(withLength("y"), { tls: true });
  await using dir = await directory("rules: []\n");
  const script = `curl -s ${server.url("/a?b")}; curl -s -X POST ${server.url("/a")}; curl -s ${
    secure.url("/c")
  }`;
  const { code, stdout, stderr } = await run(dir.path, [
    "exec",
    ...flags(dir.path),
    "--policy",
    "egress.yaml",
    "--learn",
    "learned.yaml",
    "--",
    "sh",
    "-c",
    script,
  ]);
  assertEquals([code, stdout], [0, "xxy"], stderr);
  assertEquals(
    await Deno.readTextFile(`${dir.path}/learned.yaml`),
    `default: deny
rules:
  - allow: 127.0.0.1:${Math.min(server.port, secure.port)}
    methods: [${server.port < secure.port ? "GET, POST" : "GET"}]
  - allow: 127.0.0.1:${Math.max(server.port, secure.port)}
    methods: [${server.port < secure.port ? "GET" : "GET, POST"}]
`,
  );
  // It allows what was seen.
  const again = await run(dir.path, [
    "exec",
    ...flags(dir.path),
    "--policy",
    "learned.yaml",
    "--",
    "sh",
    "-c",
    script,
  ]);
  assertEquals(again.stdout, "xxy");
});

Deno.test("policy check says what would be decided, and by which line", async () => {
  await using dir = await directory(`rules:
  - deny: api.github.com
    methods: [DELETE]
  - allow: api.github.com
    paths: ["/repos/**"]
  - tunnel: git.example.com:22
  - allow: 10.0.0.1
`);
  const good = await run(dir.path, ["policy", "check", "egress.yaml"]);
  assertEquals([good.code, good.stdout], [0, "egress.yaml is in order: 4 rules\n"]);
  const { code, stdout } = await run(dir.path, [
    "policy",
    "check",
    "egress.yaml",
    "https://api.github.com/repos/a",
    "DELETE",
    "https://api.github.com/repos/a",
    "https://api.github.com/x",
    "git.example.com:22",
    "https://API.github.com:443/repos/../x%2fy",
    "http://10.0.0.1/",
    "wss://127.0.0.1/",
  ]);
  assertEquals(code, 0);
  assertEquals(
    stdout,
    `allow   line 4    GET https://api.github.com/repos/a
deny    line 2    DELETE https://api.github.com/repos/a: the rule in line 2 denies it
deny    default   GET https://api.github.com/x: unless it resolves to an address that a rule names
tunnel  line 6    git.example.com:22
deny    400       GET https://API.github.com:443/repos/../x%2fy: its path is ambiguous (%2f, %5c, encoded dots)
allow   line 7    GET http://10.0.0.1/
deny    default   GET wss://127.0.0.1/: no rule allows it (127.0.0.1)
`,
  );
  const missing = await run(dir.path, ["policy", "check", "nothing.yaml"]);
  assertEquals([missing.code, missing.stderr], [
    1,
    "weir: error: nothing.yaml: the policy cannot be read: there is no such file\n",
  ]);
});
