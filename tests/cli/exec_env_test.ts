import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { commandEnv } from "../../src/cli/exec_env.ts";
import { originCa } from "../e2e/support/certs.ts";

/** The environment of a command whose proxy is at 127.0.0.1:8080, and the files that it names. */
async function made(
  env: Record<string, string>,
): Promise<{ env: Record<string, string>; file: (name: string) => string; own: string; directory: string }> {
  const directory = await Deno.makeTempDir({ prefix: "weir env " });
  const own = (await originCa()).trim();
  await Deno.writeTextFile(`${directory}/weir-ca-cert.pem`, `${own}\n`);
  const given = Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, value.replace("$DIR", directory)]),
  );
  await Deno.writeTextFile(`${directory}/mine.pem`, MINE);
  const result = await commandEnv(
    { proxyUrl: "http://127.0.0.1:8080", confdir: directory, directory },
    given,
  );
  const texts = new Map<string, string>();
  for (const value of Object.values(result)) {
    if (value.startsWith(directory) && (await Deno.stat(value)).isFile) {
      texts.set(value, await Deno.readTextFile(value));
    }
  }
  await Deno.remove(directory, { recursive: true });
  return { env: result, file: (name) => texts.get(result[name])!, own, directory };
}

const MINE = "-----BEGIN CERTIFICATE-----\nbWluZQ==\n-----END CERTIFICATE-----\n";

function count(text: string): number {
  return text.match(/BEGIN CERTIFICATE/g)?.length ?? 0;
}

Deno.test("a command is told of the proxy in both cases, and of nothing to leave out", async () => {
  const { env } = await made({ NO_PROXY: "*", no_proxy: "*", https_proxy: "http://other:1", HOME: "/home" });
  for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]) {
    assertEquals(env[name], "http://127.0.0.1:8080", name);
  }
  assertEquals([env.NO_PROXY, env.no_proxy, env.HOME], [undefined, undefined, "/home"]);
});

Deno.test("what replaces a client's certificates holds the system's as well, what is added to them does not", async () => {
  const { file, own } = await made({});
  const replacing = "SSL_CERT_FILE REQUESTS_CA_BUNDLE CURL_CA_BUNDLE GIT_SSL_CAINFO PIP_CERT AWS_CA_BUNDLE";
  for (const name of `${replacing} CARGO_HTTP_CAINFO`.split(" ")) {
    assert(count(file(name)) > 50, name);
    assertStringIncludes(file(name), own);
  }
  for (const name of ["NODE_EXTRA_CA_CERTS", "DENO_CERT"]) assertEquals(file(name).trim(), own);
});

Deno.test("certificates that were set before stay trusted", async () => {
  const { file, own } = await made({
    CURL_CA_BUNDLE: "$DIR/mine.pem",
    NODE_EXTRA_CA_CERTS: "$DIR/mine.pem",
    PIP_CERT: "/nowhere.pem",
  });
  assertStringIncludes(file("SSL_CERT_FILE"), MINE.trim());
  assertEquals(file("NODE_EXTRA_CA_CERTS"), `${own}\n${MINE}`);
});

Deno.test("options of Node and Java are added to, and quoted where a path has spaces", async () => {
  const { env, directory } = await made({ NODE_OPTIONS: "--no-warnings", JAVA_TOOL_OPTIONS: "-Xmx1g" });
  assertEquals(env.NODE_OPTIONS, `--no-warnings --require "${directory}/node-preload.cjs"`);
  assertMatch(env.JAVA_TOOL_OPTIONS, /^-Xmx1g -Dhttp\.proxyHost=127\.0\.0\.1 -Dhttp\.proxyPort=8080 /);
  assertStringIncludes(env.JAVA_TOOL_OPTIONS, `"-Djavax.net.ssl.trustStore=${directory}/weir-ca-cert.p12"`);
  assertEquals(env.NODE_USE_ENV_PROXY, "1");
});

Deno.test("what the user's own wget, curl and Ruby files say stays, and weir has the last word", async () => {
  const home = await Deno.makeTempDir();
  try {
    for (const name of [".wgetrc", ".wget2rc", ".curlrc"]) {
      await Deno.writeTextFile(`${home}/${name}`, `mine ${name}`);
    }
    const { env, file, directory } = await made({ HOME: home, GEMRC: "/mine", GIT_CONFIG_COUNT: "2" });
    const bundle = env.SSL_CERT_FILE;
    for (
      const [name, own, setting] of [
        ["WGETRC", ".wgetrc", `ca_certificate = ${bundle}\n`],
        ["WGET2RC", ".wget2rc", `ca-certificate = ${bundle}\n`],
      ]
    ) {
      assert(file(name).startsWith(`mine ${own}\n`), name);
      assertStringIncludes(file(name), setting);
    }
    assertEquals(env.CURL_HOME, `${directory}/curl`);
    assertMatch(env.GEMRC, /^\/mine:/);
    assertEquals([env.GIT_CONFIG_COUNT, env.GIT_CONFIG_KEY_2], ["3", "http.proxy"]);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
});

Deno.test("curl's home stays where it is when there is no file of curl's", async () => {
  const { env } = await made({ HOME: "/nowhere", CURL_HOME: "/mine" });
  assertEquals(env.CURL_HOME, "/mine");
});

Deno.test("npm's settings are set in every case in which the environment has them", async () => {
  const { env } = await made({ NPM_CONFIG_CAFILE: "/mine.pem", npm_config_loglevel: "silent" });
  assertEquals(env.NPM_CONFIG_CAFILE, env.SSL_CERT_FILE);
  assertEquals(env.npm_config_cafile, env.SSL_CERT_FILE);
  assertEquals(env.npm_config_loglevel, "silent");
});

Deno.test("java's own options keep all but what names a proxy or a store", async () => {
  const options =
    `-Dhttps.proxyHost=a "-Dhttps.proxyPort=1" -Djavax.net.ssl.trustStore="/a b" -Xmx1g -Dx.https.proxyHost=b`;
  const { env } = await made({ JDK_JAVA_OPTIONS: options });
  assertEquals(env.JDK_JAVA_OPTIONS.split(/\s+/).filter((part) => part !== ""), [
    "-Xmx1g",
    "-Dx.https.proxyHost=b",
  ]);
});
