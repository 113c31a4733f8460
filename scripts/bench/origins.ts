/**
 * The origins: a Deno process that answers everything, and nginx, if there is one, for small answers and HTTP/2.
 * @module
 */
import { writeCertificate } from "./origins/certificate.ts";
import { startNginx } from "./origins/nginx.ts";
import { Child, freePort, installed } from "./process.ts";

/** Where one origin is, as `host:port`, with TLS and without. */
export interface Origin {
  readonly plain: string;
  readonly secure: string;
}

export interface Origins extends AsyncDisposable {
  /** Everything in `origins/answers.ts`. */
  readonly bulk: Origin;
  /** `/small`; nginx's if there is one, because it takes the least from the other side of a small machine. */
  readonly small: Origin;
  /** `/small` and `/big` over HTTP/2 and HTTP/1.1 (both with TLS alone); null without nginx. */
  readonly http2: string | null;
  /** Length of `/big`. */
  readonly bigSize: number;
}

const HERE = new URL("./origins/main.ts", import.meta.url).pathname;

/** Starts them; files go to `folder`. */
export async function startOrigins(folder: string, bigSize: number): Promise<Origins> {
  await using stack = new AsyncDisposableStack();
  await writeCertificate(folder);
  const child = stack.use(new Child(Deno.execPath(), ["run", "-A", HERE, folder]));
  const [, plain, secure] = await child.printed(/listening (\d+) (\d+)/);
  const bulk = { plain: `127.0.0.1:${plain}`, secure: `127.0.0.1:${secure}` };
  let small: Origin = bulk;
  let http2: string | null = null;
  if (await installed("nginx")) {
    const ports = { plain: freePort(), secure: freePort(), http2: freePort() };
    stack.use(await startNginxOrigin(`${folder}/origin`, ports, bigSize));
    small = { plain: `127.0.0.1:${ports.plain}`, secure: `127.0.0.1:${ports.secure}` };
    http2 = `127.0.0.1:${ports.http2}`;
  }
  const owned = stack.move();
  return { bulk, small, http2, bigSize, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function startNginxOrigin(
  folder: string,
  ports: { plain: number; secure: number; http2: number },
  bigSize: number,
): Promise<Child> {
  await Deno.mkdir(`${folder}/www`, { recursive: true });
  await Deno.writeTextFile(`${folder}/www/small`, "x".repeat(1024));
  await Deno.create(`${folder}/www/big`).then((file) => file.close());
  // A hole in a file takes no room on the disk.
  await Deno.truncate(`${folder}/www/big`, bigSize);
  const tls = `ssl_certificate ${folder}/../cert.pem; ssl_certificate_key ${folder}/../key.pem;`;
  return await startNginx(
    folder,
    `root ${folder}/www; open_file_cache max=10;
  server { listen 127.0.0.1:${ports.plain}; }
  server { listen 127.0.0.1:${ports.secure} ssl; ${tls} }
  server { listen 127.0.0.1:${ports.http2} ssl http2; ${tls} http2_max_concurrent_streams 128; }`,
    { workers: 1, port: ports.http2 },
  );
}
