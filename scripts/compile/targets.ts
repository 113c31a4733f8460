/**
 * The platforms that weir is compiled for, and what differs between them.
 * @module
 */

/** One platform. */
export interface Target {
  /** The name that `deno compile --target` has for it. */
  readonly triple: string;
  /** The npm package that carries the `deno` executable for it. */
  readonly denoPackage: string;
  /** The user's cache directory below `$HOME`; null where the environment names it (Windows). */
  readonly cache: string | null;
}

/** All platforms that Deno 2 has a runtime for. */
export const TARGETS: readonly Target[] = [
  { triple: "x86_64-unknown-linux-gnu", denoPackage: "@deno/linux-x64-glibc", cache: ".cache" },
  { triple: "aarch64-unknown-linux-gnu", denoPackage: "@deno/linux-arm64-glibc", cache: ".cache" },
  { triple: "x86_64-apple-darwin", denoPackage: "@deno/darwin-x64", cache: "Library/Caches" },
  { triple: "aarch64-apple-darwin", denoPackage: "@deno/darwin-arm64", cache: "Library/Caches" },
  { triple: "x86_64-pc-windows-msvc", denoPackage: "@deno/win32-x64", cache: null },
  { triple: "aarch64-pc-windows-msvc", denoPackage: "@deno/win32-arm64", cache: null },
];

/** True for the machine that this runs on. */
export function isHost(target: Target): boolean {
  return target.triple === Deno.build.target;
}

/** True for Windows, where executables have other names. */
export function isWindows(target: Target): boolean {
  return target.cache === null;
}

/**
 * The targets that `names` stand for: triples, `host`, `all`.
 * @throws {Error} when a name is none of these.
 */
export function targetsNamed(names: readonly string[]): Target[] {
  const chosen = new Set<Target>();
  for (const name of names) {
    const found = TARGETS.filter((target) =>
      name === "all" || name === target.triple || (name === "host" && isHost(target))
    );
    if (found.length === 0) {
      const known = ["host", "all", ...TARGETS.map(({ triple }) => triple)];
      throw new Error(`No target ${name}; there are ${known.join(", ")}.`);
    }
    for (const target of found) chosen.add(target);
  }
  return [...chosen];
}
