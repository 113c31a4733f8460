/**
 * Where the modes listen: each at a place of its own.
 * @module
 */
import { type Address, hostPort } from "../net/mod.ts";
import { type ModeSpec, OptionError, type OptionRegistry, parseMode } from "../options/mod.ts";
import { type Mode, modeOf } from "./modes/mod.ts";

/** A mode, and where it is to listen. */
export interface Place {
  readonly spec: ModeSpec;
  readonly mode: Mode;
  readonly place: Address;
}

const ANY: readonly string[] = ["0.0.0.0", "::"];

/**
 * One for each mode: what the mode says, else what the options `listen_host` and `listen_port` say, else its
 * own port.
 * @throws {OptionError} when two of them would be the same.
 */
export function placesOf(registry: OptionRegistry): Place[] {
  const { values: options } = registry;
  const hasPort = registry.isSet("listen_port");
  const places = options.mode.map((text): Place => {
    const spec = parseMode(text), mode = modeOf(spec, options);
    const usual = hasPort ? options.listen_port : mode.defaultPort ?? options.listen_port;
    const place = { hostname: spec.listenHost ?? options.listen_host, port: spec.listenPort ?? usual };
    return { spec, mode, place };
  });
  places.forEach((one, i) => {
    const other = places.slice(0, i).find(({ place }) => isShared(place, one.place));
    if (other === undefined) return;
    const both = `${other.spec.spec} and ${one.spec.spec} would both listen at ${hostPort(one.place)}`;
    throw new OptionError(
      "mode",
      `option mode: ${both}; give each a port of its own with @PORT at its end`,
    );
  });
  return places;
}

/** Port 0 is a free one for each. */
function isShared(a: Address, b: Address): boolean {
  if (a.port !== b.port || a.port === 0) return false;
  return a.hostname === b.hostname || ANY.includes(a.hostname) || ANY.includes(b.hostname);
}
