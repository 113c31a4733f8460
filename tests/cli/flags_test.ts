import { assert, assertEquals, assertRejects } from "@std/assert";
import { parseFlags, refuseUnknown, resolveFlags } from "../../src/cli/flags.ts";
import { OptionRegistry } from "../../src/options/mod.ts";

/** A registry as it is after addons were loaded. */
function registryWithAddons(): OptionRegistry {
  const registry = new OptionRegistry();
  registry.addOption("stream_large_bodies", "size", null, "A size.");
  registry.addOption("loud", "bool", false, "A bool.");
  registry.addOption("greeting", "str", "hello", "A str.");
  registry.addOption("no_sense", "str", "", "A str whose name begins as a bool's denial does.");
  return registry;
}

async function read(argv: readonly string[]): Promise<Record<string, unknown>> {
  const registry = registryWithAddons();
  const { values, unknown } = resolveFlags(parseFlags(argv).pending, registry);
  await refuseUnknown(unknown, registry);
  return Object.fromEntries(values);
}

Deno.test("flags give values to options", async () => {
  const good: [string, Record<string, unknown>][] = [
    ["", {}],
    ["--listen-port=80", { listen_port: 80 }],
    ["--listen-port 80", { listen_port: 80 }],
    ["-p80", { listen_port: 80 }],
    ["-p 80", { listen_port: 80 }],
    ["-p=80", { listen_port: 80 }],
    ["-p 80 --listen-port 81", { listen_port: 81 }],
    ["-m regular -m reverse:http://a@0 --mode=regular@1", {
      mode: ["regular", "reverse:http://a@0", "regular@1"],
    }],
    ["-s a.ts --scripts b.ts --set scripts=c.ts", { scripts: ["a.ts", "b.ts", "c.ts"] }],
    ["-k", { ssl_insecure: true }],
    ["--no-upstream-cert", { upstream_cert: false }],
    ["--upstream-cert", { upstream_cert: true }],
    ["--via=false", { via: false }],
    ["--via --no-via", { via: false }],
    ["--ssl-verify-upstream-trusted-ca ca.pem", { ssl_verify_upstream_trusted_ca: "ca.pem" }],
    ["--ssl_insecure", { ssl_insecure: true }],
    ["-q", { termlog_verbosity: "error", flow_detail: 0 }],
    ["-v", { termlog_verbosity: "debug", flow_detail: 2 }],
    ["--flow-detail 3 -q", { termlog_verbosity: "error", flow_detail: 3 }],
    ["-qkp80", { termlog_verbosity: "error", flow_detail: 0, ssl_insecure: true, listen_port: 80 }],
    ["-kp 80 -qk", { ssl_insecure: true, listen_port: 80, termlog_verbosity: "error", flow_detail: 0 }],
    ["--set listen_port=80", { listen_port: 80 }],
    ["--set=listen_port=80", { listen_port: 80 }],
    ["--set ignore_hosts=a=b --set ignore_hosts=c", { ignore_hosts: ["a=b", "c"] }],
    ["--set via", { via: true }],
    ["--set via=toggle", { via: true }],
    ["--set via --set via=toggle", { via: false }],
    ["--set memory_limit=", { memory_limit: null }],
    ["--set memory_limit", { memory_limit: null }],
    ["--body-size-limit 3m", { body_size_limit: 3145728 }],
    ["--body-size-limit=", { body_size_limit: null }],
  ];
  for (const [line, values] of good) assertEquals(await read(words(line)), values, line);
});

Deno.test("options that addons register have flags as well, whatever their kind", async () => {
  const good: [string, Record<string, unknown>][] = [
    ["--stream-large-bodies 3m -k", { stream_large_bodies: 3145728, ssl_insecure: true }],
    ["--stream-large-bodies=1 --loud", { stream_large_bodies: 1, loud: true }],
    ["--loud -k", { loud: true, ssl_insecure: true }],
    ["--no-loud", { loud: false }],
    ["--greeting=--hi", { greeting: "--hi" }],
    ["--greeting -5", { greeting: "-5" }],
    ["--greeting -", { greeting: "-" }],
    ["--no-sense none", { no_sense: "none" }],
    ["--set greeting=", { greeting: "" }],
    ["--set stream_large_bodies=1", { stream_large_bodies: 1 }],
  ];
  for (const [line, values] of good) assertEquals(await read(words(line)), values, line);
});

Deno.test("a wrong command line is refused with a line that names the flag or the option", async () => {
  const bad: [string, string][] = [
    ["--listen-prot 80", "unknown flag --listen-prot (did you mean --listen-port?)"],
    ["--listen-prot=80", "unknown flag --listen-prot (did you mean --listen-port?)"],
    ["--no-upstream-cret", "unknown flag --no-upstream-cret (did you mean --no-upstream-cert?)"],
    ["--stream-larg-bodies", "unknown flag --stream-larg-bodies (did you mean --stream-large-bodies?)"],
    ["--entirely-else", "unknown flag --entirely-else"],
    ["--no-listen-port", "unknown flag --no-listen-port (did you mean --listen-port?)"],
    ["--set listen_prot=80", "unknown option listen_prot (did you mean listen_port?)"],
    ["--set entirely_else", "unknown option entirely_else"],
    ["--set constructor=1", "unknown option constructor"],
    ["-x", "unknown flag -x"],
    ["-qx", "unknown flag -x"],
    ["-listen-port 80", "unknown flag -l (did you mean --listen-port?)"],
    ["--listen-port", "--listen-port needs a value"],
    ["-p", "-p needs a value"],
    ["-p -k", "-p needs a value"],
    ["--greeting", "--greeting needs a value"],
    ["--set", "--set needs NAME=VALUE"],
    ["--set -k", "--set needs NAME=VALUE"],
    ["--listen-port=", "option listen_port: needs a value"],
    ["-p abc", 'option listen_port: "abc" is not an integer'],
    ["-p 65536", "option listen_port: 65536 is more than 65535"],
    ["-p -1", "option listen_port: -1 is less than 0"],
    ["--set listen_port", "option listen_port: needs a value"],
    ["--set stream_large_bodies=3x", 'option stream_large_bodies: "3x" is not a size'],
    ["--set via=maybe", 'option via: "maybe" is none of true, false and toggle'],
    ["-m wireguard", 'option mode: "wireguard" is not a mode'],
    ["--flow-detail 9", "option flow_detail: 9 is more than 4"],
    ["--version=1", "--version takes no value"],
    ["--browser=1", "--browser takes no value"],
    ["--completions", "--completions needs one of bash, zsh, fish"],
    ["--completions tcsh", '--completions needs one of bash, zsh, fish, not "tcsh"'],
    ["--browsr", "unknown flag --browsr (did you mean --browser?)"],
    ["-k exec", "exec comes first: weir exec [options] [--] COMMAND"],
    ["--quiet=1", "--quiet takes no value"],
    ["--no-via=1", "--no-via takes no value"],
    ["--", "-- belongs behind exec: weir exec [options] [--] COMMAND"],
    ["-n1", "unknown flag -1"],
    ["--set ciphers_client=x", "option ciphers_client is not here: Deno's TLS chooses ciphers"],
    ["--tls-ecdh-curve-server=x", "--tls-ecdh-curve-server is not here: Deno's TLS chooses"],
    ["--console-mouse", "--console-mouse is not here: it is for the terminal"],
    ["--no-websocket", "--no-websocket is not here: WebSockets are always understood"],
    ["--commands", "--commands is not here: there is no command language"],
    ["--port 8080", "--port is not here: it is gone from mitmproxy, too: use --listen-port"],
    [
      "--set stream=1",
      "option stream is not here: it is gone from mitmproxy, too: use --stream-large-bodies",
    ],
  ];
  for (const [line, message] of bad) {
    const error = await assertRejects(() => read(words(line)), Error);
    assert(error.message.startsWith(message), `${line}: ${error.message}`);
  }
});

Deno.test("the general flags are recognised among others", () => {
  const line = (text: string) => {
    const { shows, shell, browser } = parseFlags(words(text));
    return [shows, shell, browser];
  };
  assertEquals(line("-k"), [null, null, false]);
  assertEquals(line("-kh"), ["help", null, false]);
  assertEquals(line("--help --version"), ["version", null, false]);
  assertEquals(line("-p 1 --options"), ["options", null, false]);
  assertEquals(line("--man -k"), ["man", null, false]);
  assertEquals(line("--completions bash"), ["completions", "bash", false]);
  assertEquals(line("--completions=fish -p 1"), ["completions", "fish", false]);
  assertEquals(line("-p 1 --browser"), [null, null, true]);
});

Deno.test("what belongs to no flag are the words of a filter, in their order", () => {
  const filterOf = (line: string) => {
    const { pending, words: first } = parseFlags(words(line));
    const { words: second } = resolveFlags(pending, registryWithAddons());
    return [...first, ...second].sort((a, b) => a.at - b.at).map(({ text }) => text).join(" ");
  };
  assertEquals(filterOf("-k ~u foo -p 1 & ~q"), "~u foo & ~q");
  assertEquals(filterOf("!~q"), "!~q");
  assertEquals(filterOf("--loud ~u -k foo"), "~u foo");
  assertEquals(filterOf("a --no-loud b --greeting c d"), "a b d");
  assertEquals(filterOf("--set loud ~q"), "~q");
  assertEquals(filterOf("-p 1 -k"), "");
});

Deno.test("-n turns the listeners off, alone and among others", async () => {
  assertEquals(await read(["-n"]), { server: false });
  assertEquals(await read(["-nk"]), { server: false, ssl_insecure: true });
  assertEquals(await read(["--no-server"]), { server: false });
});

Deno.test("letters of addons' options stand for their flags", () => {
  const { pending } = parseFlags(words("-w flows -rin -C a"));
  assertEquals(pending.map(({ name, value, next }) => [name, value, next]), [
    ["save_stream_file", null, "flows"],
    ["rfile", "in", null],
    ["client_replay", null, "a"],
  ]);
});

function words(line: string): string[] {
  return line === "" ? [] : line.split(" ");
}
