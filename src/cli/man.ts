/**
 * `--man`: the manual page weir(1), made from the option registry, for `man -l -` and packages (groff_man(7)).
 * @module
 */
import type { OptionRegistry } from "../options/mod.ts";
import { VERSION } from "../version.ts";
import { type FlagEntry, groupFlags, listFlags } from "./flag_list.ts";

/** A title and its paragraphs; a pair is a term and what it means. */
type Section = readonly [title: string, ...paragraphs: (string | readonly [term: string, text: string])[]];

const BEFORE: readonly Section[] = [
  ["NAME", "weir - an intercepting HTTP(S) and WebSocket proxy whose bodies stream"],
  [
    "DESCRIPTION",
    "weir is a proxy that shows and changes what passes through it: HTTP/1.1, HTTP/2 and WebSocket, in TLS or not, " +
    "while it flows. Without arguments it listens at 127.0.0.1:8080.",
    "Flows are printed to standard output, the log to standard error.",
    "To look into TLS it has a certificate authority of its own, made on first use in ~/.weir. Clients must trust it: " +
    "http://weir.internal/, through the proxy, has the certificate and says how to install it.",
    "weir exec runs a command with an environment that has it use the proxy and trust its certificate, on a free port, " +
    "and ends with it. The command's output is its own: flows are not printed unless -v or --flow-detail is given, and " +
    "then to standard error.",
    "weir diff compares two sessions, flow files or HARs: a line for each request that is missing, was added or has moved, and for " +
    "each status, field or body that differs. The field date may differ, and those that --ignore-header names.",
  ],
];

const AFTER: readonly Section[] = [
  [
    "EXIT STATUS",
    ["0", "weir was asked to end, by SIGINT, SIGTERM or an addon."],
    ["1", "It could not start."],
    ["1", "With diff: the sessions differ, or one of them cannot be read."],
    ["130", "It was interrupted a second time."],
    [
      "others",
      "With exec the status of the command: 128 + n when signal n ended it, 127 when it was not found, 126 when it " +
      "could not be run.",
    ],
  ],
  [
    "FILES",
    ["~/.weir/config.yaml", "Options; flags are stronger. weir --options prints one with all the defaults."],
    ["~/.weir/weir-ca.pem", "The certificate authority with its key. Keep it to yourself."],
    ["~/.weir/weir-ca-cert.pem, .cer, .p12", "Its certificate alone, for clients."],
  ],
  [
    "ENVIRONMENT",
    ["NO_COLOR", "When set, nothing is printed in colour."],
    ["SSLKEYLOGFILE", "File to which the secrets of TLS sessions are written."],
  ],
  [
    "EXAMPLES",
    ["weir -s addon.ts", "Listen, with an addon that is loaded again when its file changes."],
    ["weir exec -- curl https://example.com/", "Run a command through weir."],
    ["weir exec --flow-detail 2 -- npm test", "And see what it asks for, on standard error."],
    ["weir diff before.mitm after.har", "What a change has changed."],
    ["weir --mode reverse:http://localhost:3000", "Stand before a server."],
    ["weir --options > ~/.weir/config.yaml", "Begin a file of options."],
  ],
  ["SEE ALSO", "curl(1), mitmdump(1)"],
];

/** The page, as groff source. */
export function formatMan(registry: OptionRegistry): string {
  const options = [...groupFlags(listFlags(registry))].map(([heading, flags]) =>
    [`.SS ${text(heading)}`, ...flags.flatMap((flag) => [".TP", usage(flag), text(flag.help)])].join("\n")
  );
  return [
    `.TH WEIR 1 "" ${argument(`weir ${VERSION}`)} "User Commands"`,
    section(BEFORE[0]),
    ".SH SYNOPSIS\n.B weir\n.RI [ options ]\n.br\n.B weir exec\n.RI [ options ]\n.B \\-\\-\n.I COMMAND\n.RI [ ARGUMENT ...]\n.br\n.B weir diff\n.RI [ options ]\n.I A B",
    ...BEFORE.slice(1).map(section),
    ".SH OPTIONS\nEvery option can be a flag, a line in config.yaml, or a value for\n.BR \\-\\-set .",
    ...options,
    ...AFTER.map(section),
  ].join("\n") + "\n";
}

function section([title, ...paragraphs]: Section): string {
  const parts = paragraphs.map((paragraph, i) => {
    if (typeof paragraph === "string") return (i === 0 ? "" : ".PP\n") + text(paragraph);
    return `.TP\n.B ${text(paragraph[0])}\n${text(paragraph[1])}`;
  });
  return [`.SH ${argument(title)}`, ...parts].join("\n");
}

/** \`-p, --listen-port PORT\`, names bold and the value in italics. */
function usage({ names, value }: FlagEntry): string {
  const bold = names.map((name) => `\\fB${text(name)}\\fR`).join(", ");
  return value === null ? bold : `${bold} \\fI${text(value)}\\fR`;
}

/** Text that means nothing to groff: no escapes, no hyphens for minus signs, no request at the start of a line. */
function text(plain: string): string {
  const escaped = plain.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("~", "\\(ti").replaceAll(
    "^",
    "\\(ha",
  );
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

function argument(plain: string): string {
  return `"${text(plain).replaceAll('"', "\\(dq")}"`;
}
