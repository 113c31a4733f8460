/**
 * Makes executables of weir that need neither Deno nor Node: `deno task compile [--target all]`.
 *
 * With Deno's runtime within reach they are made by `deno compile`; else they carry `deno` itself and unpack it once.
 * They are written to `dist/`, with `SHA256SUMS` beside them. `DENORT_BIN` may name a runtime for the machine at hand.
 * @module
 */
import { createHash } from "node:crypto";
import { parseArgs } from "@std/cli/parse_args";
import { ROOT, VERSION } from "./compile/deno.ts";
import { compileNative, missingRuntime } from "./compile/native.ts";
import { isWindows, type Target, targetsNamed } from "./compile/targets.ts";
import { bundle, denoFor, writeUnpacking } from "./compile/unpacking.ts";

const USAGE =
  `usage: deno task compile [--target TRIPLE|host|all]... [--kind compiled|unpacking] [--out DIR] [--level N]

  --target  platform to compile for (default: host)
  --kind    compiled: by deno compile; unpacking: one file with deno inside, which it unpacks once
            (default: compiled where Deno's runtime can be had, else unpacking)
  --out     directory to write to (default: dist)
  --level   how hard to pack the unpacking kind, 1 to 9 (default: 9)
`;

/** What {@linkcode compile} made. */
export interface Executable {
  readonly file: string;
  readonly kind: "compiled" | "unpacking";
}

/** How to compile. */
export interface CompileOptions {
  readonly kind?: "compiled" | "unpacking";
  readonly out: string;
  /** gzip level for the unpacking kind. */
  readonly level: number;
  readonly log: (line: string) => void;
}

/** Makes one executable; its name says version and platform. */
export async function compile(target: Target, options: CompileOptions): Promise<Executable> {
  const { out, log } = options;
  await Deno.mkdir(out, { recursive: true });
  const missing = options.kind === "unpacking" ? "" : await missingRuntime(target);
  if (missing !== null && options.kind === "compiled") throw new Error(`${missing}.`);
  const kind = missing === null ? "compiled" : "unpacking";
  if (missing) {
    log(`deno compile has no runtime for ${target.triple} (${missing}): making an unpacking executable.`);
  }
  const extension = !isWindows(target) ? "" : kind === "compiled" ? ".exe" : ".cmd";
  const file = `${out}/weir-${VERSION}-${target.triple}${extension}`;
  if (kind === "compiled") await compileNative(target, file);
  else {
    const [program, deno] = await Promise.all([bundle(), denoFor(target)]);
    await writeUnpacking(target, { program, deno }, file, options.level);
  }
  log(`${file} (${kind}, ${Math.round((await Deno.stat(file)).size / 1e6)} MB)`);
  return { file, kind };
}

/** Writes the hashes of all executables of this version in a directory, in the form that `sha256sum -c` reads. */
export async function writeSums(directory: string): Promise<void> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(directory)) {
    if (name.startsWith(`weir-${VERSION}-`)) names.push(name);
  }
  const lines: string[] = [];
  for (const name of names.sort()) {
    const hash = createHash("sha256");
    using file = await Deno.open(`${directory}/${name}`);
    for await (const chunk of file.readable) hash.update(chunk);
    lines.push(`${hash.digest("hex")}  ${name}\n`);
  }
  await Deno.writeTextFile(`${directory}/SHA256SUMS`, lines.join(""));
}

async function main(argv: readonly string[]): Promise<number> {
  const unknown: string[] = [];
  const args = parseArgs(argv, {
    string: ["target", "kind", "out", "level"],
    boolean: ["help"],
    collect: ["target"],
    unknown: (arg) => void unknown.push(arg),
  });
  const { kind, level } = args;
  const isRight = unknown.length === 0 && [undefined, "compiled", "unpacking"].includes(kind as undefined) &&
    /^[1-9]$/.test(String(level ?? 9));
  if (args.help || !isRight) {
    (args.help ? console.log : console.error)(USAGE.trimEnd());
    return args.help ? 0 : 1;
  }
  const out = String(args.out ?? `${ROOT}dist`);
  const names = args.target as string[];
  let failures = 0;
  for (const target of targetsNamed(names.length === 0 ? ["host"] : names)) {
    try {
      await compile(target, {
        kind: kind as CompileOptions["kind"],
        out,
        level: Number(level ?? 9),
        log: (line) => console.error(line),
      });
    } catch (error) {
      console.error(`${target.triple}: ${(error as Error).message}`);
      failures++;
    }
  }
  await writeSums(out);
  return failures === 0 ? 0 : 1;
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    console.error((error as Error).message);
    Deno.exit(1);
  }
}
