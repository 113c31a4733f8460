/**
 * The module `weir` for addons: types of what hooks are given, and helpers for bodies that stream.
 *
 * An addon is a file that exports functions named after hooks; `weir -s FILE` loads it, and again when it changes.
 *
 * ```ts
 * import type { HttpFlow } from "weir";
 *
 * export function request(flow: HttpFlow) {
 *   flow.request.headers.set("x-seen-by", "weir");
 * }
 * ```
 *
 * Change a body while it flows:
 *
 * ```ts
 * import { decoded, type HttpFlow, replaceStream } from "weir";
 *
 * export function responseheaders(flow: HttpFlow) {
 *   flow.response!.stream = decoded(flow.response!, replaceStream("foo", "bar"));
 * }
 * ```
 *
 * Read options, and write to the log:
 *
 * ```ts
 * import type { Context, HttpFlow, Loader } from "weir";
 *
 * export function load(loader: Loader) {
 *   loader.addOption("greeting", "str", "hello", "What to say for each request.");
 * }
 *
 * export function request(flow: HttpFlow, ctx: Context) {
 *   ctx.log.info(`${ctx.options.get("greeting")}, ${flow.request.host}`);
 * }
 * ```
 *
 * The proxy itself is `weir/proxy`.
 * @module
 */
export type {
  Addon,
  AddonClass,
  AddonExport,
  AddonLog,
  AddonModule,
  AddonOptions,
  AddonTraits,
  Arrival,
  CertificateFormat,
  ClientHelloData,
  Context,
  DepartingBody,
  Departure,
  EventHandlers,
  EventHookName,
  EventHooks,
  Gate,
  GatePlace,
  LifeHookName,
  LifeHooks,
  Loader,
  Metric,
  OptionExtras,
  OptionType,
  OptionValue,
  ProxyInfo,
  Reach,
  ServerConnectionData,
  Socks5AuthData,
  TlsFailedData,
  TunnelData,
} from "./hooks/mod.ts";

export {
  type CoreValues,
  type Credentials,
  OptionError,
  type Options,
  parseProxyUrl,
  type ProxyAddress,
  withoutCredentials,
} from "./options/mod.ts";
export { type ErrorCode, type Side, WeirError } from "./errors.ts";
export { TemporaryDirectory } from "./temporary.ts";
export { type Address, type AddressKind, addressKind, hostPort, type TlsInfo } from "./net/mod.ts";
export type { ClientConnection, ServerConnection } from "./flow/connection.ts";
export type { BaseFlow, Flow, FlowError, HttpFlow, TcpFlow, TcpMessage } from "./flow/flow.ts";
export {
  type FlowInit,
  type HttpFlowInit,
  makeClientConnection,
  makeHttpFlow,
  makeServerConnection,
  makeTcpFlow,
  type MessageInit,
  type RequestInit,
  type ResponseInit,
  type TcpFlowInit,
  type WebSocketInit,
} from "./flow/make.ts";
export { Headers, type HeadersInit, type HttpVersion, reasonFor } from "./http/mod.ts";
export type { Message, StreamedBy } from "./flow/message.ts";
export type { Request } from "./flow/request.ts";
export type { Response } from "./flow/response.ts";
export type {
  CrossingEditor,
  MessageCrossing,
  PeerMessage,
  RecordedWebSocketMessage,
  WebSocketData,
  WebSocketMessage,
  WebSocketPeer,
} from "./websocket/mod.ts";

export type {
  BytesLike,
  Chunk,
  ChunkHook,
  ChunkOutput,
  CodedMessage,
  ContentStart,
  Digest,
  FoundSecret,
  GeneratorHook,
  HoldOptions,
  HookFunction,
  JsonEdits,
  JsonPlace,
  LineOutput,
  MatchFunction,
  Moment,
  Replacement,
  Replacements,
  ReplaceOptions,
  SecretList,
  SecretReplacement,
  Stage,
  StagePair,
  StreamHook,
  StreamPair,
  StreamValue,
  ThrottleOptions,
} from "./streams/mod.ts";
export {
  corruptStream,
  countStream,
  cutStream,
  decoded,
  decodeStream,
  delayStream,
  drop,
  encodeStream,
  hashStream,
  jsonStream,
  limitStream,
  linesStream,
  rechunkStream,
  redactBytes,
  redactStream,
  replaceStream,
  saveStream,
  stallStream,
  StoredBody,
  type StoredBodyOptions,
  tapStream,
  throttleStream,
  timedStream,
  TokenBucket,
} from "./streams/mod.ts";
export type { Observer as BodyObserver } from "./streams/mod.ts";
export {
  type BodyUnit,
  type ChannelStages,
  type GrpcMessage,
  type GrpcMessageInit,
  type GrpcOutput,
  grpcStream,
  type ModelChannel,
  modelStream,
  type MultipartPart,
  multipartStream,
  ndjsonStream,
  type PartOutput,
  type SseEvent,
  type SseEventInit,
  type SseOutput,
  sseStream,
  type UnitOutput,
  type UnitReader,
  unitReader,
} from "./streams/units/mod.ts";
export {
  type Condition,
  type Filter,
  FilterError,
  type FlowFacts,
  flowFacts,
  type Need,
  parseFilter,
  PatternError,
  type PatternOptions,
  pythonRegex,
} from "./filter/mod.ts";
export { escapeControl } from "./escape.ts";
export type { BodySlice } from "./streams/mod.ts";
export {
  type ByteSource,
  DETECT_BYTES,
  detectFormat,
  type EncodedFlow,
  encodeFlow,
  encodeMessage,
  type EncodeOptions,
  type FlowFormat,
  FormatError,
  type GrowingHar,
  type Har,
  type HarContent,
  type HarCookie,
  type HarEntry,
  harEntry,
  type HarEventSourceMessage,
  type HarPair,
  type HarRequest,
  type HarResponse,
  type HarTimings,
  type HarWebSocketMessage,
  type HarWrite,
  type HarWriter,
  PlainHarWriter,
  type RandomSource,
  type RawPart,
  readFlowFile,
  readFlows,
  readHar,
  type ReadOptions,
  readPackedHar,
  scanFlowFile,
  toCurl,
  toFetch,
  toHar,
  toHttpie,
  toRaw,
  type WholeFlows,
  ZlibHarWriter,
} from "./formats/mod.ts";
