/**
 * `scripts/deploy/`: its topology without Docker (three weirs behind HAProxy, flows in PostgreSQL), and what its files say.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { parse } from "@std/yaml";
import { exchange } from "./support/client.ts";
import { freePort } from "./support/free_port.ts";
import { origin, withLength } from "./support/origin.ts";
import { hasPostgres, Postgres } from "./support/postgres.ts";
import { has } from "./support/tools.ts";
import { startWeir, type Weir } from "./support/weir.ts";
import { SOON, START, within } from "./support/within.ts";

const DEPLOY = new URL("../../scripts/deploy/", import.meta.url).pathname;

/** One place of three: weirs come and go there. */
class Place {
  readonly port = freePort();
  readonly adminPort = freePort();
  weir: Weir | null = null;

  async start(database: Postgres, ca: string): Promise<void> {
    this.weir = await startWeir({
      args: [
        "-p",
        String(this.port),
        "--set",
        `ca=${ca}`,
        "--set",
        `admin_listen=127.0.0.1:${this.adminPort}`,
        "--set",
        `flow_store=${database.url()}`,
        "--set",
        "shutdown_delay=2",
        "--set",
        "log_format=json",
        "--set",
        "http2=false",
      ],
    });
  }
}

/** HAProxy with the file of `scripts/deploy`. */
class HaProxy implements AsyncDisposable {
  private constructor(readonly port: number, private readonly child: Deno.ChildProcess) {}

  static async start(places: readonly Place[]): Promise<HaProxy> {
    const port = freePort();
    const env: Record<string, string> = { LISTEN: `127.0.0.1:${port}` };
    places.forEach((place, i) => {
      env[`WEIR${i + 1}`] = `127.0.0.1:${place.port}`;
      env[`ADMIN${i + 1}`] = String(place.adminPort);
    });
    const child = new Deno.Command("haproxy", {
      args: ["-db", "-q", "-f", `${DEPLOY}haproxy.cfg`],
      env,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    let isOver = false;
    const listens = async () => {
      while (!isOver) {
        try {
          (await Deno.connect({ hostname: "127.0.0.1", port })).close();
          return;
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      }
    };
    const died = child.status.then(({ code }) => Promise.reject(new Error(`haproxy exited with ${code}`)));
    died.catch(() => {});
    const listening = listens();
    try {
      await within(START, Promise.race([listening, died]), "haproxy to listen");
    } finally {
      isOver = true;
      await listening;
    }
    return new HaProxy(port, child);
  }

  async [Symbol.asyncDispose]() {
    try {
      this.child.kill("SIGTERM");
    } catch {
      // It has ended.
    }
    await this.child.status;
  }
}

const CLIENTS = 20;

const hasAll = hasPostgres("three weirs behind HAProxy") && has("haproxy", "three weirs behind HAProxy");
if (hasAll) {
  Deno.test("three weirs behind HAProxy: kill -9 of one loses its running exchanges alone, a rolling restart none", async () => {
    await using database = await Postgres.start();
    await using server = await origin(withLength("hello"));
    await using first = await startWeir();
    const ca = `${first.dir}/conf/weir-ca.pem`;
    const places = [new Place(), new Place(), new Place()];
    await using stack = new AsyncDisposableStack();
    for (const place of places) {
      await place.start(database, ca);
      stack.defer(async () => await place.weir![Symbol.asyncDispose]());
    }
    await using haproxy = await HaProxy.start(places);

    let isOver = false, failures = 0;
    const answered: string[] = [];
    const clients = Array.from({ length: CLIENTS }, async (_, client) => {
      for (let i = 0; !isOver; i++) {
        const path = `/${client}/${i}`;
        try {
          const { text, head } = await exchange(haproxy, server.url(path));
          assertEquals([head.statusCode, text], [200, "hello"]);
          answered.push(path);
        } catch {
          failures++;
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    });
    const more = async (count: number) => {
      const target = answered.length + count;
      while (answered.length < target) await new Promise((resolve) => setTimeout(resolve, 20));
    };
    const flowing = (count: number) => within(SOON, more(count), `${count} exchanges`);
    await flowing(300);
    assertEquals(failures, 0);

    const beforeKill = answered.length;
    places[0].weir!.signal("SIGKILL");
    await places[0].weir!.exit();
    await flowing(300);
    // Those that ran there, and those that came before HAProxy had noticed.
    assert(failures <= CLIENTS, `${failures} exchanges failed`);
    await places[0].weir![Symbol.asyncDispose]();
    await places[0].start(database, ca);
    await flowing(100);

    const lost = failures;
    for (const place of places) {
      const ready = async () => {
        for (;;) {
          const response = await fetch(`http://127.0.0.1:${place.adminPort}/readyz`);
          await response.body?.cancel();
          if (response.ok) return;
        }
      };
      place.weir!.signal("SIGTERM");
      assertEquals(await place.weir!.exit(), 0);
      await place.weir![Symbol.asyncDispose]();
      await place.start(database, ca);
      await within(SOON, ready(), "a weir to be ready");
      await flowing(100);
    }
    assertEquals(failures - lost, 0, "exchanges that a rolling restart has lost");

    isOver = true;
    await Promise.all(clients);
    for (const place of places) {
      place.weir!.signal("SIGTERM");
      await place.weir!.exit();
    }
    const stored = new Set(await database.query("select path from flows where status = 200"));
    const missing = answered.filter((path) => !stored.has(path));
    // kill -9 took what had not been written: 100 ms of one of three.
    assert(
      missing.length <= CLIENTS,
      `${missing.length} of ${answered.length} (${beforeKill} before the kill) are not stored`,
    );
  });
}

Deno.test("the files for deployment name options that exist, and metrics that there are", async () => {
  const text = (name: string) => Deno.readTextFile(`${DEPLOY}${name}`);
  const help = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("../../main.ts", import.meta.url).pathname, "--options"],
    env: { NO_COLOR: "1" },
  }).output();
  const options = new TextDecoder().decode(help.stdout);
  const set = [];
  for (const name of ["compose.yaml", "kubernetes.yaml", "weir.service"]) {
    for (const [, option] of (await text(name)).matchAll(/--set[= ](\w+)=/g)) set.push(option);
  }
  assert(set.length > 10);
  assertEquals(set.filter((option) => !new RegExp(`^${option}:`, "m").test(options)), []);

  const compose = parse(await text("compose.yaml")) as { services: Record<string, unknown> };
  assertEquals(Object.keys(compose.services).sort(), [
    "haproxy",
    "postgres",
    "prometheus",
    "weir1",
    "weir2",
    "weir3",
  ]);
  const kinds = (await text("kubernetes.yaml")).split(/^---$/m).map((part) =>
    (parse(part) as { kind: string }).kind
  );
  assertEquals(kinds, ["Deployment", "Service", "PodDisruptionBudget"]);
  parse(await text("prometheus.yml"));

  const source = await Deno.readTextFile(new URL("../../addons/admin/numbers.ts", import.meta.url)) +
    await Deno.readTextFile(new URL("../../addons/store.ts", import.meta.url));
  const dashboard = JSON.parse(await text("grafana.json"));
  const names = new Set<string>();
  for (const { targets } of dashboard.panels) {
    for (const { expr } of targets) {
      for (const [name] of expr.matchAll(/weir_[a-z_]+/g)) names.add(name.replace(/_bucket$/, ""));
    }
  }
  assert(names.size >= 8);
  assertEquals([...names].filter((name) => !source.includes(`"${name}"`)), []);
});
