/**
 * All proxies that the bench knows, in the order of the table.
 * @module
 */
import { goproxy } from "./peers/goproxy.ts";
import { mitmdump } from "./peers/mitmdump.ts";
import { nginx } from "./peers/nginx.ts";
import { none } from "./peers/none.ts";
import { httpMitmProxy, mockttp } from "./peers/npm.ts";
import type { Peer } from "./peers/peer.ts";
import { weir } from "./peers/weir.ts";

export const PEERS: readonly Peer[] = [weir, mitmdump, goproxy, mockttp, httpMitmProxy, nginx, none];
