/**
 * `weir --browser`: an installed browser of the Chromium family, with a profile of its own that is thrown away.
 *
 * It trusts weir by the hash of its CA's public key (`--ignore-certificate-errors-spki-list`, RFC 7469 §2.4), which
 * holds for this one process: nothing is installed, and any other bad certificate is refused as ever.
 * @module
 */
import { createHash, X509Certificate } from "node:crypto";
import { WeirError } from "../errors.ts";
import { TemporaryDirectory } from "../temporary.ts";
import { settlesWithin } from "../timing.ts";
import { sendSignal } from "./signals.ts";

/** Names on PATH (Linux, BSD). */
const COMMANDS = [
  "google-chrome",
  "google-chrome-stable",
  "chromium",
  "chromium-browser",
  "microsoft-edge",
  "microsoft-edge-stable",
  "brave-browser",
  "brave",
  "vivaldi",
];
/** Below /Applications and ~/Applications. */
const MAC_APPS = ["Google Chrome", "Chromium", "Microsoft Edge", "Brave Browser", "Vivaldi"];
/** Below the folders where Windows has programs. */
const WINDOWS_PROGRAMS = [
  "Google\\Chrome\\Application\\chrome.exe",
  "Chromium\\Application\\chrome.exe",
  "Microsoft\\Edge\\Application\\msedge.exe",
  "BraveSoftware\\Brave-Browser\\Application\\brave.exe",
];

/** How long a browser may take to close its windows before it is killed, and what is given up after that. */
const KILL_SECONDS = 3, CLOSE_MS = 5000;
/** How long (ms) it is tried to remove the profile. */
const REMOVE_MS = 2000;

/** What is to be known of the platform; tests have their own. */
export interface Platform {
  readonly os: typeof Deno.build.os;
  readonly env: (name: string) => string | undefined;
  readonly isFile: (path: string) => boolean;
}

const REAL: Platform = {
  os: Deno.build.os,
  env: (name) => Deno.env.get(name),
  isFile: (path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  },
};

/** A browser that runs. */
export interface Browser {
  /** Resolves when it has ended and its profile is gone. Never rejects. */
  readonly ended: Promise<void>;
  /** Ends it. */
  close(): Promise<void>;
}

/** The path of a browser. @throws {WeirError} when there is none. */
export function findBrowser(platform: Platform = REAL): string {
  const found = candidates(platform).find(platform.isFile);
  if (found !== undefined) return found;
  const looked = platform.os === "windows"
    ? WINDOWS_PROGRAMS.map((path) => path.split("\\").at(-1)).join(", ")
    : platform.os === "darwin"
    ? `${MAC_APPS.join(", ")} in /Applications`
    : `${COMMANDS.join(", ")} on PATH`;
  throw new WeirError("weir", "internal", `--browser found no browser: it looked for ${looked}.`);
}

function candidates({ os, env }: Platform): string[] {
  if (os === "windows") {
    const folders = ["ProgramFiles", "ProgramFiles(x86)", "LocalAppData"].map(env);
    return WINDOWS_PROGRAMS.flatMap((path) =>
      folders.filter((folder) => folder).map((folder) => `${folder}\\${path}`)
    );
  }
  if (os === "darwin") {
    return MAC_APPS.flatMap((name) =>
      ["", env("HOME") ?? ""].map((home) => `${home}/Applications/${name}.app/Contents/MacOS/${name}`)
    );
  }
  const folders = (env("PATH") ?? "").split(":").filter((folder) => folder !== "");
  return COMMANDS.flatMap((name) => folders.map((folder) => `${folder}/${name}`));
}

/** Base64 of the SHA-256 of a certificate's public key (SPKI). */
export function spkiHash(certificatePem: string): string {
  const spki = new X509Certificate(certificatePem).publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(spki).digest("base64");
}

/** The arguments of a browser. */
export function browserArgs(
  { profile, proxyUrl, spki, isRoot }: { profile: string; proxyUrl: string; spki: string; isRoot: boolean },
): string[] {
  return [
    `--user-data-dir=${profile}`,
    `--proxy-server=${proxyUrl}`,
    // Without it everything on this machine would go past the proxy.
    "--proxy-bypass-list=<-loopback>",
    `--ignore-certificate-errors-spki-list=${spki}`,
    "--no-first-run",
    "--no-default-browser-check",
    // Only what the person does should be seen.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-features=NetworkTimeServiceQuerying,MediaRouter,OptimizationHints",
    "--disable-sync",
    // Chromium's sandbox refuses to run as root.
    ...isRoot ? ["--no-sandbox"] : [],
    "about:blank",
  ];
}

/** Starts a browser. */
export async function launchBrowser(
  path: string,
  { proxyUrl, confdir }: { proxyUrl: string; confdir: string },
): Promise<Browser> {
  const spki = spkiHash(await Deno.readTextFile(`${confdir}/weir-ca-cert.pem`));
  const directory = new TemporaryDirectory("browser");
  const profile = directory.path;
  const isWindows = Deno.build.os === "windows";
  const args = browserArgs({ profile, proxyUrl, spki, isRoot: !isWindows && Deno.uid() === 0 });
  let child: Deno.ChildProcess;
  try {
    await Deno.stat(path);
    const quiet = { stdout: "null", stderr: "null" } as const;
    child = isWindows
      ? new Deno.Command(path, { args, stdin: "null", ...quiet }).spawn()
      : new Deno.Command("/bin/sh", { args: ["-c", GUARD, profile, path, ...args], stdin: "piped", ...quiet })
        .spawn();
  } catch (thrown) {
    directory.remove();
    throw WeirError.from(thrown, "weir", "internal", `--browser cannot start ${path}`);
  }
  // Its helpers may still write to the profile for a moment.
  const closeStdin = () => isWindows ? Promise.resolve() : child.stdin.close().catch(() => {});
  const ended = child.status.then(async () => {
    await closeStdin();
    await directory.removeWithin(REMOVE_MS);
  });
  return {
    ended,
    async close() {
      if (isWindows) sendSignal(child, "SIGTERM");
      else await closeStdin();
      if (!await settlesWithin(CLOSE_MS, child.status)) sendSignal(child, "SIGKILL");
      await ended;
    },
  };
}

/**
 * Runs the browser and, when stdin ends, ends it: weir closes stdin, and so does the system when weir is killed. The profile
 * ($0) goes with it.
 */
const GUARD = `
trap : INT TERM HUP
exec 3<&0 </dev/null
"$@" 3<&- &
browser=$!
{ cat <&3 >/dev/null; kill "$browser"; sleep ${KILL_SECONDS}; kill -9 "$browser"; } 2>/dev/null &
guard=$!
while kill -0 "$browser" 2>/dev/null; do wait "$browser"; done
kill "$guard" 2>/dev/null
for try in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$0" && break; sleep 0.1; done
`;
