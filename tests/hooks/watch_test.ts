import { assertEquals } from "@std/assert";
import { FileWatcher, traitsOf } from "../../src/hooks/watch.ts";
import { FakeClock, turn } from "../support/fake_clock.ts";

/** Longer than from one look to the next. */
const A_WHILE = 1000;

const { stat } = Deno;

/** A directory, a watcher, and how often it has told. */
class Place implements AsyncDisposable {
  readonly directory = Deno.realPathSync(Deno.makeTempDirSync());
  readonly #clock = new FakeClock();
  /** Files that are being looked at: that takes a while which is not the clock's. */
  readonly #looks = new Set<Promise<unknown>>();
  /** Done before each look. */
  onLook: () => void = () => {};
  told = 0;
  readonly watcher = new FileWatcher(() => void this.told++);

  constructor() {
    Deno.stat = (path) => {
      this.onLook();
      const look = stat(path);
      const noted = look.catch(() => {}).finally(() => this.#looks.delete(noted));
      this.#looks.add(noted);
      return look;
    };
  }

  path(name: string): string {
    return `${this.directory}/${name}`;
  }

  write(name: string, text: string): void {
    Deno.writeTextFileSync(this.path(name), text);
  }

  /** How often it tells while time goes by. */
  async while(): Promise<number> {
    const before = this.told;
    for (let i = 0; i < 5; i++) {
      await this.#clock.pass(A_WHILE);
      await Promise.all(this.#looks);
      await turn();
    }
    return this.told - before;
  }

  async watch(...names: string[]): Promise<void> {
    this.watcher.watch(names.map((name) => this.path(name)));
    assertEquals(await this.while(), 1, "new files are told of once");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.watcher.close();
    Deno.stat = stat;
    this.#clock[Symbol.dispose]();
    Deno.removeSync(this.directory, { recursive: true });
  }
}

/** What is done to `a.ts`, after `before` was done. */
const CHANGES: [name: string, before: (place: Place) => void, change: (place: Place) => void][] = [
  ["written in place", (place) => place.write("a.ts", "one"), (place) => place.write("a.ts", "three")],
  ["replaced by another", (place) => place.write("a.ts", "one"), (place) => {
    place.write("b.ts", "two");
    Deno.renameSync(place.path("b.ts"), place.path("a.ts"));
  }],
  ["made", () => {}, (place) => place.write("a.ts", "one")],
  ["removed", (place) => place.write("a.ts", "one"), (place) => Deno.removeSync(place.path("a.ts"))],
  ["a link to a file that is written to", (place) => {
    place.write("real.ts", "one");
    Deno.symlinkSync(place.path("real.ts"), place.path("a.ts"));
  }, (place) => place.write("real.ts", "three")],
  ["a link that is pointed elsewhere", (place) => {
    place.write("real.ts", "one");
    place.write("other.ts", "two");
    Deno.symlinkSync("real.ts", place.path("a.ts"));
  }, (place) => {
    Deno.symlinkSync("other.ts", place.path("new"));
    Deno.renameSync(place.path("new"), place.path("a.ts"));
  }],
];
for (const [what, before, change] of CHANGES) {
  Deno.test(`a file that is ${what} is told of once`, async () => {
    await using place = new Place();
    before(place);
    await place.watch("a.ts");
    change(place);
    assertEquals(await place.while(), 1);
    assertEquals(await place.while(), 0);
  });
}

Deno.test("a volume of Kubernetes: ..data is pointed at a new directory, and the file at its name is a link through it", async () => {
  await using place = new Place();
  const put = (version: string) => {
    Deno.mkdirSync(place.path(`..${version}`));
    place.write(`..${version}/a.ts`, version);
    Deno.symlinkSync(`..${version}`, place.path("..data_tmp"));
    Deno.renameSync(place.path("..data_tmp"), place.path("..data"));
  };
  put("2026_1");
  Deno.symlinkSync("..data/a.ts", place.path("a.ts"));
  await place.watch("a.ts");
  put("2026_2");
  Deno.removeSync(place.path("..2026_1"), { recursive: true });
  assertEquals(await place.while(), 1);
});

Deno.test("a directory, or one above it, that is replaced by another is followed", async () => {
  await using place = new Place();
  const deploy = (version: string) => {
    Deno.mkdirSync(place.path(`${version}/lib`), { recursive: true });
    place.write(`${version}/lib/a.ts`, version);
    try {
      Deno.renameSync(place.path("app"), place.path(`before-${version}`));
    } catch {
      // The first.
    }
    Deno.renameSync(place.path(version), place.path("app"));
  };
  deploy("v1");
  await place.watch("app/lib/a.ts");
  deploy("v2");
  assertEquals(await place.while(), 1);
  place.write("app/lib/a.ts", "v2, edited");
  assertEquals(await place.while(), 1);
});

Deno.test("a file that goes on changing is told of when it is at rest", async () => {
  await using place = new Place();
  place.write("a.ts", "");
  await place.watch("a.ts");
  let size = 0;
  place.onLook = () => place.write("a.ts", "x".repeat(++size));
  assertEquals(await place.while(), 0);
  place.onLook = () => {};
  assertEquals(await place.while(), 1);
});

Deno.test("closed, it looks no more", async () => {
  await using place = new Place();
  place.write("a.ts", "one");
  await place.watch("a.ts");
  await place.watcher.close();
  place.write("a.ts", "three");
  assertEquals(await place.while(), 0);
});

Deno.test("a file that was read as it is now has not changed; what it becomes is told", async () => {
  await using place = new Place();
  place.write("a", "one");
  const path = place.path("a");
  place.watcher.watch([path], new Map([[path, await traitsOf(path)]]));
  assertEquals(await place.while(), 0);
  place.write("a", "longer");
  assertEquals(await place.while(), 1);
});
