/** The options `stickycookie` and `stickyauth`: what was set or sent before is sent again. @module */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Addon } from "weir";
import { absolute, Client, exchange } from "./support/client.ts";
import { Http2Client, requestTo } from "./support/http2.ts";
import { chunk } from "./support/http.ts";
import { origin, type Script } from "./support/origin.ts";
import { type Options, startProxy, streamAll } from "./support/proxy.ts";
import { inAllWays, valuesOf } from "./support/ways.ts";
import { runWeir } from "./support/weir.ts";

/** Sets what the path says, percent-coded; the body is chunked, so that it can be streamed. */
const setting: Script = (wire, request) => {
  const [, query = ""] = request.target.split("?");
  const fields = query.split("&").filter((one) => one !== "").map((one) =>
    `Set-Cookie: ${decodeURIComponent(one)}\r\n`
  );
  return wire.send(
    `HTTP/1.1 200 OK\r\n${fields.join("")}Transfer-Encoding: chunked\r\n\r\n${chunk("ok")}0\r\n\r\n`,
  );
};

/** Sends these one after another; gives the fields of that name that the origin got, request by request. */
async function got(
  name: string,
  options: Options,
  requests: readonly [path: string, fields: string][],
  addon: Addon = {},
): Promise<string[][]> {
  await using server = await origin(setting);
  await using proxy = await startProxy(addon, options);
  await using client = await Client.connect(proxy);
  for (const [path, fields] of requests) {
    await client.send(absolute(server.url(path), { fields }));
    assertEquals((await client.response()).text, "ok");
  }
  return server.requests.map((request) => request.all(name));
}

for (const [mode, addon] of [["buffered", {}], ["streamed", streamAll]] as const) {
  Deno.test(`cookies that were set are sent again where the filter matches; a request's own win (${mode})`, async () => {
    const seen = await got("cookie", { stickycookie: "~u /in" }, [
      ["/in?a%3D1&b%3D2%3BPath%3D/in/x&c%3D3%3BMax-Age%3D0&s%3D1%3BSecure", ""],
      ["/in", ""],
      ["/out", ""],
      ["/in/x", "Cookie: own=9; a=own\r\n"],
      ["/in?a%3D%3BMax-Age%3D0", "Cookie: a=own\r\n"],
      ["/in", ""],
    ], addon);
    assertEquals(seen, [[], ["a=1"], [], ["own=9; a=own; b=2"], ["a=own"], []]);
  });

  Deno.test(`HTTP/2: the same (${mode})`, async () => {
    await using server = await origin(setting);
    await using proxy = await startProxy(addon, { stickycookie: "~all", stickyauth: "~all" });
    await using client = await Http2Client.cleartext(proxy);
    const { peer } = client;
    let id = -1;
    const get = async (path: string, ...fields: string[]) => {
      await peer.request(
        id += 2,
        requestTo({ authority: server.authority, scheme: "http" }, "GET", path, ...fields),
      );
      while (!(await peer.line()).endsWith("+END"));
    };
    await get("/?a%3D1&b%3D2", "authorization", "Basic eA==");
    await get("/", "cookie", "x=1", "cookie", "b=own");
    assertEquals(server.requests[1].all("cookie"), ["x=1; b=own; a=1"]);
    assertEquals(server.requests[1].all("authorization"), ["Basic eA=="]);
  });

  Deno.test(`Authorization that was sent is sent again where the filter matches and there is none (${mode})`, async () => {
    const seen = await got("authorization", { stickyauth: "~u /in" }, [
      ["/in", ""],
      ["/out", "Authorization: Basic MQ==\r\n"],
      ["/in", ""],
      ["/out", ""],
      ["/in", "authorization: Basic Mg==\r\n"],
      ["/in", ""],
    ], addon);
    assertEquals(seen, [[], ["Basic MQ=="], ["Basic MQ=="], [], ["Basic Mg=="], ["Basic Mg=="]]);
  });
}

inAllWays(
  "both legs of one version: secure cookies and logins are sent again",
  {
    options: { stickycookie: "~m GET", stickyauth: "~m GET" },
    reply: () => ({ body: "ok", fields: [["Set-Cookie", "a=1; Secure"], ["Set-Cookie", "b=2; Path=/deep"]] }),
  },
  async ({ send, received }) => {
    await send("POST", "/", { fields: [["Authorization", "Basic eA=="]], body: "up" });
    await send("GET", "/deep/er");
    await send("HEAD", "/deep/er");
    assertEquals(
      received.map(({ fields }) => [valuesOf(fields, "cookie"), valuesOf(fields, "authorization")]),
      [
        [[], ["Basic eA=="]],
        [["b=2; a=1"], ["Basic eA=="]],
        [[], []],
      ],
    );
  },
);

Deno.test("other hosts and other ports get none of it; another port of a host gets its Authorization", async () => {
  await using one = await origin(setting);
  await using two = await origin(setting);
  await using proxy = await startProxy([], { stickycookie: "~all", stickyauth: "~all" });
  await exchange(proxy, one.url("/?a%3D1"), { fields: "Authorization: Basic eA==\r\n" });
  await exchange(proxy, two.url());
  await exchange(proxy, `http://localhost:${one.port}/`);
  assertEquals(two.requests.map((head) => [head.all("cookie"), head.all("authorization")]), [[[], [
    "Basic eA==",
  ]]]);
  assertEquals([one.requests[1].all("cookie"), one.requests[1].all("authorization")], [[], []]);
});

Deno.test("what scripts change counts: the answer's Set-Cookie, and the request that gets cookies", async () => {
  const addon: Addon = {
    request: (flow) => void (flow.request.path = "/in"),
    response: (flow) => flow.response!.headers.append("Set-Cookie", "made=1"),
  };
  assertEquals(await got("cookie", { stickycookie: "~u /in" }, [["/x", ""], ["/x", ""]], addon), [[], [
    "made=1",
  ]]);
});

Deno.test("what a refused client sent is not kept", async () => {
  const login = `Proxy-Authorization: Basic ${btoa("a:b")}\r\n`;
  await using server = await origin(setting);
  await using proxy = await startProxy([], { stickyauth: "~all", proxyauth: "a:b" });
  await exchange(proxy, server.url(), { fields: "Authorization: Basic eA==\r\n" });
  await exchange(proxy, server.url(), { fields: login });
  assertEquals(server.requests.map((head) => head.all("authorization")), [[]]);
});

Deno.test("off, nothing is kept or sent", async () => {
  const options = { stickycookie: "", stickyauth: "" };
  const requests: [string, string][] = [["/?a%3D1", "Authorization: Basic eA==\r\n"], ["/", ""]];
  assertEquals(await got("cookie", options, requests), [[], []]);
  assertEquals(await got("authorization", {}, requests), [["Basic eA=="], []]);
});

Deno.test("a filter that cannot be read names option, filter and place; weir does not start", async () => {
  for (const option of ["stickycookie", "stickyauth"]) {
    const { code, stderr } = await runWeir({ args: ["--set", `${option}=~m POST & (`] });
    assertEquals(code, 1);
    assertMatch(stderr, new RegExp(`option ${option}: .*~m POST & \\(.* at 12`));
    assert(!stderr.includes("listening"));
  }
});
