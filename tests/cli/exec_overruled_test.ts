import { assertEquals, assertMatch } from "@std/assert";
import { overruled } from "../../src/cli/exec_overruled.ts";

/** What is said of a command where there are these files. */
async function said(command: string[], files: Record<string, string>): Promise<string[]> {
  return await overruled(command, "/home/me", (path) => Promise.resolve(files[path] ?? null));
}

/** A file of each client, with a command that starts the client, and the same file saying nothing of the kind. */
const ROWS: [command: string[], path: string, says: string, silent: string][] = [
  [["yarn", "install"], "/home/me/.yarnrc", `"https-proxy" "http://x"\n`, `"lastUpdateCheck" 1\n`],
  [
    ["./mvnw", "-q", "test"],
    "/home/me/.m2/settings.xml",
    "<settings><proxies><proxy>",
    "<settings><proxies/>",
  ],
  [
    ["gradle", "build"],
    "/home/me/.gradle/gradle.properties",
    "systemProp.https.proxyHost=x\n",
    "org.gradle.daemon=true\n#systemProp.https.proxyHost=x\n",
  ],
  [
    ["svn", "up"],
    "/home/me/.subversion/servers",
    "[global]\nhttp-proxy-host = x\n",
    "# http-proxy-host = x\n",
  ],
  [["hg", "pull"], "/home/me/.hgrc", "[ui]\nusername=x\n[http_proxy]\nhost = x:1\n", "[ui]\nhost = x\n"],
  [
    ["http", "GET", "x"],
    "/home/me/.config/httpie/config.json",
    `{"default_options":["--proxy=http:x"]}`,
    `{}`,
  ],
  [["bun", "install"], "/home/me/.bunfig.toml", `[install]\ncafile = "x"\n`, `[install]\ncache = "x"\n`],
  [["conda", "install", "x"], "/home/me/.condarc", "proxy_servers:\n  http: x\n", "channels:\n - x\n"],
  [
    ["dotnet", "restore"],
    "/home/me/.nuget/NuGet/NuGet.Config",
    `<add key="http_proxy" value="x"/>`,
    "<configuration/>",
  ],
  [["aria2c", "x"], "/home/me/.config/aria2/aria2.conf", "all-proxy=x\n", "dir=x\n"],
  [["yt-dlp", "x"], "/home/me/.config/yt-dlp/config", "--proxy x\n", "-o x\n"],
  [["Rscript", "x.R"], "/home/me/.Renviron", "https_proxy=x\n", "R_LIBS=x\n"],
  [["apt-get", "update"], "/etc/apt/apt.conf", `Acquire::http::Proxy "http://x";\n`, `APT::x "Acquire";\n`],
];
for (const [command, path, says, silent] of ROWS) {
  Deno.test(`${command[0]}: a proxy of its own in ${path} is told of, and no other setting is`, async () => {
    const [line, ...more] = await said(command, { [path]: says });
    assertMatch(
      line,
      new RegExp(`^${path.replaceAll(".", "\\.")} sets a proxy or certificates, which \\S+ puts before`),
    );
    assertEquals(more, []);
    assertEquals(await said(command, { [path]: silent }), []);
    assertEquals(await said(["curl", "x"], { [path]: says }), []);
    assertEquals(await said(["sh", "-c", `cd x && ${command.join(" ")}`], { [path]: says }), [line]);
  });
}

Deno.test("a shell may start any of them", async () => {
  assertEquals(
    (await said(["/bin/bash"], {
      "/home/me/.m2/settings.xml": "<proxy>",
      "/home/me/.condarc": "proxy_servers:",
    })).length,
    2,
  );
  assertEquals(await said(["bash", "x.sh"], { "/home/me/.m2/settings.xml": "<proxy>" }), []);
});
