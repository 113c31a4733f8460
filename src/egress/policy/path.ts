/**
 * Paths as rules match them (RFC 3986 §6.2.2, §5.2.4): without the query, dot segments resolved, unreserved characters decoded,
 * slashes that follow one another taken for one, as most servers do.
 * @module
 */

/** What servers do not agree about: whether it is a slash, or a dot segment. */
const AMBIGUOUS = /%2f|%5c|%2e|\\|\/\.{1,2};/i;
/** Dot segments: what `..` takes off depends on whether an empty segment is one. */
const DOTS = /\/\.{1,2}(?:\/|$)/;

/**
 * The path of a request target in the form that rules match; null where servers read it in more than one way (`%2f`, `%5c`, `\`,
 * encoded dots, `..` behind an empty segment), so that no rule could say what it leads to.
 */
export function matchedPath(target: string): string | null {
  const end = target.search(/[?#]/);
  const path = end < 0 ? target : target.slice(0, end);
  const isOdd = path.includes("%") || path.includes("\\");
  const isDoubled = path.includes("//");
  if (!isOdd && !isDoubled && !path.includes("/.")) return path;
  if (AMBIGUOUS.test(path) || isDoubled && DOTS.test(path)) return null;
  const merged = isDoubled ? path.replace(/\/{2,}/g, "/") : path;
  return withoutDots(isOdd ? decodeUnreserved(merged) : merged);
}

/** Percent-encodings of unreserved characters decoded, the others in upper case. */
function decodeUnreserved(path: string): string {
  return path.replace(/%([0-9a-f]{2})/gi, (escape, hex) => {
    const character = String.fromCharCode(parseInt(hex, 16));
    return /[A-Za-z0-9\-._~]/.test(character) ? character : escape.toUpperCase();
  });
}

function withoutDots(path: string): string {
  const segments: string[] = [];
  const parts = path.split("/");
  parts.forEach((part, i) => {
    const isLast = i === parts.length - 1;
    if (part === "..") {
      if (segments.length > 1) segments.pop();
      if (isLast) segments.push("");
    } else if (part === ".") {
      if (isLast) segments.push("");
    } else segments.push(part);
  });
  return segments.join("/");
}

/** A glob that was read. */
export interface PathGlob {
  /** Whole segments at its beginning that have no `*`: `/repos/**` has ["repos"]. */
  readonly segments: readonly string[];
  readonly expression: RegExp;
}

/** Reads a glob: `*` is anything but a slash, `**` anything. Text is what is wrong with it. */
export function parseGlob(text: string): PathGlob | string {
  if (!text.startsWith("/") && !text.startsWith("**")) {
    return `the path ${text} cannot match: it must begin with /.`;
  }
  if (/[?#]/.test(text)) return `the path ${text} cannot match: paths are compared without their query.`;
  const wild = /[[\]{}]/.exec(text);
  if (wild !== null) return `the path ${text} has ${wild[0]}: globs have * and ** alone.`;
  const plain = matchedPath(text);
  if (plain === null) {
    return `the path ${text} cannot match: requests with %2f, %5c or encoded dots are refused.`;
  }
  const parts = plain.split("/").slice(1);
  const first = parts.findIndex((part) => part.includes("*"));
  const literal = plain.startsWith("/") ? parts.slice(0, first < 0 ? parts.length : first) : [];
  const source = plain.replace(
    /\*\*|\*|[\\^$.|?+()[\]{}]/g,
    (sign) => sign === "**" ? "[^]*" : sign === "*" ? "[^/]*" : `\\${sign}`,
  );
  return { segments: literal, expression: new RegExp(`^${source}$`) };
}
