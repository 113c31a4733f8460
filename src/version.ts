/** The version of weir, from the project file. @module */
import project from "../deno.json" with { type: "json" };

export const VERSION: string = project.version;
