/** What many weirs need: one CA, metrics, readiness, JSON lines (fleet.md). @module */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { curl, exchange } from "./support/client.ts";
import { echo, origin, withLength } from "./support/origin.ts";
import { runWeir, startWeir, type Weir } from "./support/weir.ts";
import { SOON, within } from "./support/within.ts";

/** Where a weir answers who watches it. */
async function adminOf(weir: Weir): Promise<string> {
  return (await weir.waitForLog(/Metrics at (http:\/\/127\.0\.0\.1:\d+)\/metrics/))[1];
}

/** Prometheus' text format: samples by name and labels; comments must be of known kinds, and stand before their samples. */
function samplesIn(text: string): Map<string, number> {
  const samples = new Map<string, number>(), types = new Map<string, string>();
  assert(text.endsWith("\n"));
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const type = /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/.exec(line);
    if (type !== null) types.set(type[1], type[2]);
    else if (line.startsWith("#")) assertMatch(line, /^# HELP [a-z_]+ \S/);
    else {
      const sample = /^([a-z_]+)(\{(?:[a-z_]+="[^"\\\n]*",?)*\})? (\S+)$/.exec(line);
      assert(sample !== null, line);
      const [, name, labels = "", value] = sample;
      assert(types.has(name) || types.get(name.replace(/_(?:bucket|sum|count)$/, "")) === "histogram", line);
      assert(!samples.has(name + labels), line);
      samples.set(name + labels, Number(value));
    }
  }
  return samples;
}

Deno.test("metrics of two isolates add up to what clients have sent, and have no labels without a bound", async () => {
  await using server = await origin(echo);
  await using weir = await startWeir({ args: ["--set", "workers=2", "--set", "admin_listen=0"] });
  const admin = await adminOf(weir);
  for (let i = 0; i < 30; i++) await exchange(weir, server.url(`/${i}`), { method: "POST", body: "abc" });
  await exchange(weir, "http://127.0.0.1:1/");
  const count = async () => {
    const samples = samplesIn(await (await fetch(`${admin}/metrics`)).text());
    return (key: string) => samples.get(key) ?? 0;
  };
  const ok = 'weir_exchanges_total{protocol="http/1.1",status_class="2xx",streamed_by="none"}';
  const all = async () => {
    for (;;) {
      const value = await count();
      if (value(ok) >= 30 && value('weir_errors_total{side="server",code="unreachable"}') >= 1) return value;
    }
  };
  const value = await within(SOON, all(), "all exchanges to be counted");
  assertEquals(value(ok), 30);
  assertEquals(value('weir_exchanges_total{protocol="http/1.1",status_class="5xx",streamed_by="none"}'), 1);
  assertEquals(value("weir_exchange_duration_seconds_count"), 31);
  assertEquals(value('weir_exchange_duration_seconds_bucket{le="+Inf"}'), 31);
  assertEquals(value("weir_time_to_first_byte_seconds_count"), 30);
  assertEquals(value('weir_body_bytes_total{direction="request"}'), 90);
  assertEquals(value("weir_open_streams"), 0);
  assert(value('weir_hook_seconds{addon="dumper"}') > 0);
  const text = await (await fetch(`${admin}/metrics`)).text();
  assert(!text.includes("127.0.0.1") && !text.includes("/29"), text);
  await weir.stop();
});

Deno.test("the admin listener cannot be reached through the proxy, answers only what it is for, and never without the option", async () => {
  await using weir = await startWeir({ args: ["--set", "admin_listen=127.0.0.1:0"] });
  const admin = await adminOf(weir);
  const through = await exchange(weir, `${admin}/metrics`);
  assertEquals(through.head.statusCode, 400);
  assertStringIncludes(through.text, "is weir itself");
  const statusOf = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`${admin}${path}`, init);
    await response.body?.cancel();
    return response.status;
  };
  assertEquals(await statusOf("/healthz"), 200);
  assertEquals(await statusOf("/readyz", { headers: { host: "anything.example" } }), 200);
  assertEquals(await statusOf("/other"), 404);
  assertEquals(await statusOf("/metrics", { method: "POST" }), 405);
  await weir.stop();
  const { code, stderr } = await runWeir({ args: ["--set", "admin_listen=nowhere"] });
  assertEquals(code, 1);
  assertMatch(stderr, /admin_listen: "nowhere" is not \[host:\]port/);
});

Deno.test("told to stop, /readyz says so at once, while requests are served for shutdown_delay", async () => {
  await using server = await origin(withLength("late"));
  await using weir = await startWeir({ args: ["--set", "admin_listen=0", "--set", "shutdown_delay=2"] });
  const admin = await adminOf(weir);
  assertEquals(await (await fetch(`${admin}/readyz`)).text(), "ok\n");
  weir.signal("SIGTERM");
  await weir.waitForLog(/Stopping in 2 s/);
  const ready = await fetch(`${admin}/readyz`);
  assertEquals([ready.status, await ready.text()], [503, "weir is stopping\n"]);
  assertEquals(await fetch(`${admin}/healthz`).then(async (response) => (await response.text())), "ok\n");
  assertEquals((await exchange(weir, server.url("/"))).text, "late");
  assertEquals(await weir.exit(), 0);
});

Deno.test("/readyz says that a database is away that is required", async () => {
  await using weir = await startWeir({
    args: [
      "--set",
      "admin_listen=0",
      "--set",
      "flow_store=sqlite:/proc/no/flows.db",
      "--set",
      "flow_store_required=true",
    ],
  });
  await using server = await origin(withLength("x"));
  const admin = await adminOf(weir);
  await exchange(weir, server.url("/"));
  const away = async () => {
    for (;;) {
      const response = await fetch(`${admin}/readyz`);
      const text = await response.text();
      if (response.status === 503) return text;
    }
  };
  assertEquals(await within(SOON, away(), "weir not to be ready"), "the database of flow_store is away\n");
  weir.signal("SIGINT");
  assertEquals(await weir.exit(), 0);
});

Deno.test("log_format=json: every line is a JSON object, flows have method, url and status", async () => {
  await using server = await origin(withLength("x"));
  await using weir = await startWeir({ args: ["--set", "log_format=json", "--flow-detail", "3"] });
  await exchange(weir, server.url("/a"));
  await exchange(weir, "http://127.0.0.1:1/b");
  await weir.stop();
  const log = weir.stderr.list.map((line) => JSON.parse(line));
  const flows = weir.stdout.list.map((line) => JSON.parse(line));
  for (const line of [...log, ...flows]) {
    assertMatch(line.time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    assert(["debug", "info", "warn", "error"].includes(line.level));
    assertEquals(typeof line.msg, "string");
  }
  assertEquals(flows.map(({ method, url, status }) => [method, url, status]), [
    ["GET", server.url("/a"), 200],
    ["GET", "http://127.0.0.1:1/b", null],
  ]);
  const { stderr } = await runWeir({
    args: ["--set", "log_format=json", "--mode", "reverse:http://127.0.0.1:1@1.2.3.4.5:6"],
  });
  for (const line of stderr.split("\n")) assertEquals(JSON.parse(line).level, "error");
});

Deno.test("ca and WEIR_CA_PEM: many weirs show certificates of the same CA, and write no key", async () => {
  await using first = await startWeir();
  const pem = await Deno.readTextFile(`${first.dir}/conf/weir-ca.pem`);
  const cert = await Deno.readTextFile(first.caFile);
  await first.stop();
  const places: [string[], Record<string, string>][] = [[["--set", `ca=${first.dir}/conf/weir-ca.pem`], {}], [
    [],
    { WEIR_CA_PEM: pem },
  ]];
  await using server = await origin(withLength("over TLS"), { tls: true });
  for (const [args, env] of places) {
    await using weir = await startWeir({ args: ["-k", ...args], env });
    assertEquals(await Deno.readTextFile(weir.caFile), cert);
    assertEquals(
      [...Deno.readDirSync(`${weir.dir}/conf`)].map(({ name }) => name).includes("weir-ca.pem"),
      false,
    );
    const seen = await curl(
      "-x",
      weir.url,
      "--cacert",
      `${first.dir}/conf/weir-ca-cert.pem`,
      server.url("/"),
    );
    assertEquals(new TextDecoder().decode(seen.stdout), "over TLS", seen.stderr);
    await weir.stop();
  }
  for (
    const [args, message] of [
      [["--set", "ca=/no/such.pem"], /option ca: \/no\/such\.pem cannot be read: there is no such file/],
      [["--set", `ca=${first.dir}/conf/weir-ca-cert.pem`], /The CA file .* cannot be used/],
    ] as const
  ) {
    const { code, stderr } = await runWeir({ args: [...args] });
    assertEquals(code, 1);
    assertMatch(stderr, message);
  }
});
