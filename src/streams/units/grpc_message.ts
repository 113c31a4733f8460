/**
 * A gRPC message as the function of `grpcStream` gets it.
 * @module
 */
import type { BytesLike } from "../bytes.ts";
import type { UnitOutput } from "./unit_body.ts";

/** One message. */
export interface GrpcMessage {
  /** The message, decompressed when the stage knows the encoding; a copy that may be changed. */
  data: Uint8Array;
  /** Whether it is compressed on the wire (the lowest bit of `flags`). */
  compressed: boolean;
  /** The first byte of its frame. */
  flags: number;
}

/**
 * A message to be sent: where nothing is said, compressed if the one was in whose place it is sent, and its
 * encoding is known.
 */
export type GrpcMessageInit = { data: BytesLike } & Partial<Omit<GrpcMessage, "data">>;

/** What the function of `grpcStream` may give. */
export type GrpcOutput = UnitOutput<GrpcMessageInit>;
