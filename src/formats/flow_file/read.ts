/**
 * Reads flow files of mitmproxy: one record after another.
 * @module
 */
import type { Flow } from "../../flow/flow.ts";
import { type ByteSource, Input } from "../input.ts";
import { type LongValue, TnetstringReader } from "../tnetstring/mod.ts";
import { decodeFlow } from "./decode.ts";

/** What a reader tells besides flows. */
export interface ReadOptions {
  /** Told of each flow of a kind that weir has none of: "udp", "dns". */
  readonly onSkipped?: (type: string) => void;
  /**
   * Long bodies stay as long as their flows are held. Without it they may go, oldest first, once the next flow was asked for and
   * their files have 1 GiB together: a file of any size can be read through with little disk.
   */
  readonly keepsBodies?: boolean;
}

/** What the long values of a record are. */
const LONG: Readonly<Record<string, LongValue>> = {
  backup: "skip",
  content: "bytes",
  messages: "list",
  metadata: "dict",
  request: "dict",
  response: "dict",
  websocket: "dict",
};

/**
 * The flows of a flow file (versions 14 to 21), one by one. Long bodies are in temporary files, which go with the flows.
 * @throws {FormatError} where the file is broken, after all flows before that place.
 */
export async function* readFlowFile(
  source: ByteSource,
  options: ReadOptions = {},
): AsyncGenerator<Flow, void> {
  const input = new Input(source);
  const reader = new TnetstringReader(input, (key) => Object.hasOwn(LONG, key) ? LONG[key] : undefined);
  try {
    for (let record; (record = await reader.next()) !== null;) {
      const { bodies } = reader;
      const flow = decodeFlow(record, reader.start);
      if (typeof flow === "string") options.onSkipped?.(flow);
      else {
        yield flow;
        if (!options.keepsBodies) { for (const body of bodies) body.retire(); }
      }
    }
  } finally {
    await input.close();
  }
}
