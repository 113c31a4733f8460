/**
 * The unpacking kind of executable, for where `deno compile` cannot get its runtime: one file that carries the pinned
 * `deno` and the bundled program behind a small script (`launcher.sh`, `launcher.cmd`), which unpacks both once into the
 * user's cache and runs them from there.
 *
 *     launcher │ gzip(weir.mjs) │ gzip(deno)
 *
 * The directory that it unpacks into has the payload's SHA-256 in its name.
 * @module
 */
import { createHash } from "node:crypto";
import { gzip } from "node:zlib";
import { makeDeclarations } from "../../src/cli/declarations.ts";
import { DECLARATIONS_KEY } from "../../src/cli/types.ts";
import { deno, denoDirs, ROOT, RUN_FLAGS, VERSION } from "./deno.ts";
import { isHost, isWindows, type Target } from "./targets.ts";

/** The program must find its ground whatever `deno.json` or `package.json` lies in a directory above the user's cache. */
const FLAGS = [...RUN_FLAGS, "--no-config", "--no-lock", "--node-modules-dir=none"];
/** The loader checks that names can be resolved before it asks weir, which then gives the real `weir` (`src/hooks/modules.ts`). */
const IMPORT_MAP = `data:application/json;base64,${btoa('{"imports":{"weir":"data:text/javascript,"}}')}`;
/** Hexadecimal digits of the payload's hash in the directory's name: enough that no two builds meet. */
const NAME_DIGITS = 16;

function pack(bytes: Uint8Array, level: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) =>
    gzip(bytes, { level }, (error, packed) => error ? reject(error) : resolve(packed))
  );
}

/** Bundles the program into one module that needs nothing beside it. */
export async function bundle(): Promise<Uint8Array<ArrayBuffer>> {
  const file = await Deno.makeTempFile({ suffix: ".mjs" });
  try {
    await deno(["bundle", "--platform", "deno", "--output", file, "scripts/compile/entry.ts"]);
    const declarations = JSON.stringify(JSON.stringify(await makeDeclarations()));
    const key = JSON.stringify(DECLARATIONS_KEY);
    const program = await Deno.readTextFile(file);
    return new TextEncoder().encode(`globalThis[Symbol.for(${key})] = ${declarations};\n${program}`);
  } finally {
    await Deno.remove(file);
  }
}

/** The `deno` for a target, of the version that runs this: for other machines it comes from npm. */
export async function denoFor(target: Target): Promise<Uint8Array<ArrayBuffer>> {
  if (isHost(target)) return await Deno.readFile(Deno.execPath());
  const version = Deno.version.deno;
  await deno(["cache", "--no-config", `npm:${target.denoPackage}@${version}`]);
  const { npmCache } = await denoDirs();
  for await (const { name } of Deno.readDir(npmCache)) {
    const file = `${npmCache}/${name}/${target.denoPackage}/${version}/${
      isWindows(target) ? "deno.exe" : "deno"
    }`;
    try {
      return await Deno.readFile(file);
    } catch {
      // Another registry's directory.
    }
  }
  throw new Error(`npm:${target.denoPackage}@${version} holds no executable.`);
}

/** What an executable carries. */
export interface Payload {
  /** One module. */
  readonly program: Uint8Array;
  /** The executable that runs it. */
  readonly deno: Uint8Array;
}

/** Writes the executable for a target to `file`, packed at a gzip level from 1 to 9. */
export async function writeUnpacking(
  target: Target,
  { program, deno }: Payload,
  file: string,
  level: number,
): Promise<void> {
  const parts = await Promise.all([program, deno].map((bytes) => pack(bytes, level)));
  const head = await launcher(target, parts);
  using out = await Deno.open(file, { write: true, create: true, truncate: true });
  for (const bytes of [head, ...parts]) {
    for (let at = 0; at < bytes.length;) at += await out.write(bytes.subarray(at));
  }
  if (Deno.build.os !== "windows") await Deno.chmod(file, 0o755);
}

/** The script at the front, with the places of the parts behind it. */
async function launcher(target: Target, parts: readonly Uint8Array[]): Promise<Uint8Array<ArrayBuffer>> {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  const sha256 = hash.digest("hex");
  const [programSize, denoSize] = parts.map((part) => part.length);
  // Its own length is part of its text: the first guess is too short by some digits, and then it stands.
  for (let length = 0;;) {
    const values: Record<string, string | number> = {
      VERSION,
      TARGET: target.triple,
      NAME: `${VERSION}-${sha256.slice(0, NAME_DIGITS)}`,
      CACHE: target.cache ?? "",
      FLAGS: FLAGS.join(" "),
      IMPORT_MAP,
      SHA256: sha256,
      PAYLOAD_AT: length + 1,
      PAYLOAD_SIZE: programSize + denoSize,
      PROGRAM_AT: length + 1,
      PROGRAM_SIZE: programSize,
      DENO_AT: length + 1 + programSize,
      DENO_SIZE: denoSize,
    };
    const text = isWindows(target)
      ? await filled("launcher.cmd", { ...values, UNPACK: encoded(await filled("launcher.ps1", values)) })
      : await filled("launcher.sh", values);
    const bytes = new TextEncoder().encode(isWindows(target) ? text.replaceAll("\n", "\r\n") : text);
    if (bytes.length === length) return bytes;
    length = bytes.length;
  }
}

/** A script of this directory with its `@NAMES@` replaced. */
async function filled(name: string, values: Record<string, string | number>): Promise<string> {
  const text = await Deno.readTextFile(`${ROOT}/scripts/compile/${name}`);
  return text.replaceAll(/@([A-Z0-9_]+)@/g, (_, key: string) => {
    if (!(key in values)) throw new Error(`${name}: no value for @${key}@.`);
    return String(values[key]);
  });
}

/** What `powershell -EncodedCommand` takes: UTF-16 in base64. */
function encoded(script: string): string {
  const units = Uint16Array.from(script, (char) => char.charCodeAt(0));
  return btoa(String.fromCharCode(...new Uint8Array(units.buffer)));
}
