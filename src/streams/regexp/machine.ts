/**
 * An expression with all that is needed to follow it; shared by the texts that it is looked for in.
 * @module
 */
import { Backtrack } from "./backtrack.ts";
import { Program, type ProgramSource } from "./program.ts";
import { Simulation } from "./simulation.ts";
import { Table } from "./table.ts";

/** What a search works with. */
export class Machine {
  readonly program: Program;
  readonly table: Table;
  #capturing: Simulation | null = null;
  #backtrack: Backtrack | null = null;

  /** @throws {TypeError} on an expression that is too large. */
  constructor(source: ProgramSource) {
    this.program = new Program(source);
    this.table = new Table(this.program);
  }

  /**
   * Finds captures within a match that is known: each time from its beginning to its end, so that one is
   * enough for all texts.
   */
  get capturing(): Simulation {
    return this.#capturing ??= new Simulation(this.program);
  }

  /** The same, for matches that are not too long; it is faster. */
  get backtrack(): Backtrack {
    return this.#backtrack ??= new Backtrack(this.program);
  }
}
