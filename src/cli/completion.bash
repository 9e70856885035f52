# bash completion for strata: commands and options are asked of the program itself.
_strata() {
  local word=${COMP_WORDS[COMP_CWORD]} command=(${COMP_WORDS[1]}) choices names second
  COMPREPLY=()
  names=$("$1" --help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z-]\+\( [a-z-]\+\)\?\)  .*/\1/p')
  second=$(sed -n "s/^${command[0]:-,} //p" <<< "$names") # words of commands like "data digits"
  [ -z "$second" ] || command=("${COMP_WORDS[@]:1:2}")
  if [ "$COMP_CWORD" -eq 1 ]; then
    choices=$(cut -d' ' -f1 <<< "$names" | uniq)
    mapfile -t COMPREPLY < <(compgen -W "$choices --help --version --licenses" -- "$word")
  elif [ "$COMP_CWORD" -eq 2 ] && [ -n "$second" ]; then
    mapfile -t COMPREPLY < <(compgen -W "$second" -- "$word")
  elif [[ $word == -* ]]; then
    choices=$("$1" "${command[@]}" --help 2>/dev/null | grep -oE '^ +(-[a-z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+')
    mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$word")
  elif [ "${command[0]}" = train ] && [[ builtin:digits == "$word"* ]] && [ -n "$word" ]; then
    COMPREPLY=(builtin:digits)
  fi
}
complete -o default -F _strata strata
