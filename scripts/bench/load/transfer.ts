/**
 * Load tasks: one large body down, or up.
 * @module
 */
import { Client } from "./client.ts";
import type { Target } from "./target.ts";

export interface TransferSpec {
  readonly target: Target;
  readonly path: string;
  /** Bytes of the body, before any coding. */
  readonly size: number;
  /** The body has a content coding: how many bytes come is for the proxy to say. */
  readonly isCoded?: boolean;
}

export interface TransferResult {
  readonly bytes: number;
  readonly seconds: number;
}

const BLOCK = new Uint8Array(256 * 1024);

export async function download({ target, path, size, isCoded }: TransferSpec): Promise<TransferResult> {
  const client = await Client.connect(target);
  const start = performance.now();
  await client.send("GET", path);
  const bytes = await client.wire.body(await client.receive());
  const seconds = (performance.now() - start) / 1000;
  client.close();
  if (isCoded ? bytes === 0 : bytes !== size) throw new Error(`${bytes} bytes arrived instead of ${size}.`);
  return { bytes: size, seconds };
}

export async function upload({ target, path, size }: TransferSpec): Promise<TransferResult> {
  const client = await Client.connect(target);
  const start = performance.now();
  await client.send("POST", path, `Content-Length: ${size}\r\n`);
  for (let left = size; left > 0; left -= BLOCK.length) await client.wire.write(BLOCK.subarray(0, left));
  const head = await client.receive();
  let text = "";
  await client.wire.body(head, (bytes) => text += new TextDecoder().decode(bytes));
  const seconds = (performance.now() - start) / 1000;
  client.close();
  if (Number(text) !== size) throw new Error(`The origin got ${text} bytes instead of ${size}.`);
  return { bytes: size, seconds };
}
