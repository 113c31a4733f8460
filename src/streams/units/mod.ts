/**
 * Bodies that are made of units: events, lines, messages, parts, and what a language model says in them.
 *
 * A cutter finds the units of a body without any I/O; stages, the dumper and the page use the same ones.
 * @module
 */
export { SseCutter, type SseEvent, type SseEventInit } from "./sse.ts";
export type { SseOutput } from "./sse_rules.ts";
export { sseStream } from "./sse_stream.ts";
export { type JsonLine, NdjsonCutter } from "./ndjson.ts";
export { ndjsonStream } from "./ndjson_stream.ts";
export { GrpcCutter, type GrpcFrame } from "./grpc.ts";
export type { GrpcMessage, GrpcMessageInit, GrpcOutput } from "./grpc_message.ts";
export { grpcStream } from "./grpc_stream.ts";
export type { Cutter, Segment } from "./cutter.ts";
export type { UnitOutput } from "./unit_body.ts";
export type { ModelChannel } from "./model/dialect.ts";
export type { ChannelStages } from "./model/engine.ts";
export { modelStream } from "./model_stream.ts";
export { MultipartCutter, type MultipartMark } from "./multipart.ts";
export { MultipartPart, type PartOutput } from "./multipart_part.ts";
export { multipartStream } from "./multipart_stream.ts";
export type { BodyUnit, UnitReader } from "./body_unit.ts";
export { unitReader } from "./reader.ts";
