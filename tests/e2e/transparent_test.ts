/**
 * Mode `transparent` in a network namespace that this test makes (rules.md, Modes): clients in a second one
 * know nothing of weir, and what they send to some addresses is redirected, by REDIRECT and by TPROXY, IPv4
 * and IPv6. In a last table what this machine sends is redirected as well, weir's own connections among it.
 * @module
 */
import { assertEquals } from "@std/assert";
import { has } from "./support/tools.ts";
import { START, within } from "./support/within.ts";

const NAME = "transparent, in a network namespace with nftables";
const HERE = new URL("./support/", import.meta.url).pathname;

/** What nft is told; README "Modes" shows the same rules for a router. */
const RULES = `
  table ip weir {
    chain redirected { type nat hook prerouting priority dstnat; iifname veth0 ip daddr 198.51.100.7 meta l4proto tcp redirect to :8080; }
    chain proxied { type filter hook prerouting priority mangle; iifname veth0 ip daddr 198.51.100.8 meta l4proto tcp tproxy to :8080 meta mark set 1; }
  }
  table ip own {
    chain sent { type nat hook output priority -100; ip daddr 198.51.100.9 meta l4proto tcp redirect to :8080; }
  }
  table ip6 weir {
    chain redirected { type nat hook prerouting priority dstnat; iifname veth0 ip6 daddr 2001:db8::7 meta l4proto tcp redirect to :8080; }
    chain proxied { type filter hook prerouting priority mangle; iifname veth0 ip6 daddr 2001:db8::8 meta l4proto tcp tproxy to :8080 meta mark set 1; }
  }`;

/** 77: this system lets nobody do it. */
const SCRIPT = `
  ip link set lo up && nft list ruleset || exit 77
  nft -f - <<'RULES' || exit 1
${RULES}
RULES
  for address in 198.51.100.7/32 198.51.100.8/32 198.51.100.9/32; do ip addr add $address dev lo; done
  for address in 2001:db8::7/128 2001:db8::8/128; do ip addr add $address dev lo nodad; done
  ip rule add fwmark 1 lookup 100 && ip route add local default dev lo table 100
  ip -6 rule add fwmark 1 lookup 100 && ip -6 route add local default dev lo table 100
  unshare -n --kill-child sh -c '
    until ip link set veth1 up 2>/dev/null; do sleep 0.02; done
    ip addr add 10.77.0.2/24 dev veth1 && ip addr add fd77::2/64 dev veth1 nodad
    ip route add default via 10.77.0.1 && ip -6 route add default via fd77::1
    exec "$DENO" run -A ${HERE}far_client.ts "$FAR_CLIENT"' &
  while [ "$(readlink /proc/$!/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do sleep 0.02; done
  ip link add veth0 type veth peer name veth1 netns $! || exit 77
  ip addr add 10.77.0.1/24 dev veth0 && ip addr add fd77::1/64 dev veth0 nodad && ip link set veth0 up
  until [ -S "$FAR_CLIENT" ]; do sleep 0.02; done
  "$DENO" test -A --sanitize-ops --sanitize-resources ${HERE}transparent_inside.ts
  status=$?
  kill $!
  exit $status`;

const decoder = new TextDecoder();

/** No namespaces for users, or a kernel without one of these tables. */
const CANNOT = /^unshare: .*(not permitted|No space)|Could not process rule: (No such file|Operation not s)/m;

Deno.test({
  name: NAME,
  ignore: Deno.build.os !== "linux",
  async fn() {
    if (!["unshare", "ip", "nft", "curl"].every((tool) => has(tool, NAME))) return;
    const dir = await Deno.makeTempDir({ prefix: "weir-e2e-" });
    // All that it starts ends with it, as it has process numbers of its own.
    const child = new Deno.Command("unshare", {
      args: ["-Urnpf", "--mount-proc", "--kill-child", "sh", "-c", SCRIPT],
      env: { NO_COLOR: "1", DENO: Deno.execPath(), FAR_CLIENT: `${dir}/far` },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const output = child.output();
    const { code, stdout, stderr } = await within(START, output, "the namespace").catch(async (late) => {
      child.kill("SIGKILL");
      const { stdout, stderr } = await output;
      throw new Error(`${late.message}\n${decoder.decode(stdout)}${decoder.decode(stderr)}`);
    });
    const text = decoder.decode(stdout) + decoder.decode(stderr);
    await Deno.remove(dir, { recursive: true });
    if (code === 77 || CANNOT.test(text)) {
      console.warn(`Skipped, as this system lets its users have no network of their own: ${NAME}\n${text}`);
    } else assertEquals(code, 0, text);
  },
});
