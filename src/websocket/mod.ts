/**
 * WebSocket (RFC 6455) with permessage-deflate (RFC 7692), for one who stands between client and server.
 *
 *     bytes ─▶ FrameParser ─▶ MessageReader ─▶ [hooks] ─▶ MessageSender ─▶ FrameWriter ─▶ bytes
 *                                    (stream mode: frames go from parser to writer, messages to the hooks)
 *
 * Frames are events that are pulled from a parser, not a TransformStream's chunks: a message of 1 KiB then costs no promise
 * and no object, and a read's worth of frames leaves in one write.
 * @module
 */
export { acceptValue, type Agreement, checkRequest, checkResponse, isWebSocketUpgrade } from "./handshake.ts";
export { CrossingConn, type CrossingEditor, type MessageCrossing } from "./crossing_conn.ts";
export { filterOffer } from "./extensions.ts";
export { type RecordedWebSocketMessage, WebSocketData, WebSocketMessage } from "./conversation.ts";
export { relayWebSocket } from "./relay.ts";
export { CloseCode } from "./close.ts";
export { type PeerMessage, ServerPeer, type WebSocketPeer } from "./server_peer.ts";
