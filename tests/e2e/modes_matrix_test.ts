/**
 * The body matrix through every mode, and every way to speak to a proxy (contract 4, 5; rules.md "Across all
 * of them"). @module
 */
import { bodyMatrix } from "./support/body_matrix.ts";
import { WAYS } from "./support/ways_in.ts";

bodyMatrix(WAYS);
