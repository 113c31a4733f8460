/**
 * Clients that cannot be won over: their own configuration beats every variable. `exec` says so, in a line
 * for each that the command may start.
 * @module
 */
import { basename } from "node:path";
import { upwards } from "./exec_tools.ts";

/** One client. */
interface Client {
  /** Names under which it is started. */
  readonly names: readonly string[];
  /**
   * Its files: `~/` is the home directory, `./` the working directory and those above it; with `/` at its
   * end, all files in that directory.
   */
  readonly files: readonly string[];
  /** Matches a file that names a proxy or certificates. */
  readonly says: RegExp;
}

const CLIENTS: readonly Client[] = [
  // classic.yarnpkg.com/docs/yarnrc: Yarn 1 reads its files after the environment.
  {
    names: ["yarn", "yarnpkg"],
    files: ["~/.yarnrc", "./.yarnrc"],
    says: /^\s*"?((https?-)?proxy|cafile)"?\s/m,
  },
  // maven.apache.org/guides/mini/guide-proxies.html
  { names: ["mvn", "mvnw", "mvnd"], files: ["~/.m2/settings.xml"], says: /<proxy>/ },
  // docs.gradle.org/current/userguide/networking.html
  {
    names: ["gradle", "gradlew"],
    files: ["~/.gradle/gradle.properties", "./gradle.properties"],
    says: /^\s*systemProp\.(https?\.proxyHost|javax\.net\.ssl\.trustStore)\b/m,
  },
  // svnbook.red-bean.com, "Runtime Configuration Area"
  {
    names: ["svn"],
    files: ["~/.subversion/servers"],
    says: /^\s*(http-proxy-host|ssl-authority-files)\s*=/m,
  },
  // hg help config.http_proxy
  {
    names: ["hg"],
    files: ["~/.hgrc", "~/.config/hg/hgrc", "./.hg/hgrc"],
    says: /^\[http_proxy\](\s*[^[\s].*\n|\s)*?\s*host\s*=|^cacerts\s*=/m,
  },
  // httpie.io/docs/cli/config
  {
    names: ["http", "https", "httpie"],
    files: ["~/.config/httpie/config.json", "~/.httpie/config.json"],
    says: /"--(proxy|verify)\b/,
  },
  // bun.sh/docs/runtime/bunfig
  { names: ["bun", "bunx"], files: ["~/.bunfig.toml", "./bunfig.toml"], says: /^\s*(ca|cafile)\s*=/m },
  // bundler.io/man/bundle-config.1.html: the project's file beats the environment.
  { names: ["bundle", "bundler"], files: ["./.bundle/config"], says: /^BUNDLE_SSL_CA_CERT:/m },
  // docs.conda.io, "Using conda behind a proxy server"
  { names: ["conda", "mamba"], files: ["~/.condarc"], says: /^proxy_servers:/m },
  // learn.microsoft.com/nuget/reference/nuget-config-file
  {
    names: ["dotnet", "nuget"],
    files: ["~/.nuget/NuGet/NuGet.Config", "./NuGet.Config", "./nuget.config"],
    says: /key="https?_proxy"/i,
  },
  // apt.conf(5), "Acquire": what is set there beats http_proxy.
  {
    names: ["apt", "apt-get", "aptitude"],
    files: ["/etc/apt/apt.conf", "/etc/apt/apt.conf.d/"],
    says: /^[^#/\n]*\bAcquire\s*(::|\{)[^#]*?\bhttps?\s*(::|\{)[^#}]*?\b(Proxy|CaInfo)\b/mi,
  },
  // aria2c(1)
  {
    names: ["aria2c"],
    files: ["~/.aria2/aria2.conf", "~/.config/aria2/aria2.conf"],
    says: /^(all-proxy|https?-proxy|ca-certificate)=/m,
  },
  // yt-dlp(1)
  {
    names: ["yt-dlp"],
    files: ["~/.config/yt-dlp/config", "~/.config/yt-dlp.conf", "~/yt-dlp.conf"],
    says: /^\s*--proxy\b/m,
  },
  // R: ?Startup
  {
    names: ["R", "Rscript"],
    files: ["~/.Renviron", "./.Renviron"],
    says: /^\s*(https?_proxy|all_proxy|CURL_CA_BUNDLE|SSL_CERT_FILE)\s*=/mi,
  },
];

/** What starts whatever somebody types. */
const SHELLS: ReadonlySet<string> = new Set([
  "sh",
  "bash",
  "dash",
  "zsh",
  "fish",
  "ksh",
  "nu",
  "pwsh",
  "cmd",
]);

/** A sentence for each client of this command whose own configuration will be stronger than weir's. */
export async function overruled(
  command: readonly string[],
  home: string,
  read: (path: string) => Promise<string | null>,
): Promise<string[]> {
  const names = new Set(command.flatMap((argument) => argument.split(/[\s;&|()"'`]+/)).map(programOf));
  const isShell = command.length === 1 && SHELLS.has(programOf(command[0]));
  const found: string[] = [];
  for (const client of CLIENTS) {
    const name = client.names.find((name) => names.has(name));
    if (name === undefined && !isShell) continue;
    for (const file of client.files.flatMap((file) => placesOf(file, home))) {
      const text = await read(file);
      if (text === null || !client.says.test(text)) continue;
      found.push(
        `${file} sets a proxy or certificates, which ${
          name ?? client.names[0]
        } puts before what exec sets: ` +
          "its traffic may go past weir, or fail; take them out while you use exec.",
      );
      break;
    }
  }
  return found;
}

function programOf(path: string): string {
  return basename(path).replace(/\.(exe|cmd|bat)$/i, "");
}

function placesOf(file: string, home: string): string[] {
  if (file.endsWith("/")) return filesIn(file);
  if (file.startsWith("/")) return [file];
  if (file.startsWith("~/")) return [`${home}${file.slice(1)}`];
  return upwards(Deno.cwd()).map((directory) => `${directory}${file.slice(1)}`);
}

function filesIn(directory: string): string[] {
  try {
    return Array.from(Deno.readDirSync(directory), ({ name }) => directory + name);
  } catch {
    return [];
  }
}
