import { assertEquals, assertThrows } from "@std/assert";
import { ProxyEnvironment } from "../../../addons/rules/proxy_environment.ts";

/** The proxy for a URL, by an environment. */
function proxyFor(url: string, variables: Record<string, string>): string | null {
  const { protocol, hostname, port } = new URL(url);
  const scheme = protocol.slice(0, -1);
  return new ProxyEnvironment((name) => variables[name]).proxyFor({
    scheme,
    host: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(port || (scheme === "http" ? 80 : 443)),
  });
}

Deno.test("small letters before capitals, the scheme's own variable before all_proxy, empty ones are not there", () => {
  const rows: [string, Record<string, string>, string | null][] = [
    ["http://a/", {}, null],
    ["http://a/", { http_proxy: "http://p:1" }, "http://p:1"],
    ["https://a/", { http_proxy: "http://p:1" }, null],
    ["http://a/", { HTTP_PROXY: "p:1", http_proxy: "q:2" }, "q:2"],
    ["http://a/", { HTTP_PROXY: "p:1", http_proxy: "" }, "p:1"],
    ["https://a/", { HTTPS_PROXY: "http://p:1", ALL_PROXY: "socks5://q:2" }, "http://p:1"],
    ["http://a/", { HTTPS_PROXY: "http://p:1", ALL_PROXY: "socks5://q:2" }, "socks5://q:2"],
    ["https://a/", { all_proxy: "socks5h://q" }, "socks5h://q"],
  ];
  for (const [url, variables, expected] of rows) assertEquals(proxyFor(url, variables), expected);
});

Deno.test("no_proxy: domains and all below them, addresses, networks, ports", () => {
  const rows: [string, string, boolean][] = [
    ["*", "http://a/", true],
    ["example.com", "http://example.com/", true],
    ["example.com", "http://EXAMPLE.com./", true],
    ["example.com", "http://www.example.com/", true],
    ["example.com", "http://notexample.com/", false],
    [".example.com", "http://example.com/", true],
    ["*.example.com", "http://a.b.example.com/", true],
    ["a, example.com b", "https://b/", true],
    ["example.com:8080", "http://example.com:8080/", true],
    ["example.com:8080", "http://example.com/", false],
    ["10.0.0.1", "http://10.0.0.1/", true],
    ["0.0.1", "http://10.0.0.1/", false],
    ["10.0.0.0/8", "http://10.9.8.7:81/", true],
    ["10.0.0.0/8", "http://11.9.8.7/", false],
    ["10.0.0.0/8", "http://ten.example/", false],
    ["::1", "http://[::1]:8080/", true],
    ["[::1]:8080", "http://[::1]:8080/", true],
    ["[::1]:8080", "http://[::1]/", false],
    ["fd00::/8", "https://[fd12::1]/", true],
    ["", "http://a/", false],
  ];
  for (const [list, url, isExcepted] of rows) {
    for (const name of ["no_proxy", "NO_PROXY"]) {
      const proxy = proxyFor(url, { all_proxy: "http://p", [name]: list });
      assertEquals(proxy, isExcepted ? null : "http://p", `${list} ${url}`);
    }
  }
});

Deno.test("a variable that is no address of a proxy is named, without the password", () => {
  const { message } = assertThrows(
    () => proxyFor("http://a/", { HTTP_PROXY: "ftp://u:secret@p" }),
    SyntaxError,
  );
  assertEquals(message, 'the variable HTTP_PROXY: "ftp://***@p": the scheme must be http, https or socks5');
});
