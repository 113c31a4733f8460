/**
 * The openssl command as an independent judge.
 * @module
 */

export interface Run {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs `openssl` with the arguments. */
export async function openssl(args: string[], stdin = ""): Promise<Run> {
  const child = new Deno.Command("openssl", { args, stdin: "piped", stdout: "piped", stderr: "piped" })
    .spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(stdin)).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Runs it and fails with what it wrote unless it succeeds. */
export async function opensslOk(args: string[], stdin = ""): Promise<string> {
  const { code, stdout, stderr } = await openssl(args, stdin);
  if (code !== 0) throw new Error(`openssl ${args.join(" ")} failed with ${code}: ${stderr}${stdout}`);
  return stdout;
}

/** Runs `use` with a directory that is removed afterwards. */
export async function inDirectory(use: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempDir({ prefix: "weir-tls-" });
  try {
    await use(path);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}
