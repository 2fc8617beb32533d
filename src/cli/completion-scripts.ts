/**
 * What a shell runs to complete a command line. All knowledge is in `sluice __complete WORDS...`, whose last word is the one
 * to be completed: it prints candidates, each with a tab and a description, or `:files` where the shell shall complete paths.
 */
import { SluiceError } from '../base/errors.ts';
import type { Shell } from './completion.ts';

/** Words that stand for a line that is being typed. */
export const COMPLETE = '__complete';

/** Throws SluiceError INVALID_ARGUMENT for a name that is none of a command. */
export function completionScript(shell: Shell, name: string): string {
  if (!/^[A-Za-z0-9._-]+$/.test(name))
    throw new SluiceError('INVALID_ARGUMENT', `--name ${name}: give a command's name`);
  return SCRIPTS[shell].trim().replaceAll('NAME', name).replaceAll('COMPLETE', COMPLETE);
}

const SCRIPTS: Readonly<Record<Shell, string>> = {
  // Bash cuts words at colons and equals signs as well, which is nothing to us: the line is cut at spaces, and what bash
  // keeps of the word is taken off the candidates. Works with bash 3.2, which has no compopt.
  bash: `
_NAME_complete() {
  local line="\${COMP_LINE:0:COMP_POINT}" value rest current kept
  local -a typed
  read -ra typed <<< "$line"
  [[ "$line" == *[[:space:]] ]] && typed+=("")
  current="\${typed[\${#typed[@]}-1]}"
  kept=""
  [[ "$current" == *[:=]* ]] && kept="\${current%"\${current##*[:=]}"}"
  COMPREPLY=()
  while IFS=$'\\t' read -r value rest; do
    if [[ "$value" == ":files" ]]; then
      compopt -o filenames 2> /dev/null
      while IFS= read -r value; do COMPREPLY+=("$value"); done < <(compgen -f -- "$current")
    elif [[ -n "$value" ]]; then
      [[ "$value" == *= ]] && compopt -o nospace 2> /dev/null
      printf -v value '%q' "\${value#"$kept"}"
      COMPREPLY+=("$value")
    fi
  done < <("\${typed[0]}" COMPLETE "\${typed[@]:1}" 2> /dev/null)
}
complete -F _NAME_complete NAME
`,
  zsh: `
#compdef NAME
_NAME() {
  local -a lines candidates
  local line
  lines=("\${(@f)$("\${words[1]}" COMPLETE "\${(@)words[2,CURRENT-1]}" "$PREFIX" 2> /dev/null)}")
  for line in $lines; do
    if [[ "$line" == ":files" ]]; then
      _files
      return
    fi
    [[ -n "$line" ]] && candidates+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  (( \${#candidates} )) && _describe 'NAME' candidates
}
if [[ "\${funcstack[1]}" == "_NAME" ]]; then
  _NAME "$@"
else
  compdef _NAME NAME
fi
`,
  fish: `
function __NAME_complete
    set -l typed (commandline -opc)
    set -l current (commandline -ct)
    for line in ($typed[1] COMPLETE $typed[2..-1] "$current" 2> /dev/null)
        if test "$line" = ":files"
            __fish_complete_path "$current"
        else
            echo $line
        end
    end
end
complete -c NAME -f -a '(__NAME_complete)'
`,
};
