/**
 * `--completions SHELL`: the script that teaches a shell weir's flags, made from the option registry.
 *
 * What follows `--` of `weir exec` is completed as the command that it is.
 * @module
 */
import type { OptionRegistry } from "../options/mod.ts";
import { type FlagEntry, listFlags } from "./flag_list.ts";
import type { Shell } from "./flags.ts";

/** The script for a shell. */
export function formatCompletions(shell: Shell, registry: OptionRegistry): string {
  const flags = listFlags(registry), options = [...registry.names()];
  return { bash, zsh, fish }[shell](flags, options);
}

/** What a value can be completed with, as help calls it. */
function valueKind({ value }: FlagEntry): "none" | "file" | "directory" | "option" | "other" {
  if (value === null) return "none";
  if (value === "FILE") return "file";
  if (value === "DIR") return "directory";
  return value.startsWith("NAME") ? "option" : "other";
}

/** bash(1) "Programmable Completion". `=` breaks words there, so `--x=y` comes as three. */
function bash(flags: readonly FlagEntry[], options: readonly string[]): string {
  const choices = flags.filter(({ choices }) => choices !== null).map(({ names, choices }) =>
    `    ${names.join("|")}) COMPREPLY=($(compgen -W ${quote(choices!.join(" "))} -- "$cur")) ;;`
  );
  const of = (kind: ReturnType<typeof valueKind>) =>
    flags.filter((flag) => flag.choices === null && valueKind(flag) === kind).flatMap(({ names }) => names)
      .join("|");
  return `# Completions of weir for bash: source <(weir --completions bash)
_weir() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} i
  COMPREPLY=()
  if [[ \${COMP_WORDS[1]} == exec ]]; then
    for ((i = 2; i < COMP_CWORD; i++)); do
      [[ \${COMP_WORDS[i]} == -- ]] || continue
      if declare -F _command_offset >/dev/null; then _command_offset $((i + 1))
      elif ((COMP_CWORD == i + 1)); then COMPREPLY=($(compgen -c -- "$cur"))
      else compopt -o default; fi
      return
    done
  fi
  if [[ \${COMP_WORDS[1]} == diff ]]; then
    compopt -o filenames
    local IFS=$'\\n'
    COMPREPLY=($(compgen -f -- "$cur") $(compgen -W --ignore-header -- "$cur"))
    return
  fi
  if [[ $cur == "=" ]]; then cur=
  elif [[ $prev == "=" ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  case $prev in
${choices.join("\n")}
    ${of("option")}) COMPREPLY=($(compgen -S = -W ${
    quote(options.join(" "))
  } -- "$cur")); compopt -o nospace ;;
    ${of("file")}) compopt -o filenames; local IFS=$'\\n'; COMPREPLY=($(compgen -f -- "$cur")) ;;
    ${of("directory")}) compopt -o filenames; local IFS=$'\\n'; COMPREPLY=($(compgen -d -- "$cur")) ;;
    ${of("other")}) ;;
    *)
      COMPREPLY=($(compgen -W ${quote(flags.flatMap(({ names }) => names).join(" "))} -- "$cur"))
      ((COMP_CWORD > 1)) || COMPREPLY+=($(compgen -W "exec diff" -- "$cur"))
      ;;
  esac
}
complete -F _weir weir
`;
}

/** zshcompsys(1), \`_arguments\`. */
function zsh(flags: readonly FlagEntry[], options: readonly string[]): string {
  const specs = flags.flatMap((flag) => {
    const { names, choices, help } = flag;
    const action = {
      none: "",
      file: ":file:_files",
      directory: ":directory:_files -/",
      option: `:option:(${options.map((name) => `${name}=`).join(" ")})`,
      other: choices === null ? ": " : `:value:(${choices.join(" ")})`,
    }[valueKind(flag)];
    const text = help.replaceAll(/[[\]\\:]/g, "\\$&");
    const space = flag.names.includes("--set") ? "\\" : "";
    return names.map((name) => {
      const assigns = action === "" ? "" : name.startsWith("--") ? "=" : "+";
      return `    ${quote(`*${name}${assigns}[${text}]${action}`)} ${space}`.trimEnd().replace(/ \\$/, "");
    });
  });
  return `#compdef weir
# Completions of weir for zsh: weir --completions zsh > _weir, in a directory of $fpath
_weir() {
  local -a flags=(
${specs.join("\n")}
  )
  local dashes=\${words[(i)--]}
  if [[ $words[2] == exec ]]; then
    if ((CURRENT > dashes)); then
      words=("\${(@)words[dashes + 1,-1]}")
      ((CURRENT -= dashes))
      _normal
      return
    fi
    words=(weir "\${(@)words[3,-1]}")
    ((CURRENT--))
    _arguments -s $flags
    return
  fi
  if [[ $words[2] == diff ]]; then
    ((CURRENT == 2)) && compadd diff
    _arguments '*--ignore-header[A field that may differ]:name:' '*:file:_files'
    return
  fi
  ((CURRENT == 2)) && compadd exec diff
  _arguments -s $flags
}
if [[ $funcstack[1] == _weir ]]; then _weir "$@"; else compdef _weir weir; fi
`;
}

/** fish: complete(1). */
function fish(flags: readonly FlagEntry[], options: readonly string[]): string {
  const isWeirs = `-n "not contains -- -- (commandline -opc)"`;
  const lines = flags.flatMap((flag) => {
    const { names, choices, help } = flag;
    const value = {
      none: "",
      file: " -r -F",
      directory: ` -x -a "(__fish_complete_directories)"`,
      option: ` -x -a ${quote(options.map((name) => `${name}=`).join(" "))}`,
      other: choices === null ? " -x" : ` -x -a ${quote(choices.join(" "))}`,
    }[valueKind(flag)];
    // One entry for -p and --listen-port, one each for --x and --no-x.
    const short = names.find((name) => !name.startsWith("--"));
    return names.filter((name) => name.startsWith("--")).map((name, i) =>
      `complete -c weir ${isWeirs}${short !== undefined && i === 0 ? ` -s ${short.slice(1)}` : ""} -l ${
        name.slice(2)
      }${value} -d ${quote(help)}`
    );
  });
  return `# Completions of weir for fish: weir --completions fish > ~/.config/fish/completions/weir.fish
complete -c weir -f
complete -c weir -n "test (count (commandline -opc)) -eq 1" -a exec -d 'Run a command through weir'
complete -c weir -n "test (count (commandline -opc)) -eq 1" -a diff -d 'Compare two files of flows'
complete -c weir -n "__fish_seen_subcommand_from diff" -F
function __weir_command
    set -l words (commandline -opc)
    set -l dashes (contains -i -- -- $words)
    set -l command (commandline -ct)
    if test (count $words) -gt $dashes
        set command (string escape -- $words[(math $dashes + 1)..-1]) $command
    end
    complete -C (string join ' ' -- $command)
end
complete -c weir -n "contains -- -- (commandline -opc)" -x -a "(__weir_command)"
${lines.join("\n")}
`;
}

/** In single quotes, as all three shells read them (fish alone takes a backslash for an escape). */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
