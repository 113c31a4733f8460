/**
 * What a network namespace needs of the system that Deno has no word for (Linux): its loopback interface up
 * (netdevice(7)), and files that stand in front of others (mount(2), `MS_BIND`).
 * @module
 */

const AF_INET = 2, SOCK_DGRAM = 2;
const SIOCGIFFLAGS = 0x8913n, SIOCSIFFLAGS = 0x8914n;
const IFF_UP = 1;
const MS_BIND = 4096n;

const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
  mount: { parameters: ["buffer", "buffer", "pointer", "u64", "pointer"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
} as const;

/** Raises the interface `lo`. @throws {Error} when that is not allowed. */
export function raiseLoopback(): void {
  const libc = Deno.dlopen("libc.so.6", SYMBOLS);
  const { socket, ioctl, close } = libc.symbols;
  const descriptor = socket(AF_INET, SOCK_DGRAM, 0);
  try {
    // struct ifreq: a name of 16 bytes, then (here) 16 bits of flags.
    const request = new Uint8Array(40);
    request.set(new TextEncoder().encode("lo"));
    const flags = new DataView(request.buffer);
    if (ioctl(descriptor, SIOCGIFFLAGS, request) !== 0) throw new Error("the flags of lo cannot be read");
    flags.setUint16(16, flags.getUint16(16, true) | IFF_UP, true);
    if (ioctl(descriptor, SIOCSIFFLAGS, request) !== 0) throw new Error("lo cannot be raised");
  } finally {
    close(descriptor);
    libc.close();
  }
}

/** Puts an empty file in front of each of these; one that is gone, or out of reach, is passed over. */
export function hideFiles(paths: readonly string[]): void {
  const libc = Deno.dlopen("libc.so.6", SYMBOLS);
  try {
    const text = (value: string) => new TextEncoder().encode(`${value}\0`);
    for (const path of paths) libc.symbols.mount(text("/dev/null"), text(path), null, MS_BIND, null);
  } finally {
    libc.close();
  }
}
