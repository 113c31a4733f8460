/** Clients from public addresses, in a network namespace of their own in which this machine has one. @module */
import { assertEquals, assertMatch } from "@std/assert";
import { has } from "./support/tools.ts";
import { SOON, within } from "./support/within.ts";

const NAME =
  "a client from a public address is refused, one of this machine is served; both are told of at start";
Deno.test({
  name: NAME,
  ignore: Deno.build.os !== "linux",
  async fn() {
    if (!["unshare", "ip", "curl"].every((tool) => has(tool, NAME))) return;
    const confdir = await Deno.makeTempDir({ prefix: "weir-e2e-" });
    const main = new URL("../../main.ts", import.meta.url).pathname;
    const script = `
      ip link set lo up && ip addr add 8.8.4.4/32 dev lo || exit 77
      "$0" run -A ${main} -p 8080 --listen-host 0.0.0.0 --set confdir=${confdir} 2>${confdir}/log >/dev/null &
      until grep -q 'listening at' ${confdir}/log; do sleep 0.05; done
      for source in 8.8.4.4 127.0.0.1; do
        curl -s -o ${confdir}/page -w '%{http_code} ' --interface $source -x http://$source:8080 http://weir.internal/
      done
      kill $!; wait $!`;
    const run = new Deno.Command("unshare", {
      args: ["-Urn", "sh", "-c", script, Deno.execPath()],
      env: { NO_COLOR: "1" },
      stdin: "null",
    }).output();
    const { code, stdout } = await within(SOON, run, "the namespace");
    if (code === 77 || code === 1) {
      console.warn(`Skipped, as this system lets its users have no network of their own: ${NAME}`);
    } else {
      assertEquals(new TextDecoder().decode(stdout), "000 200 ");
      const log = await Deno.readTextFile(`${confdir}/log`);
      assertMatch(
        log,
        /weir listens beyond this machine \(0\.0\.0\.0:8080\): clients from public addresses are refused/,
      );
      assertMatch(log, /warn: 8\.8\.4\.4:\d+: the client was refused by block_global/);
    }
    await Deno.remove(confdir, { recursive: true });
  },
});
