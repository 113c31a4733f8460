/**
 * mitmproxy's mitmdump.
 * @module
 */
import { installed, output } from "../process.ts";
import { startForward } from "./forward.ts";
import type { Peer, Running, Setup, Workshop } from "./peer.ts";

const HOOKS = {
  identity: "def responseheaders(flow):\n    flow.response.stream = lambda chunk: chunk\n",
  content: "def response(flow):\n    if len(flow.response.content) < 1:\n        flow.kill()\n",
  // It has no way to change coded bodies while they flow.
  coded: "def response(flow):\n" +
    '    flow.response.content = flow.response.content.replace(b"lorem", b"dolor")\n',
};

export const mitmdump: Peer = {
  name: "mitmdump",

  async prepare() {
    return await installed("mitmdump") ? null : "apt-get install mitmproxy";
  },

  async version() {
    return (await output("mitmdump", ["--version"])).split("\n")[0].replace(/^\w+:\s*/, "");
  },

  async start({ folder }: Workshop, setup: Setup): Promise<Running> {
    const home = await Deno.makeTempDir({ dir: folder, prefix: "mitmdump-" });
    const args = [
      "-q",
      "--ssl-insecure",
      "--listen-host",
      "127.0.0.1",
      "--set",
      `confdir=${folder}/mitmdump-conf`,
    ];
    if (setup.stream) args.push("--set", "stream_large_bodies=1");
    if (setup.hook !== undefined) {
      await Deno.writeTextFile(`${home}/hook.py`, HOOKS[setup.hook]);
      args.push("-s", `${home}/hook.py`);
    }
    return await startForward("mitmdump", (port) => ["-p", String(port), ...args], { cwd: home });
  },
};
