/**
 * The audit: one JSON object a line, in the file by the time that what it tells of goes on.
 *
 * A line is one write at the end of the file, so it outlives weir being killed. One that could not be written whole (the disk is
 * full) is taken back.
 * @module
 */
import { messageOf, WeirError } from "../errors.ts";

/** What a line says. */
export interface AuditRecord {
  readonly event: "decided" | "ended";
  /** RFC 3339. */
  readonly time: string;
  /** Its flow's identifier; the same in both lines of a request. */
  readonly flow: string;
  /** Address and port. */
  readonly client: string;
  readonly host: string;
  readonly port: number;
  readonly method: string;
  /** Without query. */
  readonly path: string;
  readonly protocol: string;
  readonly decision: "allow" | "deny" | "warn" | "tunnel";
  /** The rule's line in the policy; null for the default. */
  readonly rule: number | null;
  /** Names of secrets and how often; never a value. */
  readonly injected: object;
  readonly scrubbed: object;
  readonly carried: object;
  readonly status: number | null;
  /** Of the request's body, to the origin. */
  readonly bytesOut: number;
  /** Of the response's body, from the origin. */
  readonly bytesIn: number;
  readonly ms: number;
  readonly error: string | null;
}

const encoder = new TextEncoder();

/** Where lines go. */
export interface AuditSink {
  /** Writes a line. @throws {WeirError} 503 when it cannot. */
  write(record: AuditRecord): void;
  close(): void;
}

/** Lines to a file, behind what is in it. */
export class AuditFile implements AuditSink {
  readonly #path: string;
  readonly #file: Deno.FsFile;

  /** @throws {Error} when the file cannot be opened. */
  constructor(path: string) {
    this.#path = path;
    this.#file = Deno.openSync(path, { append: true, create: true, mode: 0o600 });
  }

  write(record: AuditRecord): void {
    const bytes = encoder.encode(`${JSON.stringify(record)}\n`);
    let written = 0;
    try {
      while (written < bytes.length) {
        const count = this.#file.writeSync(bytes.subarray(written));
        if (count === 0) throw new Error("nothing more can be written");
        written += count;
      }
    } catch (error) {
      if (written > 0) this.#takeBack(written);
      const text = `The audit (audit_log) cannot be written to ${this.#path}: ${messageOf(error)}`;
      throw new WeirError("weir", "policy", `${text}.`, { statusCode: 503, cause: error });
    }
  }

  close(): void {
    this.#file.close();
  }

  /** Half a line is none. */
  #takeBack(bytes: number): void {
    try {
      const { size, isFile } = this.#file.statSync();
      if (isFile) this.#file.truncateSync(size - bytes);
    } catch {
      // Then the line stays broken; the next ones are refused as this one.
    }
  }
}

/** Lines to standard output. */
export class AuditPrinter implements AuditSink {
  readonly #print: (text: string) => unknown;

  constructor(print: (text: string) => unknown) {
    this.#print = print;
  }

  write(record: AuditRecord): void {
    void this.#print(`${JSON.stringify(record)}\n`);
  }

  close(): void {}
}
