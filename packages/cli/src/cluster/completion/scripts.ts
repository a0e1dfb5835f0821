/** What `godwit completion SHELL` prints. All of them ask `godwit __complete`. */

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

const bash = `# godwit completion for bash: source <(godwit completion bash)
_godwit() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == ':files' ]]; then
      compopt -o default 2>/dev/null
      COMPREPLY=()
      return
    fi
    COMPREPLY+=("\${line%%$'\\t'*}")
  done < <("\${COMP_WORDS[0]}" __complete bash "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _godwit godwit
`;

const zsh = `#compdef godwit
# godwit completion for zsh: source <(godwit completion zsh), after compinit
_godwit() {
  local line text note
  local -a described
  for line in "\${(@f)$("\${words[1]}" __complete zsh "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -z $line ]] && continue
    if [[ $line == ':files' ]]; then
      _files
      return
    fi
    text="\${line%%$'\\t'*}"
    note=""
    [[ $line == *$'\\t'* ]] && note="\${line#*$'\\t'}"
    described+=("\${text//:/\\\\:}:$note")
  done
  (( \${#described} )) && _describe -V 'godwit' described
}
if [[ \${funcstack[1]} == _godwit ]]; then
  _godwit
else
  compdef _godwit godwit
fi
`;

const fish = `# godwit completion for fish: godwit completion fish | source
function __godwit_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l lines ($words[1] __complete fish $words[2..-1] 2>/dev/null)
  if contains -- ':files' $lines
    __fish_complete_path (commandline -ct)
  else
    printf '%s\\n' $lines
  end
end
complete -c godwit -f -a '(__godwit_complete)'
`;

export const SCRIPTS: Readonly<Record<Shell, string>> = { bash, zsh, fish };
