/**
 * `weir policy check FILE [[METHOD] URL]...`: whether a policy is in order, and what it says of some requests.
 * @module
 */
import { escapeControl } from "../escape.ts";
import { matchedPath, parseHost, parsePolicyFile, Policy, type Verdict } from "../egress/mod.ts";
import { shortened } from "../shown.ts";
import { UsageError } from "./flags.ts";
import { type SyncWriter, writeText } from "./output.ts";

const HELP = `usage: weir policy check FILE [[METHOD] URL]...

Reads a policy (see egress_policy), and says for each URL what would be decided of a request, and by which line. A place
without a scheme (git.example.com:22) stands for raw bytes. Names are not looked up, and values of secrets not read.

  -h, --help  Show this
`;

/** A word that is the method of the URL behind it. */
const METHOD = /^[A-Z]+$/;

/** Runs the command with what stands behind `policy`; resolves to the exit status. @throws {UsageError | PolicyError} */
export async function policy(argv: readonly string[], stdout: SyncWriter): Promise<number> {
  if (argv.some((argument) => argument === "-h" || argument === "--help")) {
    writeText(stdout, HELP);
    return 0;
  }
  const [command, path, ...words] = argv;
  if (command !== "check" || path === undefined) {
    throw new UsageError("policy has one command: weir policy check FILE [[METHOD] URL]...");
  }
  const file = await parsePolicyFile(path, await textOf(path));
  if (words.length === 0) {
    const secrets = file.secrets.length === 0 ? "" : `, ${counted(file.secrets.length, "secret")}`;
    writeText(
      stdout,
      `${escapeControl(path)} is in order: ${counted(file.rules.length, "rule")}${secrets}\n`,
    );
    return 0;
  }
  const rules = new Policy(file);
  for (let i = 0; i < words.length; i++) {
    const method = METHOD.test(words[i]) && words[i + 1] !== undefined ? words[i++] : "GET";
    writeText(stdout, `${escapeControl(answer(rules, method, words[i]))}\n`);
  }
  return 0;
}

async function textOf(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound ? "there is no such file" : String(error);
    throw new UsageError(`${path}: the policy cannot be read: ${reason}`);
  }
}

/** `allow   line 4    GET https://…` */
function answer(rules: Policy, method: string, text: string): string {
  const place = /^([^/]+):(\d+)$/.exec(text);
  if (place !== null) {
    const host = parseHost(place[1]);
    if (host === null) throw new UsageError(`${shortened(text)} names no host`);
    return line(rules.decideTunnel(host, Number(place[2])), text);
  }
  const url = URL.parse(text.replace(/^ws(s?):/i, "http$1:"));
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new UsageError(`${shortened(text)} is no http or https URL`);
  }
  // As it is written: what a URL parser makes of it is not what a client has to send.
  const written = /^[a-z]+:\/\/[^/?#]*([^#]*)/i.exec(text)![1];
  const path = matchedPath(written.startsWith("/") ? written : `/${written}`);
  const what = `${method} ${text}`;
  if (path === null) return `deny    400       ${what}: its path is ambiguous (%2f, %5c, encoded dots)`;
  const host = parseHost(url.hostname);
  if (host === null) throw new UsageError(`${shortened(text)} names no host`);
  const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  return line(rules.decide({ host, port, method, path }), what);
}

function line({ decision, rule, reason, needsAddress }: Verdict, what: string): string {
  const by = rule === null ? "default" : `line ${rule.line}`;
  const why = needsAddress
    ? ": unless it resolves to an address that a rule names"
    : reason === ""
    ? ""
    : `: ${reason}`;
  return `${decision.padEnd(7)} ${by.padEnd(9)} ${what}${why}`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
