/**
 * `timedStream`: a body that comes as another one came.
 * @module
 */
import type { WeirError } from "../errors.ts";
import { Wakeup } from "../timing.ts";
import { nameOf } from "./bytes.ts";
import type { Body } from "./body.ts";
import { PassingBody } from "./passing.ts";
import { Stage } from "./stage.ts";
import type { Moment } from "./timeline.ts";

/**
 * Lets a body through at the pace of a timeline (`message.timeline`), counted from its first byte: what had
 * come by a moment goes out at that moment, as one piece; what is beyond the last one goes at once. `speed` 2
 * halves all times.
 *
 * ```ts
 * import { type HttpFlow, timedStream } from "weir";
 *
 * export function responseheaders(flow: HttpFlow) {
 *   flow.response!.stream = timedStream([[0, 100], [500, 200], [2000, 300]]);
 * }
 * ```
 * @throws {TypeError} when the speed is no number above 0.
 */
export function timedStream(
  timeline: readonly Moment[],
  speed = 1,
): TransformStream<Uint8Array, Uint8Array> {
  if (typeof speed !== "number" || !(speed > 0)) {
    throw new TypeError(`timedStream takes a speed above 0, not ${nameOf(speed)}.`);
  }
  return new Stage((source) => new TimedBody(source, timeline, speed));
}

class TimedBody extends PassingBody {
  readonly #timeline: readonly Moment[];
  readonly #speed: number;
  /** The moment that is next, and how many bytes went out before. */
  #next = 0;
  #passed = 0;
  /** When the first byte was there. */
  #start: number | null = null;
  #rest: Uint8Array | null = null;
  readonly #wakeup = new Wakeup();

  constructor(source: Body, timeline: readonly Moment[], speed: number) {
    super(source);
    this.#timeline = timeline;
    this.#speed = speed;
  }

  /** What goes out at a moment is one chunk. */
  override get chunked(): boolean {
    return true;
  }

  override get chunkLeft(): number {
    return 0;
  }

  override take(): Uint8Array | null | undefined {
    const piece = this.#rest ?? this.source.take();
    if (!piece) return piece;
    this.#start ??= performance.now();
    this.#rest = piece;
    if (this.#waitMs() > 0) return undefined;
    const moment = this.#timeline[this.#next];
    const most = moment === undefined ? piece.length : Math.min(piece.length, moment[1] - this.#passed);
    this.#passed += most;
    this.#rest = most < piece.length ? piece.subarray(most) : null;
    return piece.subarray(0, most);
  }

  override fill(): Promise<void> {
    if (this.#rest === null) return this.source.fill();
    const ms = this.#waitMs();
    if (ms <= 0) return Promise.resolve();
    return this.#wakeup.wait(ms);
  }

  override cancel(reason: WeirError): void {
    this.#rest = null;
    this.source.cancel(reason);
    this.#wakeup.fail(reason);
  }

  /** Milliseconds until the next bytes may go. */
  #waitMs(): number {
    while (this.#next < this.#timeline.length && this.#timeline[this.#next][1] <= this.#passed) this.#next++;
    const moment = this.#timeline[this.#next];
    return moment === undefined ? 0 : this.#start! + moment[0] / this.#speed - performance.now();
  }
}
