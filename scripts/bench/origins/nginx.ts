/**
 * Configuration and start of nginx, both as an origin (small answers, HTTP/2) and as the ceiling among the proxies.
 * @module
 */
import { Child } from "../process.ts";

/** Starts nginx with `http { … }` in `folder`, where all its files go. */
export async function startNginx(
  folder: string,
  http: string,
  { workers, port }: { workers: number | "auto"; port: number },
): Promise<Child> {
  await Deno.mkdir(folder, { recursive: true });
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  await Deno.writeTextFile(
    `${folder}/nginx.conf`,
    `${
      Deno.uid() === 0 ? "user root; " : ""
    }daemon off; worker_processes ${workers}; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 8192; }
http {
  access_log off; sendfile on; tcp_nodelay on; keepalive_requests 100000000; keepalive_timeout 300;
  ${paths.map((path) => `${path}_temp_path ${folder}/${path};`).join(" ")}
  ${http}
}
`,
  );
  const child = new Child("nginx", ["-p", folder, "-e", `${folder}/error.log`, "-c", `${folder}/nginx.conf`]);
  await child.listening(port);
  return child;
}
