/**
 * nginx as an origin that speaks HTTP/2, over TLS or without, with files of a temporary directory.
 * @module
 */
import { serverCertificate } from "./certs.ts";
import { freePort } from "./free_port.ts";
import { START } from "./within.ts";

/** nginx takes no port 0: a free one may be gone by the time it binds it. */
const TRIES = 5;

export class Nginx implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  private constructor(
    child: Deno.ChildProcess,
    readonly dir: string,
    readonly port: number,
    readonly tls: boolean,
  ) {
    this.#child = child;
  }

  /** Serves `files` (path to content); what is uploaded with PUT is stored. Without `tls` it speaks HTTP/2 alone. */
  static async start(
    files: Record<string, string | Uint8Array> = {},
    { tls = true, server = "" }: { tls?: boolean; server?: string } = {},
  ): Promise<Nginx> {
    const dir = await Deno.makeTempDir({ prefix: "weir-nginx-" });
    const { cert, key } = await serverCertificate();
    await Deno.writeTextFile(`${dir}/cert.pem`, cert);
    await Deno.writeTextFile(`${dir}/key.pem`, key, { mode: 0o600 });
    for (const sub of ["www", "tmp"]) await Deno.mkdir(`${dir}/${sub}`);
    for (const [name, content] of Object.entries(files)) {
      await Deno.writeFile(
        `${dir}/www/${name}`,
        typeof content === "string" ? new TextEncoder().encode(content) : content,
      );
    }
    // The workers run as another user when it is started by root.
    await new Deno.Command("chmod", { args: ["-R", "a+rwX", dir] }).output();
    for (let tries = 1;; tries++) {
      const port = freePort();
      await Deno.writeTextFile(`${dir}/nginx.conf`, configuration(dir, port, tls, server));
      const child = spawn(["-p", dir, "-c", `${dir}/nginx.conf`, "-e", `${dir}/error.log`]);
      if (await listens(child, port)) return new Nginx(child, dir, port, tls);
      const log = await Deno.readTextFile(`${dir}/error.log`).catch(() => "");
      if (tries === TRIES) throw new Error(`nginx did not start: ${log}`);
    }
  }

  get authority(): string {
    return `localhost:${this.port}`;
  }

  url(path: string): string {
    return `${this.tls ? "https" : "http"}://${this.authority}/${path}`;
  }

  /** Requests so far: protocol, method, path, status, and the number of the connection. */
  async requests(): Promise<string[]> {
    return (await Deno.readTextFile(`${this.dir}/access.log`)).trim().split("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
    await Deno.remove(this.dir, { recursive: true });
  }
}

/** `server`: further lines of its block. */
function configuration(dir: string, port: number, tls: boolean, server: string): string {
  return `daemon off; worker_processes 1; pid ${dir}/pid; error_log ${dir}/error.log;
events { worker_connections 512; }
http {
  types { text/html html; text/javascript js; text/css css; image/svg+xml svg; }
  default_type application/octet-stream;
  log_format seen '$server_protocol $request_method $uri $status $connection';
  access_log ${dir}/access.log seen;
  client_max_body_size 0; sendfile on; keepalive_requests 100000; http2_max_concurrent_streams 128;
  client_body_temp_path ${dir}/tmp; proxy_temp_path ${dir}/tmp; fastcgi_temp_path ${dir}/tmp;
  uwsgi_temp_path ${dir}/tmp; scgi_temp_path ${dir}/tmp;
  server {
    listen 127.0.0.1:${port} ${tls ? "ssl http2" : "http2"};
    ssl_certificate ${dir}/cert.pem; ssl_certificate_key ${dir}/key.pem;
    root ${dir}/www;
    ${server}
    location / { dav_methods PUT; }
    location = /report { return 204; }
    location /refused/ { client_max_body_size 1k; dav_methods PUT; }
  }
}
`;
}

function spawn(args: string[]): Deno.ChildProcess {
  for (const command of ["nginx", "/usr/sbin/nginx"]) {
    try {
      return new Deno.Command(command, { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new Error("These tests need nginx: apt-get install nginx.");
}

/** False when it ended instead. */
async function listens(child: Deno.ChildProcess, port: number): Promise<boolean> {
  let ended = false;
  child.status.then(() => ended = true);
  for (const late = performance.now() + START; !ended && performance.now() < late;) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return true;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  return false;
}
