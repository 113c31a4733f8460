/**
 * Which file of a directory a part of a URL names (mitmproxy `file_candidates`), and nothing outside of that directory.
 * @module
 */

/** Paths to try, in their order; none where the suffix leads out of the directory, or can name no file. */
export function candidatesIn(directory: string, suffix: string): string[] {
  const path = unquoted(suffix.split(/[?#]/, 1)[0]).replace(/^\/+|\/+$/g, "");
  if (!isInside(path)) return [];
  if (path === "") return [join(directory, "index.html")];
  const plain = path.replace(/[^0-9a-zA-Z\-_.=(),/]/g, "_");
  const names = plain === path || !isInside(plain) ? [path] : [path, plain];
  return names.flatMap((name) => [join(directory, name), join(directory, `${name}/index.html`)]);
}

/** The file at `candidate`, without symbolic links; null for none, and for one that is outside of `root`. */
export async function findFile(candidate: string, root: string): Promise<string | null> {
  try {
    const real = await Deno.realPath(candidate);
    if (real !== root && !real.startsWith(root.endsWith(SLASH) ? root : root + SLASH)) return null;
    return (await Deno.stat(real)).isFile ? real : null;
  } catch {
    // Not there, too long, not readable, a circle of links: it is no file to be served.
    return null;
  }
}

const SLASH = Deno.build.os === "windows" ? "\\" : "/";

function join(directory: string, name: string): string {
  return directory.endsWith(SLASH) ? directory + name : directory + SLASH + name;
}

/** True where no step leads up, and none means something else to the file system than a name. */
function isInside(path: string): boolean {
  if (path.includes("\0")) return false;
  const isWindows = Deno.build.os === "windows";
  if (isWindows && /[\\:]/.test(path)) return false;
  return path.split("/").every((step) => step !== ".." && step !== "." || path === "");
}

/** Percent-encoding undone, once (Python's `unquote`): what is no UTF-8 becomes U+FFFD, what is no encoding stays. */
function unquoted(text: string): string {
  return text.replace(/(?:%[0-9a-fA-F]{2})+/g, (encoded) => {
    const bytes = Uint8Array.from(encoded.slice(1).split("%"), (digits) => parseInt(digits, 16));
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  });
}
