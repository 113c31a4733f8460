/**
 * weir, as its users start it.
 * @module
 */
import { OPTIONS } from "../../../src/options/mod.ts";
import { output } from "../process.ts";
import { startForward } from "./forward.ts";
import type { Peer, Running, Setup, Workshop } from "./peer.ts";

const MAIN = new URL("../../../main.ts", import.meta.url).pathname;
const HOOKS = {
  identity: "export function responseheaders(flow) { flow.response.stream = (chunk) => chunk; }\n",
  coded: `import { decoded, replaceStream } from "weir";
export function responseheaders({ response }) {
  response.stream = decoded(response, replaceStream("lorem", "dolor"));
}
`,
  content: "export function response(flow) { if (flow.response.content.length < 1) flow.kill(); }\n",
};

export const weir: Peer = {
  name: "weir",
  prepare: () => Promise.resolve(null),

  async version() {
    return (await output(Deno.execPath(), ["run", "-A", MAIN, "--version"])).split("\n")[0].replace(
      /^weir:?\s+/,
      "",
    );
  },

  async start({ folder }: Workshop, setup: Setup): Promise<Running> {
    const home = await Deno.makeTempDir({ dir: folder, prefix: "weir-" });
    const args = ["-q", "-k", "--set", `confdir=${folder}/weir-conf`];
    if (setup.stream) args.push("--set", "stream_large_bodies=1");
    if (setup.hook !== undefined) {
      await Deno.writeTextFile(`${home}/hook.js`, HOOKS[setup.hook]);
      args.push("-s", `${home}/hook.js`);
    }
    args.push(...setup.weir ?? []);
    return await startForward(
      Deno.execPath(),
      (port) => ["run", "-A", MAIN, "-p", String(port), ...args],
      { cwd: home },
    );
  },
};

/** Whether this weir has the option `name`. */
export function hasOption(name: string): boolean {
  return name in OPTIONS;
}
