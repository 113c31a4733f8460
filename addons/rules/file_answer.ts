/**
 * A file as the answer to a request: whole or a range of it (RFC 9110 §14), or that it was not modified (§13.1.3).
 * @module
 */
import { makeHttpFlow, type Request, type Response as FlowResponse } from "weir";

/** The media type that a file's name says; null for none. */
export type TypeOf = (path: string) => string | null;

/** Up to this size a file is read at once, and its content is there for addons. */
const MAX_READ = 1024 * 1024;
/** Bytes that are read at a time. */
const PIECE = 64 * 1024;

/** Rejects where the file cannot be read. */
export async function answerWithFile(
  path: string,
  request: Request,
  typeOf: TypeOf,
): Promise<FlowResponse> {
  const { size, mtime } = await Deno.stat(path);
  const type = typeOf(path);
  const headers: [string, string][] = [["Accept-Ranges", "bytes"]];
  if (type !== null) headers.push(["Content-Type", type]);
  if (mtime !== null) headers.push(["Last-Modified", mtime.toUTCString()]);
  if (isUnmodified(request, mtime)) return answerOf(304, headers, "").copy();
  const range = rangeOf(request, size, mtime);
  if (range === "unsatisfiable") {
    return answerOf(416, [["Content-Range", `bytes */${size}`], ["Content-Length", "0"]], "").copy();
  }
  const { from, to } = range ?? { from: 0, to: size };
  headers.push(["Content-Length", String(to - from)]);
  if (range !== null) headers.push(["Content-Range", `bytes ${from}-${to - 1}/${size}`]);
  const status = range === null ? 200 : 206;
  if (request.method === "HEAD" || to === from) return answerOf(status, headers, "").copy();
  const file = await Deno.open(path);
  try {
    await file.seek(from, Deno.SeekMode.Start);
    if (to - from > MAX_READ) {
      return answerOf(status, headers, "").copy(streamOf(file, to - from), to - from);
    }
    const bytes = await readExactly(file, to - from);
    file.close();
    return answerOf(status, headers, bytes).copy();
  } catch (error) {
    file.close();
    throw error;
  }
}

/** Fields keep their order and case. */
function answerOf(statusCode: number, headers: [string, string][], body: Uint8Array | ""): FlowResponse {
  return makeHttpFlow({ request: {}, response: { statusCode, headers, body } }).response!;
}

/** Whether the client has this version already. With `If-None-Match` its date does not count, and weir gives out no tags. */
function isUnmodified({ headers }: Request, mtime: Date | null): boolean {
  if (headers.has("if-none-match")) return headers.get("if-none-match")!.trim() === "*";
  const since = Date.parse(headers.get("if-modified-since") ?? "");
  return mtime !== null && Math.floor(mtime.getTime() / 1000) * 1000 <= since;
}

/** What part is asked for: bytes from (inclusive) to (exclusive). Null for the whole, also where several parts are asked for. */
function rangeOf(
  { method, headers }: Request,
  size: number,
  mtime: Date | null,
): { from: number; to: number } | "unsatisfiable" | null {
  const match = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(headers.get("range") ?? "");
  if (match === null || match[1] + match[2] === "" || method === "HEAD") return null;
  const condition = headers.get("if-range");
  // Only the very date that was given out will do (RFC 9110 §13.1.5).
  if (condition !== null && condition.trim() !== mtime?.toUTCString()) return null;
  if (match[1] === "") {
    const last = Number(match[2]);
    return last === 0 || size === 0 ? "unsatisfiable" : { from: Math.max(0, size - last), to: size };
  }
  const from = Number(match[1]), last = match[2] === "" ? Infinity : Number(match[2]);
  if (last < from) return null;
  return from >= size ? "unsatisfiable" : { from, to: Math.min(size, last + 1) };
}

async function readExactly(file: Deno.FsFile, size: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size;) {
    const count = await file.read(bytes.subarray(at));
    if (count === null) throw new Error("it has become shorter");
    at += count;
  }
  return bytes;
}

/** So many pieces are there at a time: the one that is sent, and those that are read ahead on its way. */
const PIECES = 4;

/**
 * The next `size` bytes of a file, which is closed behind them. Nothing is read before it is asked for. Pieces take turns in a few
 * buffers: new ones for gigabytes would be garbage faster than it is collected.
 */
function streamOf(file: Deno.FsFile, size: number): ReadableStream<Uint8Array> {
  const buffers = Array.from({ length: PIECES }, () => new Uint8Array(PIECE));
  let left = size, turn = 0;
  return new ReadableStream({
    async pull(controller) {
      const bytes = buffers[turn++ % PIECES].subarray(0, left);
      try {
        const count = await file.read(bytes);
        if (count === null) throw new Error("The file has become shorter while it was sent.");
        left -= count;
        controller.enqueue(bytes.subarray(0, count));
      } catch (error) {
        file.close();
        throw error;
      }
      if (left > 0) return;
      file.close();
      controller.close();
    },
    cancel: () => file.close(),
  }, { highWaterMark: 0 });
}
