/**
 * The addons that ship with weir. Hooks run in this order: {@linkcode builtinAddons}, the user's addons,
 * {@linkcode recorders}, and on the command line the {@linkcode dumper}.
 *
 * All of them are always loaded: one that looks at bodies or keeps flows only when an option asks for it says so
 * (`readsBodies`, `keepsFlows`), as what is off must cost nothing.
 * @module
 */
import Always from "./always.ts";
import AutoIgnore from "./auto_ignore.ts";
import AltSvc from "./alt_svc.ts";
import AntiCache from "./anticache.ts";
import AntiComp from "./anticomp.ts";
import Admin from "./admin.ts";
import Block from "./block.ts";
import BlockList from "./block_list.ts";
import ClientReplay from "./client_replay.ts";
import Dumper from "./dumper.ts";
import Egress from "./egress.ts";
import Export from "./export.ts";
import Fault from "./fault.ts";
import Har from "./har.ts";
import MapLocal from "./map_local.ts";
import MapRemote from "./map_remote.ts";
import ModifyBody from "./modify_body.ts";
import ModifyHeaders from "./modify_headers.ts";
import Onboarding from "./onboarding.ts";
import ProxyAuth from "./proxyauth.ts";
import Read from "./read.ts";
import Save from "./save.ts";
import ServerReplay from "./server_replay.ts";
import StickyAuth from "./stickyauth.ts";
import StickyCookie from "./stickycookie.ts";
import Store from "./store.ts";
import Trace from "./trace.ts";
import StreamContentTypes from "./stream_content_types.ts";
import StreamLargeBodies from "./stream_large_bodies.ts";
import Throttle from "./throttle.ts";
import UpstreamAuth from "./upstream_auth.ts";
import UpstreamProxy from "./upstream_proxy.ts";

/** In front of the user's addons, which can change what these have decided. */
export const builtinAddons = [
  { name: "egress", addon: Egress, builtin: true },
  { name: "block", addon: Block, builtin: true },
  { name: "always", addon: Always, builtin: true },
  { name: "auto_ignore", addon: AutoIgnore, builtin: true },
  { name: "block_list", addon: BlockList, builtin: true },
  { name: "anticache", addon: AntiCache, builtin: true },
  { name: "anticomp", addon: AntiComp, builtin: true },
  { name: "proxyauth", addon: ProxyAuth, builtin: true },
  { name: "stream_large_bodies", addon: StreamLargeBodies, builtin: true },
  { name: "stream_content_types", addon: StreamContentTypes, builtin: true },
  { name: "upstream_auth", addon: UpstreamAuth, builtin: true },
  { name: "onboarding", addon: Onboarding, builtin: true },
  { name: "client_replay", addon: ClientReplay, builtin: true },
  { name: "read", addon: Read, builtin: true },
] as const;

/** Behind the user's addons: they answer and keep flows as those have left them. */
export const recorders = [
  { name: "trace", addon: Trace, builtin: true },
  { name: "server_replay", addon: ServerReplay, builtin: true },
  { name: "map_remote", addon: MapRemote, builtin: true },
  { name: "upstream_proxy", addon: UpstreamProxy, builtin: true },
  { name: "map_local", addon: MapLocal, builtin: true },
  { name: "modify_headers", addon: ModifyHeaders, builtin: true },
  { name: "modify_body", addon: ModifyBody, builtin: true },
  { name: "alt_svc", addon: AltSvc, builtin: true },
  { name: "stickyauth", addon: StickyAuth, builtin: true },
  { name: "stickycookie", addon: StickyCookie, builtin: true },
  { name: "fault", addon: Fault, builtin: true },
  { name: "throttle", addon: Throttle, builtin: true },
  { name: "save", addon: Save, builtin: true },
  { name: "har", addon: Har, builtin: true },
  { name: "admin", addon: Admin, builtin: true },
  { name: "store", addon: Store, builtin: true },
  { name: "export", addon: Export, builtin: true },
] as const;

/** Prints flows, when all else is done with them. */
export const dumper = { name: "dumper", addon: Dumper, builtin: true } as const;
