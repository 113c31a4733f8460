import { assert, assertEquals, assertThrows } from "@std/assert";
import { browserArgs, findBrowser, launchBrowser, type Platform, spkiHash } from "../../src/cli/browser.ts";
import { WeirError } from "../../src/errors.ts";
import { originCa } from "../e2e/support/certs.ts";

function platform(os: Platform["os"], env: Record<string, string>, files: string[]): Platform {
  return { os, env: (name) => env[name], isFile: (path) => files.includes(path) };
}

Deno.test("a browser is found where each system has them, Chrome first", () => {
  const rows: [Platform, string][] = [
    [platform("linux", { PATH: "/a:/b" }, ["/b/chromium"]), "/b/chromium"],
    [platform("linux", { PATH: "/a::/b" }, ["/a/chromium", "/b/google-chrome"]), "/b/google-chrome"],
    [
      platform("darwin", { HOME: "/me" }, ["/me/Applications/Chromium.app/Contents/MacOS/Chromium"]),
      "/me/Applications/Chromium.app/Contents/MacOS/Chromium",
    ],
    [
      platform("windows", { "ProgramFiles(x86)": "C:\\P" }, [
        "C:\\P\\Microsoft\\Edge\\Application\\msedge.exe",
      ]),
      "C:\\P\\Microsoft\\Edge\\Application\\msedge.exe",
    ],
  ];
  for (const [given, path] of rows) assertEquals(findBrowser(given), path);
});

Deno.test("without a browser the error says what was looked for", () => {
  for (
    const [os, what] of [["linux", "chromium"], ["darwin", "/Applications"], [
      "windows",
      "chrome.exe",
    ]] as const
  ) {
    const error = assertThrows(() => findBrowser(platform(os, {}, [])), WeirError);
    assert(error.message.startsWith("--browser found no browser: it looked for "), error.message);
    assert(error.message.includes(what), error.message);
  }
});

Deno.test("the sandbox is given up for root alone; loopback goes through the proxy", () => {
  const of = (isRoot: boolean) =>
    browserArgs({ profile: "/p", proxyUrl: "http://127.0.0.1:1", spki: "abc=", isRoot });
  assertEquals(of(true).filter((argument) => !of(false).includes(argument)), ["--no-sandbox"]);
  for (
    const argument of [
      "--user-data-dir=/p",
      "--proxy-server=http://127.0.0.1:1",
      "--proxy-bypass-list=<-loopback>",
      "--ignore-certificate-errors-spki-list=abc=",
      "--no-first-run",
    ]
  ) assert(of(false).includes(argument), argument);
});

Deno.test("the hash is that of the certificate's public key", async () => {
  const pem = await originCa();
  const openssl = new Deno.Command("sh", {
    args: [
      "-c",
      "openssl x509 -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64",
    ],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = openssl.stdin.getWriter();
  await writer.write(new TextEncoder().encode(pem));
  await writer.close();
  const { stdout } = await openssl.output();
  assertEquals(spkiHash(pem), new TextDecoder().decode(stdout).trim());
});

Deno.test("a browser that cannot be started leaves no profile behind", async () => {
  const confdir = await Deno.makeTempDir({ prefix: "weir-confdir-" });
  await Deno.writeTextFile(`${confdir}/weir-ca-cert.pem`, await originCa());
  let message = "";
  await launchBrowser("/nowhere/chromium", { proxyUrl: "http://127.0.0.1:1", confdir }).catch((error) => {
    message = error.message;
  });
  assert(message.startsWith("--browser cannot start /nowhere/chromium"), message);
  await Deno.remove(confdir, { recursive: true });
});
