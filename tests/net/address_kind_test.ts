import { assertEquals } from "@std/assert";
import { type AddressKind, addressKind } from "../../src/net/mod.ts";

/** As Python's `ipaddress` has them. */
const KINDS: Record<AddressKind, string> = {
  loopback: "127.0.0.1 127.8.9.1 ::1 0:0:0:0:0:0:0:1 ::ffff:127.0.0.1 ::ffff:7f00:1",
  private: "10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 0.0.0.0 192.0.0.8 192.0.2.1 " +
    "198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.5 240.0.0.1 255.255.255.255 :: ::ffff:10.0.0.1 " +
    "::FFFF:c0a8:0101 fe80::1 fe80::1%eth0 fd00::1 fc00::1 2001:db8::1 3fff::1 100::1 64:ff9b:1::1",
  shared: "100.64.0.1 100.127.255.255 ::ffff:100.64.0.1",
  global: "8.8.8.8 1.1.1.1 172.15.255.255 172.32.0.1 100.63.255.255 100.128.0.1 192.0.0.9 192.0.0.10 " +
    "198.20.0.1 126.255.255.255 128.0.0.1 11.0.0.0 9.255.255.255 224.0.0.1 ::ffff:8.8.8.8 ::ffff:808:808 " +
    "2001:4860:4860::8888 2001:20::1 64:ff9b::808:808 2002:808:808::1 ff02::1 2a00::1",
};

for (const [kind, addresses] of Object.entries(KINDS)) {
  Deno.test(`addresses that are ${kind}`, () => {
    for (const address of addresses.split(" ")) assertEquals(addressKind(address), kind, address);
  });
}

Deno.test("what is no address has no kind", () => {
  for (const text of ["", "localhost", "127.1", "[::1]", "1.2.3.4.5", "1.2.3.256", "::g"]) {
    assertEquals(addressKind(text), null, text);
  }
});
