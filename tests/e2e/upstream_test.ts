/** Going on by another proxy: `--mode upstream:…`, what is said to it, and what it answers. @module */
import { assertEquals } from "@std/assert";
import { Client, exchange } from "./support/client.ts";
import { origin, withLength } from "./support/origin.ts";
import { recorder, startProxy } from "./support/proxy.ts";
import { Events } from "./support/within.ts";

const upstream = (authority: string, scheme = "http") => ({ mode: [`upstream:${scheme}://${authority}`] });

Deno.test("upstream mode: plain requests reach the proxy in absolute-form, on connections that are kept for all origins", async () => {
  await using proxy = await origin(withLength("hello"));
  await using weir = await startProxy([], upstream(`u%40x:p%3Aw@127.0.0.1:${proxy.port}`));
  assertEquals((await exchange(weir, "http://one.example/a?b")).text, "hello");
  assertEquals((await exchange(weir, "http://two.example:81/")).text, "hello");
  assertEquals(proxy.requests.map(({ raw }) => raw), [
    "GET http://one.example/a?b HTTP/1.1\r\nHost: one.example\r\n" +
    `Proxy-Authorization: Basic ${btoa("u@x:p:w")}\r\n\r\n`,
    "GET http://two.example:81/ HTTP/1.1\r\nHost: two.example:81\r\n" +
    `Proxy-Authorization: Basic ${btoa("u@x:p:w")}\r\n\r\n`,
  ]);
  assertEquals(proxy.connections, 1);
});

Deno.test("weir behind weir: http, and https inside CONNECT, both intercept", async () => {
  const events = new Events();
  await using plain = await origin(withLength("plain"));
  await using secure = await origin(withLength("secret"), { tls: true });
  await using far = await startProxy(recorder(events));
  await using near = await startProxy([], {
    ...upstream(`127.0.0.1:${far.port}`),
    ssl_verify_upstream_trusted_ca: `${far.confdir}/weir-ca-cert.pem`,
  });
  assertEquals((await exchange(near, plain.url())).text, "plain");
  await using client = await Client.connect(near);
  await client.tunnel(secure.authority);
  await client.startTls("localhost", await near.ca());
  await client.send(`GET / HTTP/1.1\r\nHost: ${secure.authority}\r\n\r\n`);
  const seen = await client.response();
  assertEquals(seen.text, "secret");
});
