import { assertEquals, assertRejects } from "@std/assert";
import { parsePolicyFile } from "../../../src/egress/policy/file.ts";
import { PolicyError } from "../../../src/egress/error.ts";

const EXAMPLE = `default: deny
mode: warn
private: deny
rules:
  - deny: api.github.com
    methods: [DELETE]
  - allow: [api.github.com, "*.githubusercontent.com"]
    methods: [GET, POST]
    paths: ["/repos/**", "/graphql"]
  - allow: registry.npmjs.org
    uploads: 64k
  - tunnel: git.example.com:22
  - allow: 127.0.0.1:11434
  - allow: internal.example
    private: true
secrets:
  OPENAI_API_KEY:
    from: env
    hosts: [api.openai.com]
    in: [header:Authorization, query:key, path, body, websocket]
    placeholder: "sk-weir-{id}"
  NPM_TOKEN: { from: "file:/run/token", hosts: registry.npmjs.org, plain: true }
  OP: { from: { command: [op, read, "op://x"] }, hosts: ["*.example"] }
  OTHER: { from: "env:REAL", hosts: [a.example], in: header }
add:
  - host: "*.internal.example"
    headers: { authorization: "Bearer \${OP}" }
`;

Deno.test("the example of a policy is read whole, with its lines", async () => {
  const file = await parsePolicyFile("egress.yaml", EXAMPLE);
  assertEquals([file.default, file.mode, file.private], ["deny", "warn", "deny"]);
  assertEquals(
    file.rules.map(({ line, effect, hosts, methods, paths, uploads, private: isPrivate }) => [
      line,
      effect,
      hosts.map(({ text, ports }) => `${text} ${ports}`),
      methods && [...methods],
      paths?.length ?? null,
      uploads,
      isPrivate,
    ]),
    [
      [5, "deny", ["api.github.com 80,443"], ["DELETE"], null, null, false],
      [
        7,
        "allow",
        ["api.github.com 80,443", "*.githubusercontent.com 80,443"],
        ["GET", "POST"],
        2,
        null,
        false,
      ],
      [10, "allow", ["registry.npmjs.org 80,443"], null, null, 65536, false],
      [12, "tunnel", ["git.example.com:22 22"], null, null, null, false],
      [13, "allow", ["127.0.0.1:11434 11434"], null, null, null, false],
      [14, "allow", ["internal.example 80,443"], null, null, null, true],
    ],
  );
  assertEquals(
    file.secrets.map(({ name, line, from, places, placeholder, plain }) => ({
      name,
      line,
      from,
      places,
      placeholder,
      plain,
    })),
    [
      {
        name: "OPENAI_API_KEY",
        line: 17,
        from: { kind: "env", name: "OPENAI_API_KEY" },
        places: [
          { kind: "header", name: "authorization" },
          { kind: "query", name: "key" },
          { kind: "path" },
          { kind: "body" },
          { kind: "websocket" },
        ],
        placeholder: "sk-weir-{id}",
        plain: false,
      },
      {
        name: "NPM_TOKEN",
        line: 22,
        from: { kind: "file", path: "/run/token" },
        places: [{ kind: "header", name: null }],
        placeholder: null,
        plain: true,
      },
      {
        name: "OP",
        line: 23,
        from: { kind: "command", command: ["op", "read", "op://x"] },
        places: [{ kind: "header", name: null }],
        placeholder: null,
        plain: false,
      },
      {
        name: "OTHER",
        line: 24,
        from: { kind: "env", name: "REAL" },
        places: [{ kind: "header", name: null }],
        placeholder: null,
        plain: false,
      },
    ],
  );
  assertEquals(file.add, [{
    line: 26,
    hosts: file.add[0].hosts,
    headers: [["authorization", "Bearer ${OP}"]],
  }]);
});

Deno.test("an empty policy denies everything", async () => {
  for (const text of ["", "# nothing\n", "rules:\n", "rules: []\n"]) {
    const file = await parsePolicyFile("e.yaml", text);
    assertEquals([file.default, file.mode, file.private, file.rules], ["deny", "enforce", "deny", []]);
  }
});

/** What is wrong, and what is said of it. */
const MISTAKES: readonly (readonly [name: string, text: string, message: string])[] = [
  ["unknown key", "rule: []", "p:1: a policy has no key rule (did you mean rules?)."],
  [
    "unknown key without a near one",
    "xyzzy: 1",
    "p:1: a policy has no key xyzzy; it has default, mode, private, rules, secrets, add.",
  ],
  [
    "unknown key of a rule",
    "rules:\n  - allow: a.b\n    method: [GET]",
    "p:3: a rule has no key method (did you mean methods?).",
  ],
  [
    "unknown key of a secret",
    "secrets:\n  A:\n    form: env",
    "p:3: the secret A has no key form (did you mean from?).",
  ],
  ["no mapping", "- a", "p:1: a policy must be a mapping of keys and values, not a list."],
  [
    "wrong default",
    "default: denny",
    'p:1: default must be deny or allow, not "denny" (did you mean deny?).',
  ],
  ["wrong mode", "mode: 3", "p:1: mode must be enforce or warn, not 3."],
  ["wrong private", "private: true", "p:1: private must be deny or allow, not true."],
  ["rules are no list", "rules: yes", 'p:1: rules must be a list, not "yes".'],
  ["rule is text", "rules:\n  - a.b", 'p:2: a rule must be a mapping of keys and values, not "a.b".'],
  [
    "rule without effect",
    "rules:\n  - methods: [GET]",
    "p:2: a rule has one of allow, deny and tunnel; this one has none of them.",
  ],
  [
    "rule with two effects",
    "rules:\n  - allow: a.b\n    deny: a.b",
    "p:2: a rule has one of allow, deny and tunnel; this one has allow and deny.",
  ],
  ["host is a number", "rules:\n  - allow: 10", "p:2: allow must be text, not 10."],
  ["no hosts", "rules:\n  - allow: []", "p:2: allow is an empty list: it matches nothing."],
  ["URL", "rules:\n  - allow: https://a.b/c", "p:2: write the host alone, not a URL: a.b."],
  [
    "path in a host",
    "rules:\n  - allow: a.b/c",
    "p:2: the host a.b/c cannot match: paths belong under paths.",
  ],
  [
    "star alone",
    'rules:\n  - allow: "*"',
    "p:2: the host * is no rule: write default: allow for all hosts, or *.host.",
  ],
  [
    "star in the middle",
    "rules:\n  - allow: a.*.b",
    "p:2: the host a.*.b cannot match: a * stands only in front, for all that is below a host (*.example.com).",
  ],
  [
    "below an address",
    'rules:\n  - allow: "*.127.0.0.1"',
    "p:2: the host *.127.0.0.1 cannot match: nothing is below an address; write a network such as 10.0.0.0/8.",
  ],
  ["space", "rules:\n  - allow: a b", "p:2: the host a b cannot match: it is neither name nor address."],
  [
    "bad port",
    'rules:\n  - allow: "a.b:70000"',
    "p:2: the port of a.b:70000 must be a number from 1 to 65535.",
  ],
  [
    "bad network",
    "rules:\n  - allow: 10.0.0.0/33",
    "p:2: the network 10.0.0.0/33 must end in a number from 0 to 32.",
  ],
  [
    "lower case method",
    "rules:\n  - allow: a.b\n    methods: [get]",
    "p:3: the method get cannot match: methods are case-sensitive (did you mean GET?).",
  ],
  [
    "path without slash",
    "rules:\n  - allow: a.b\n    paths: [x]",
    "p:3: the path x cannot match: it must begin with /.",
  ],
  [
    "path with a query",
    'rules:\n  - allow: a.b\n    paths: ["/x?y"]',
    "p:3: the path /x?y cannot match: paths are compared without their query.",
  ],
  [
    "path with %2f",
    'rules:\n  - allow: a.b\n    paths: ["/x%2fy"]',
    "p:3: the path /x%2fy cannot match: requests with %2f, %5c or encoded dots are refused.",
  ],
  ["size", "rules:\n  - allow: a.b\n    uploads: lots", "p:3: uploads must be a size such as 64k or 3m."],
  [
    "methods of a tunnel",
    "rules:\n  - tunnel: a.b:22\n    methods: [GET]",
    "p:3: methods means nothing in a rule with tunnel.",
  ],
  [
    "secret without source",
    "secrets:\n  A: { hosts: [a.b] }",
    "p:2: the secret A has no value: write from: env, env:NAME, file:PATH or command.",
  ],
  [
    "secret without hosts",
    "secrets:\n  A: { from: env }",
    "p:2: the secret A has no hosts: write to which it may be sent.",
  ],
  [
    "source that may be the value",
    "secrets:\n  A: { from: sk-ant-123, hosts: [a.b] }",
    "p:2: from must be env, env:NAME, file:PATH or a command.",
  ],
  [
    "source nearly right",
    "secrets:\n  A: { from: evn, hosts: [a.b] }",
    "p:2: from must be env, env:NAME, file:PATH or a command (did you mean env?).",
  ],
  [
    "place",
    "secrets:\n  A: { from: env, hosts: [a.b], in: [heder] }",
    'p:2: in must be of header, header:NAME, query:NAME, path, body and websocket, not "heder" (did you mean header?).',
  ],
  [
    "two placeholders alike",
    "secrets:\n  A: { from: env, hosts: [a.b], placeholder: samesame }\n  B: { from: env, hosts: [a.b], placeholder: samesame }",
    "p:3: the secrets A and B have the same placeholder: each needs its own.",
  ],
  [
    "short placeholder",
    "secrets:\n  A: { from: env, hosts: [a.b], placeholder: short }",
    "p:2: a placeholder must have at least 8 characters, or it would be found everywhere.",
  ],
  [
    "added without secret",
    'secrets:\n  TOKEN: { from: env, hosts: [a.b] }\nadd:\n  - host: a.b\n    headers: { x: "${TOKN}" }',
    "p:5: ${TOKN} names no secret of this file (did you mean TOKEN?).",
  ],
  ["key twice", "default: deny\ndefault: allow", "p:2: not YAML: Map keys must be unique."],
  [
    "no YAML",
    "rules: [",
    "p:1: not YAML: Flow sequence in block collection must be sufficiently indented and end with a ].",
  ],
  ["alias", "rules:\n  - allow: &x a.b\n  - allow: *x", "p:3: write the value instead of the alias *x."],
];

for (const [name, text, message] of MISTAKES) {
  Deno.test(`a mistake in a policy is one sentence with file and line: ${name}`, async () => {
    const error = await assertRejects(() => parsePolicyFile("p", text), PolicyError);
    assertEquals(error.message, message);
  });
}
