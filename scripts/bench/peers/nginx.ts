/**
 * nginx with `proxy_pass` and no buffering: it looks at nothing, so it is the ceiling. Unbuffered it reads as much at
 * once as `proxy_buffer_size` says: as much as weir does, not the page that is its default.
 * @module
 */
import { startNginx } from "../origins/nginx.ts";
import { freePort, installed } from "../process.ts";
import type { Peer, Running, Setup, Workshop } from "./peer.ts";

export const nginx: Peer = {
  name: "nginx",

  async prepare() {
    return await installed("nginx") ? null : "apt-get install nginx-light";
  },

  async version() {
    // It tells on stderr.
    const { stderr } = await new Deno.Command("nginx", { args: ["-v"] }).output();
    return new TextDecoder().decode(stderr).trim().replace(/^.*nginx\//, "");
  },

  async start({ folder, origins }: Workshop, _setup: Setup): Promise<Running> {
    const home = await Deno.makeTempDir({ dir: folder, prefix: "nginx-" });
    const backends = [
      ...new Set([origins.small, origins.bulk].flatMap(({ plain, secure }) => [plain, secure])),
      ...origins.http2 === null ? [] : [origins.http2],
    ];
    const ports = { plain: freePort(), secure: freePort() };
    const started = performance.now();
    const child = await startNginx(home, httpBlock(backends, ports, folder), {
      workers: "auto",
      port: ports.secure,
    });
    return {
      pid: child.pid,
      startMs: performance.now() - started,
      via: (_origin, secure) => ({ kind: "server", port: secure ? ports.secure : ports.plain }),
      [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
    };
  },
};

/** One server for all origins: the Host field says which is meant. */
function httpBlock(
  backends: string[],
  ports: { plain: number; secure: number },
  certificate: string,
): string {
  const location = (scheme: string) =>
    `location / { proxy_pass ${scheme}://$backend; proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_buffering off; proxy_buffer_size 256k; proxy_buffers 4 256k; proxy_busy_buffers_size 512k; proxy_request_buffering off; client_max_body_size 0; proxy_ssl_session_reuse on; }`;
  return `
  map $http_host $backend { ${backends.map((place, i) => `${place} origin${i};`).join(" ")} }
  ${backends.map((place, i) => `upstream origin${i} { server ${place}; keepalive 64; }`).join("\n  ")}
  server { listen 127.0.0.1:${ports.plain}; ${location("http")} }
  server { listen 127.0.0.1:${ports.secure} ssl http2;
    ssl_certificate ${certificate}/cert.pem; ssl_certificate_key ${certificate}/key.pem; ${
    location("https")
  } }
`;
}
