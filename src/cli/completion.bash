# bash completion for strata: commands and options are asked of the program itself.
_strata() {
  local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} choices
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    choices=$("$1" --help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
    mapfile -t COMPREPLY < <(compgen -W "$choices --help --version --licenses" -- "$word")
  elif [[ $word == -* ]]; then
    choices=$("$1" "$command" --help 2>/dev/null | grep -oE '^ +(-[a-z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+')
    mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$word")
  elif [ "$command" = train ] && [[ builtin:digits == "$word"* ]] && [ -n "$word" ]; then
    COMPREPLY=(builtin:digits)
  fi
}
complete -o default -F _strata strata
