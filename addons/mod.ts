/**
 * The addons that ship with weir, in the order in which their hooks run.
 * @module
 */
import Block from "./block.ts";
import Dumper from "./dumper.ts";
import Onboarding from "./onboarding.ts";
import Read from "./read.ts";
import Save from "./save.ts";
import StreamContentTypes from "./stream_content_types.ts";
import StreamLargeBodies from "./stream_large_bodies.ts";

/** Sources for the addon manager; `last` ones come behind the user's scripts, to see what those have changed. */
export const builtinAddons = [
  { name: "block", addon: Block, builtin: true },
  { name: "stream_large_bodies", addon: StreamLargeBodies, builtin: true },
  { name: "stream_content_types", addon: StreamContentTypes, builtin: true },
  { name: "onboarding", addon: Onboarding, builtin: true },
  { name: "read", addon: Read, builtin: true },
  { name: "save", addon: Save, builtin: true, last: true },
  { name: "dumper", addon: Dumper, builtin: true, last: true },
] as const;
