/**
 * Peers that come from npm and run in Node: mockttp and http-mitm-proxy.
 * @module
 */
import { installed, output } from "../process.ts";
import { startForward } from "./forward.ts";
import type { Peer, Running, Setup, Workshop } from "./peer.ts";

interface NodeProxy {
  readonly name: "mockttp" | "http-mitm-proxy";
  readonly version: string;
  /** CommonJS; the port and a folder of its own are `process.argv[2]` and `[3]`. */
  readonly program: string;
}

/** Passing through is all it does; recording, which its tests need, is off: it keeps every body. */
export const mockttp: Peer = nodeProxy({
  name: "mockttp",
  version: "4.6.5",
  program: `const mockttp = require("mockttp");
(async () => {
  const https = await mockttp.generateCACertificate();
  const server = mockttp.getLocal({ https, http2: true, recordTraffic: false });
  await server.forUnmatchedRequest().thenPassThrough({ ignoreHostHttpsErrors: true });
  await server.start(Number(process.argv[2]));
})();
`,
});

export const httpMitmProxy: Peer = nodeProxy({
  name: "http-mitm-proxy",
  version: "1.1.0",
  program: `const { Proxy } = require("http-mitm-proxy");
const proxy = new Proxy();
proxy.onError(() => {});
proxy.listen({ host: "127.0.0.1", port: Number(process.argv[2]), sslCaDir: process.argv[3], keepAlive: true });
`,
});

function nodeProxy({ name, version, program }: NodeProxy): Peer {
  const home = (cache: string) => `${cache}/${name}`;
  return {
    name,

    async prepare({ cache }: Workshop) {
      if (!await installed("node") || !await installed("npm")) return "apt-get install nodejs npm";
      const folder = home(cache);
      await Deno.mkdir(folder, { recursive: true });
      const have = await Deno.readTextFile(`${folder}/node_modules/${name}/package.json`)
        .then((text) => JSON.parse(text).version as string, () => null);
      if (have !== version) {
        await Deno.writeTextFile(`${folder}/package.json`, '{ "private": true }\n');
        try {
          await output("npm", [
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            `${name}@${version}`,
          ], {
            cwd: folder,
          });
        } catch {
          return `npm install ${name}@${version} (in ${folder}; it failed just now)`;
        }
      }
      await Deno.writeTextFile(`${folder}/main.cjs`, program);
      return null;
    },

    async version() {
      return `${version} with Node ${(await output("node", ["--version"])).trim().slice(1)}`;
    },

    async start({ cache, folder }: Workshop, _setup: Setup): Promise<Running> {
      const own = `${folder}/${name}-conf`;
      return await startForward("node", (port) => ["main.cjs", String(port), own], {
        cwd: home(cache),
        // Neither has a flag for the origin's self-signed certificate that holds everywhere.
        env: { NODE_TLS_REJECT_UNAUTHORIZED: "0", NODE_NO_WARNINGS: "1" },
      });
    },
  };
}
