/**
 * An HTTP/1.1 client that goes through a proxy, with TLS inside CONNECT where the target says so.
 * @module
 */
import { type Head, Wire } from "../wire.ts";
import { requestTarget, type Target } from "./target.ts";

/** One client connection. */
export class Client {
  private constructor(readonly wire: Wire, readonly target: Target) {}

  /** Connects; certificates are not looked at (this process runs with that flag). */
  static async connect(target: Target): Promise<Client> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: target.via.port });
    conn.setNoDelay(true);
    if (!target.secure) return new Client(new Wire(conn), target);
    if (target.via.kind === "proxy") {
      const wire = new Wire(conn);
      await wire.write(`CONNECT ${target.origin} HTTP/1.1\r\nHost: ${target.origin}\r\n\r\n`);
      expectStatus(await wire.head(), 200);
    }
    return new Client(new Wire(await Deno.startTls(conn, { hostname: "127.0.0.1" })), target);
  }

  /** Sends the head of a request; `fields` are whole lines. */
  async send(method: string, path: string, fields = ""): Promise<void> {
    await this.wire.write(
      `${method} ${
        requestTarget(this.target, path)
      } HTTP/1.1\r\nHost: ${this.target.origin}\r\n${fields}\r\n`,
    );
  }

  /** The head of the response, which must have this status. */
  async receive(status = 200): Promise<Head> {
    return expectStatus(await this.wire.head(), status);
  }

  close(): void {
    this.wire.close();
  }
}

function expectStatus(head: Head | null, status: number): Head {
  if (head === null) throw new Error("The connection was closed instead of an answer.");
  if (!head.start.startsWith(`HTTP/1.1 ${status}`) && !head.start.startsWith(`HTTP/1.0 ${status}`)) {
    throw new Error(`The answer was ${head.start}`);
  }
  return head;
}
