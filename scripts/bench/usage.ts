/**
 * What a process and its descendants use, from Linux's `/proc` (proc(5)): CPU time and resident memory.
 * @module
 */

/** One process as `/proc/PID/stat` tells it. */
export interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  /** User and system time in clock ticks, that of children it has waited for included. */
  readonly ticks: number;
}

/** `sysconf(_SC_CLK_TCK)`: 100 on every Linux that Deno runs on. */
const TICKS_PER_SECOND = 100;
/** How often {@linkcode watchMemory} looks: short beside anything that is measured, cheap enough not to matter. */
const WATCH_MS = 50;

/** Takes a line of `/proc/PID/stat` apart; the name in it may have spaces and parentheses of its own. */
export function parseStat(line: string): ProcessStat {
  const name = line.lastIndexOf(")");
  const fields = line.slice(name + 2).split(" ");
  // Fields 14 to 17 of proc(5), where the state behind the name is field 3.
  const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
  return { pid: Number(line.slice(0, line.indexOf(" "))), parent: Number(fields[1]), ticks };
}

/** `root` and everything that descends from it. */
export function descendants(root: number, processes: readonly ProcessStat[]): ProcessStat[] {
  const family = new Set([root]);
  for (let size = 0; size !== family.size;) {
    size = family.size;
    for (const { pid, parent } of processes) if (family.has(parent)) family.add(pid);
  }
  return processes.filter(({ pid }) => family.has(pid));
}

/** CPU seconds, user and system, that the process tree of `pid` has used so far. */
export function cpuSeconds(pid: number): number {
  return tree(pid).reduce((sum, { ticks }) => sum + ticks, 0) / TICKS_PER_SECOND;
}

/** Resident memory of the process tree in bytes; pages that are shared count once for each process. */
export function residentBytes(pid: number): number {
  let kilobytes = 0;
  for (const process of tree(pid)) {
    const status = read(`/proc/${process.pid}/status`) ?? "";
    kilobytes += Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
  }
  return kilobytes * 1024;
}

/** Follows the memory of a process tree; the function that is returned ends that and tells the peak in bytes. */
export function watchMemory(pid: number): () => number {
  let peak = residentBytes(pid);
  const look = () => peak = Math.max(peak, residentBytes(pid));
  const timer = setInterval(look, WATCH_MS);
  return () => {
    clearInterval(timer);
    return look();
  };
}

function tree(root: number): ProcessStat[] {
  const processes: ProcessStat[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = read(`/proc/${name}/stat`);
    if (stat !== null) processes.push(parseStat(stat));
  }
  return descendants(root, processes);
}

/** The file's text; null when the process has just ended. */
function read(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return null;
  }
}
