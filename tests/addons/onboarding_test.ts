import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import * as weir from "../../src/mod.ts";
import Onboarding from "../../addons/onboarding.ts";
import { AddonManager } from "../../src/hooks/mod.ts";
import { addonHost, httpFlow } from "../support/addon_host.ts";

async function answer(
  given: { method?: string; host?: string; path?: string },
  options: [string, unknown][] = [],
) {
  const host = addonHost();
  const manager = new AddonManager(host.ctx, host.options, weir);
  await manager.load([{ name: "onboarding", addon: Onboarding, builtin: true }]);
  await host.options.updateNamed(options);
  await manager.configure(new Set(host.options.names()));
  const flow = httpFlow({ host: "weir.internal", ...given });
  await manager.dispatcher.trigger("request", flow);
  assertEquals(host.lines, []);
  const { response } = flow;
  const body = response?.takeWebBody();
  return response && { response, bytes: new Uint8Array(await new Response(body).arrayBuffer()) };
}

const CERTIFICATES = [
  ["pem", "application/x-x509-ca-cert"],
  ["cer", "application/x-x509-ca-cert"],
  ["p12", "application/x-pkcs12"],
];

for (const [format, type] of CERTIFICATES) {
  Deno.test(`the certificate is served as ${format}`, async () => {
    const { response, bytes } = (await answer({ path: `/cert/${format}` }))!;
    assertEquals(response.statusCode, 200);
    assertEquals(response.headers.get("content-type"), type);
    assertEquals(
      response.headers.get("content-disposition"),
      `attachment; filename="weir-ca-cert.${format}"`,
    );
    assertEquals(response.headers.get("content-length"), String(bytes.length));
    assertEquals(new TextDecoder().decode(bytes), `certificate as ${format}`);
  });
}

Deno.test("the page links the certificates and tells how to install them, without scripts", async () => {
  const { response, bytes } = (await answer({ path: "/?from=phone" }))!;
  const page = new TextDecoder().decode(bytes);
  assertEquals(response.headers.get("content-type"), "text/html; charset=utf-8");
  assertStringIncludes(response.headers.get("content-security-policy")!, "default-src 'none'");
  for (const format of ["pem", "cer", "p12"]) assertStringIncludes(page, `href="/cert/${format}"`);
  for (const name of "Linux,macOS,Windows,iPhone,Android,Firefox,Node.js,Python,curl,Java".split(",")) {
    assertStringIncludes(page, name);
  }
  assertStringIncludes(page, "http://127.0.0.1:8081");
  assertStringIncludes(page, "prefers-color-scheme: dark");
  assert(!/<script|javascript:|src=|https?:\/\/(?!127\.0\.0\.1:8081|example\.com)/.test(page));
  assert(!page.includes("`"));
});

Deno.test("other hosts are left alone", async () => {
  assertEquals(await answer({ host: "example.com" }), null);
});

Deno.test("other paths and methods are refused in words", async () => {
  const missing = (await answer({ path: "/key" }))!;
  assertEquals(missing.response.statusCode, 404);
  const post = (await answer({ method: "POST", path: "/" }))!;
  assertEquals(post.response.statusCode, 405);
  assertEquals(post.response.headers.get("allow"), "GET, HEAD");
});

Deno.test("the page can be switched off, and moved", async () => {
  assertEquals(await answer({ path: "/" }, [["onboarding", false]]), null);
  assertEquals(await answer({ path: "/" }, [["onboarding_host", "ca.test"]]), null);
  assertEquals(
    (await answer({ host: "CA.test", path: "/" }, [["onboarding_host", "ca.test"]]))!.response.statusCode,
    200,
  );
});
