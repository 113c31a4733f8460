/**
 * What kind of program this weir is, for `--version` and for messages about what one kind cannot do.
 * @module
 */

/** From its sources by `deno run`; by `deno compile`; one file that unpacked itself (`scripts/compile/`). */
export type BuildKind = "sources" | "compiled" | "unpacked";

let kind: BuildKind = Deno.build.standalone ? "compiled" : "sources";

/** Says what cannot be seen from inside. Once, before anything else. */
export function setBuildKind(value: BuildKind): void {
  kind = value;
}

/** The kind that this is. */
export function buildKind(): BuildKind {
  return kind;
}
