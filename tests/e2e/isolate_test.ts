/** `weir exec --isolate`: from inside, weir is the only way out. Linux. @module */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { originCa } from "./support/certs.ts";
import { origin, tcpOrigin, withLength } from "./support/origin.ts";
import { START, within } from "./support/within.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
/** Elsewhere the sentence is all that there is. */
const ignore = Deno.build.os !== "linux";

interface Place extends AsyncDisposable {
  readonly path: string;
  spawn(args: string[], env?: Record<string, string>): Deno.ChildProcess;
  run(
    args: string[],
    env?: Record<string, string>,
  ): Promise<{ code: number; stdout: string; stderr: string }>;
}

async function place(policy: string, files: Record<string, string> = {}): Promise<Place> {
  const path = await Deno.makeTempDir({ prefix: "weir-e2e-" });
  await Deno.writeTextFile(`${path}/origin-ca.pem`, await originCa());
  for (const [name, text] of Object.entries({ "egress.yaml": policy, ...files })) {
    await Deno.writeTextFile(`${path}/${name}`, text);
  }
  const spawn = (args: string[], env: Record<string, string> = {}) =>
    new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", MAIN, "exec", "--confdir", `${path}/conf`],
        ...[
          "--set",
          `ssl_verify_upstream_trusted_ca=${path}/origin-ca.pem`,
          "--policy",
          "egress.yaml",
          "--isolate",
          "--",
          ...args,
        ],
      ],
      cwd: path,
      env: { NO_COLOR: "1", ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  return {
    path,
    spawn,
    async run(args, env) {
      const { code, stdout, stderr } = await within(START, spawn(args, env).output(), "weir exec to end");
      return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
    },
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** Listens at an abstract socket until it is killed. */
const LISTENER = `
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind("\\0" + sys.argv[1])
s.listen(5)
print("ready", flush=True)
time.sleep(600)
`;

/** Each way prints a line: its name, and whether it led anywhere. */
const WAYS = `
import ctypes, os, socket, subprocess, sys, json
given = json.loads(sys.argv[1])
weir = int(given["weir"])

def tcp(family, host, port):
    def way():
        with socket.socket(family, socket.SOCK_STREAM) as s:
            s.settimeout(2)
            s.connect((host, port))
    return way

def udp(family, host, port):
    def way():
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            s.settimeout(0.5)
            s.sendto(b"out", (host, port))
            s.recv(1)
    return way

def unix(name):
    def way():
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.connect(name)
    return way

def resolve():
    socket.getaddrinfo("example.com", 80)

def raw():
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as s:
        s.settimeout(0.5)
        s.sendto(b"\\x08\\0\\xf7\\xff\\0\\0\\0\\0", ("192.0.2.1", 0))
        s.recv(1)

def packet():
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as s:
        s.bind(("eth0", 0))

def vsock():
    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as s:
        s.settimeout(1)
        s.connect((2, 22))

def run(*command):
    return lambda: subprocess.run(command, check=True, timeout=10, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

def syscall():
    # No library between it and the kernel.
    libc = ctypes.CDLL(None, use_errno=True)
    s = libc.syscall(41 if os.uname().machine == "x86_64" else 198, 2, 1, 0)
    address = b"\\2\\0" + given["port"].to_bytes(2, "big") + bytes([127, 0, 0, 1]) + bytes(8)
    if libc.syscall(42 if os.uname().machine == "x86_64" else 203, s, address, 16) != 0:
        raise OSError("connect")

def setns():
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open(f"/proc/{weir}/ns/net", os.O_RDONLY)
    if libc.setns(fd, 0) != 0:
        raise OSError("setns")

def environ():
    with open(f"/proc/{weir}/environ", "rb") as f:
        f.read()

def memory():
    with open(f"/proc/{weir}/mem", "rb") as f:
        f.seek(4096)
        f.read(1)

def root():
    os.listdir(f"/proc/{weir}/root/")

def trace():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, weir, None, None) != 0:
        raise OSError("ptrace")

port = given["port"]
WAYS = {
    "tcp 127.0.0.1": tcp(socket.AF_INET, "127.0.0.1", port),
    "tcp 127.0.0.2": tcp(socket.AF_INET, "127.0.0.2", port),
    "tcp 0.0.0.0": tcp(socket.AF_INET, "0.0.0.0", port),
    "tcp ::1": tcp(socket.AF_INET6, "::1", port),
    "tcp ::ffff:127.0.0.1": tcp(socket.AF_INET6, "::ffff:127.0.0.1", port),
    "tcp to the host's address": tcp(socket.AF_INET, given["address"], port),
    "tcp to the internet": tcp(socket.AF_INET, "1.1.1.1", 443),
    "dns": resolve,
    "udp 127.0.0.1": udp(socket.AF_INET, "127.0.0.1", given["udp"]),
    "udp to a resolver": udp(socket.AF_INET, "8.8.8.8", 53),
    "udp ipv6": udp(socket.AF_INET6, "2001:4860:4860::8888", 53),
    "raw socket": raw,
    "packet socket": packet,
    "vsock": vsock,
    "abstract unix socket": unix("\\0" + given["abstract"]),
    "unix socket of another program": unix(given["unix"]),
    "curl without a proxy": run("curl", "-s", "--noproxy", "*", "--max-time", "3", f"http://127.0.0.1:{port}/"),
    "another proxy": run("curl", "-s", "-x", f"http://127.0.0.1:{port}", "--max-time", "3", "http://other.example/"),
    "a second user namespace": run("unshare", "-Urn", "curl", "-s", "--noproxy", "*", "--max-time", "3", f"http://127.0.0.1:{port}/"),
    "taking mounts away": run("unshare", "-Urm", "sh", "-c", f"umount {given['unix']} && test -S {given['unix']}"),
    "an interface of its own": run("ip", "link", "add", "out", "type", "dummy"),
    "system calls without a library": syscall,
    "weir's network namespace": setns,
    "nsenter": run("nsenter", "-t", str(weir), "-n", "true"),
    "weir's environment": environ,
    "weir's memory": memory,
    "weir's root": root,
    "ptrace": trace,
}
for name, way in WAYS.items():
    try:
        way()
        print(f"OPEN {name}")
    except Exception as error:
        print(f"closed {name}")
`;

Deno.test({
  name: "isolate: ways out of the namespace lead nowhere, and HTTP and HTTPS through weir work",
  ignore,
  async fn() {
    const stray: string[] = [];
    await using other = await tcpOrigin(async (wire) =>
      void stray.push((await wire.readUntil("\n")).slice(0, 20))
    );
    await using server = await origin(withLength("through weir"), { tls: true });
    const dir = await Deno.makeTempDir({ prefix: "weir-e2e-" });
    const unix = Deno.listen({ transport: "unix", path: `${dir}/service.sock` });
    const abstract = `weir-test-${crypto.randomUUID()}`;
    const holder = new Deno.Command("python3", {
      args: ["-c", LISTENER, abstract],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const ready = holder.stdout.getReader();
    await ready.read();
    const datagrams = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const echoing = (async () => {
      for await (const [bytes, from] of datagrams) await datagrams.send(bytes, from);
    })();
    try {
      await using there = await place(`rules:\n  - allow: localhost:${server.port}\n`, { "ways.py": WAYS });
      const address = Deno.networkInterfaces().find(({ family, address }) =>
        family === "IPv4" && !address.startsWith("127.")
      )?.address ?? "192.0.2.1";
      const given = JSON.stringify({
        port: other.port,
        udp: (datagrams.addr as Deno.NetAddr).port,
        abstract,
        unix: `${dir}/service.sock`,
        address,
        weir: 0,
      });
      const script = `
import socket, subprocess, sys
holder = None
sys.stdout.flush()
given = sys.argv[1].replace('"weir":0', '"weir":' + open("weir.pid").read())
subprocess.run([sys.executable, "ways.py", given])
`;
      await Deno.writeTextFile(`${there.path}/start.py`, script);
      const child = there.spawn([
        "sh",
        "-c",
        `sleep 0.5; python3 start.py '${given}'; curl -s ${
          server.url("/")
        }; curl -s -o /dev/null -w ' %{http_code}' http://other.example/; exit 9`,
      ]);
      await Deno.writeTextFile(`${there.path}/weir.pid`, String(child.pid));
      const { code, stdout, stderr } = await within(START * 2, child.output(), "weir exec to end");
      const lines = new TextDecoder().decode(stdout).split("\n");
      const open = lines.filter((line) =>
        line.startsWith("OPEN")
      );
      assertEquals(open, [], new TextDecoder().decode(stderr));
      assertEquals(lines.filter((line) => line.startsWith("closed")).length, 28, lines.join("\n"));
      assertEquals(lines.at(-1), "through weir 403");
      assertEquals([code, stray], [9, []]);
    } finally {
      holder.kill();
      await ready.cancel();
      await holder.status;
      unix.close();
      datagrams.close();
      await echoing;
      await Deno.remove(dir, { recursive: true });
    }
  },
});

Deno.test({
  name: "isolate: the command has the user's own files and identity, its grandchildren are inside as well",
  ignore,
  async fn() {
    await using there = await place("");
    const { code, stdout, stderr } = await there.run([
      "sh",
      "-c",
      "id -u; echo kept > mine; sh -c 'sh -c \"grep -c : /proc/net/dev\"'",
    ]);
    assertEquals([code, stdout], [0, `${Deno.uid()}\n1\n`], stderr);
    const { uid } = await Deno.stat(`${there.path}/mine`);
    assertEquals(uid, Deno.uid());
  },
});

Deno.test({
  name: "isolate: status, signals, and a command that is not there",
  ignore,
  async fn() {
    await using there = await place("");
    assertEquals((await there.run(["sh", "-c", "exit 42"])).code, 42);
    assertEquals((await there.run(["sh", "-c", "kill -9 $$"])).code, 137);
    assertEquals((await there.run(["weir-has-no-such-command"])).code, 127);
    const child = there.spawn([
      "sh",
      "-c",
      "trap 'echo term; exit 3' TERM; echo ready; while :; do sleep 0.05; done",
    ]);
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const stderr = child.stderr.cancel();
    assertEquals((await within(START, reader.read(), "the command")).value, "ready\n");
    child.kill("SIGTERM");
    assertEquals((await within(START, reader.read(), "the trap")).value, "term\n");
    await reader.cancel();
    assertEquals((await within(START, child.status, "weir exec to end")).code, 3);
    await stderr;
  },
});

Deno.test("isolate: where unshare is refused there is one sentence, status 1, and nothing is started", async () => {
  await using there = await place("");
  await Deno.mkdir(`${there.path}/bin`);
  await Deno.writeTextFile(
    `${there.path}/bin/unshare`,
    "#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n",
    { mode: 0o755 },
  );
  const PATH = `${there.path}/bin:${Deno.env.get("PATH")}`;
  const { code, stdout, stderr } = await there.run(["touch", "started"], { PATH });
  assertEquals([code, stdout], [1, ""]);
  assertStringIncludes(stderr, "weir: error: exec --isolate: ");
  if (!ignore) {
    assertMatch(
      stderr,
      /lets no user make namespaces of his own \(unshare: unshare failed: Operation not permitted\)/,
    );
  }
  assertEquals(await Deno.stat(`${there.path}/started`).then(() => true, () => false), false);
});
