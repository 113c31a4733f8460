import { assertEquals, assertThrows } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import {
  filterOffer,
  formatExtensions,
  parseAgreed,
  parseExtensions,
} from "../../src/websocket/extensions.ts";

Deno.test("the header is taken apart by RFC 6455 §9.1's grammar", () => {
  assertEquals(parseExtensions('foo; a=1; b="x-y" ,, bar;c ;d = "q\\uoted"'), [
    { name: "foo", params: [["a", "1"], ["b", "x-y"]] },
    { name: "bar", params: [["c", null], ["d", "quoted"]] },
  ]);
  assertEquals(parseExtensions(""), []);
  for (
    const wrong of [
      "foo bar",
      "foo;",
      "foo; a=",
      'foo; a="',
      'foo; a="x y"',
      'foo; a=""',
      "=",
      "foo; ;b",
      "f\u00fc",
    ]
  ) {
    assertEquals(parseExtensions(wrong), null, wrong);
  }
  assertEquals(formatExtensions(parseExtensions('a;b="c", d')!), "a; b=c, d");
});

Deno.test("an offer keeps what weir knows, and only that", () => {
  const cases: [string | null, string | null][] = [
    [null, null],
    ["x-webkit-deflate-frame", null],
    ["permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits"],
    ["foo, permessage-deflate, bar", "permessage-deflate"],
    ['Permessage-Deflate; server_max_window_bits="10"', "permessage-deflate; server_max_window_bits=10"],
    [
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover, permessage-deflate",
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover, permessage-deflate",
    ],
    // Unknown, repeated or wrong parameters: that offer is declined (RFC 7692 §7.1), another may stand.
    ["permessage-deflate; foo", null],
    ["permessage-deflate; server_max_window_bits", null],
    ["permessage-deflate; server_max_window_bits=7", null],
    ["permessage-deflate; server_max_window_bits=16", null],
    ["permessage-deflate; server_max_window_bits=08", null],
    ["permessage-deflate; client_no_context_takeover=1", null],
    [
      "permessage-deflate; client_max_window_bits; client_max_window_bits, permessage-deflate",
      "permessage-deflate",
    ],
    ["permessage-deflate; ;", null],
  ];
  for (const [offer, kept] of cases) assertEquals(filterOffer(offer), kept, String(offer));
});

Deno.test("an answer must fit an offer", () => {
  const all =
    "permessage-deflate; client_max_window_bits=12; server_max_window_bits=11; server_no_context_takeover";
  assertEquals(parseAgreed(null, all), null);
  assertEquals(parseAgreed("", all), null);
  assertEquals(parseAgreed("permessage-deflate", "permessage-deflate"), {
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
    serverMaxWindowBits: 15,
    clientMaxWindowBits: 15,
  });
  assertEquals(
    parseAgreed(
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=9",
      all,
    ),
    {
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
      serverMaxWindowBits: 10,
      clientMaxWindowBits: 9,
    },
  );
  const wrong: [string, string | null][] = [
    ["permessage-deflate", null],
    ["permessage-deflate", "foo"],
    ["foo", "permessage-deflate"],
    ["permessage-deflate, permessage-deflate", "permessage-deflate"],
    ["permessage-deflate;", "permessage-deflate"],
    ["permessage-deflate; client_max_window_bits=10", "permessage-deflate"],
    ["permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits"],
    ["permessage-deflate; client_max_window_bits=13", "permessage-deflate; client_max_window_bits=12"],
    ["permessage-deflate; server_max_window_bits=12", "permessage-deflate; server_max_window_bits=11"],
    ["permessage-deflate", "permessage-deflate; server_max_window_bits=11"],
    ["permessage-deflate", "permessage-deflate; server_no_context_takeover"],
  ];
  for (const [answer, offer] of wrong) {
    const error = assertThrows(() => parseAgreed(answer, offer), WeirError);
    assertEquals(error.side, "server");
  }
  // Any of several offers will do.
  assertEquals(parseAgreed("permessage-deflate", `${all}, permessage-deflate`)?.serverMaxWindowBits, 15);
});
