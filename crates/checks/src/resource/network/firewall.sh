# program: its rules as it prints them, in the own network namespace.
firewall() {
  case $1 in
  nft) program='nft -s list ruleset' ;;
  *) program=$1-save ;;
  esac
  key=$(printf %s "$1" | hex)
  if ! command -v "${program%% *}" >/dev/null; then
    put firewall "$key" 1 ''
  elif rows=$(IFS=' ' && limit 20 $program 2>&1); then
    put firewall "$key" 0 "$rows"
  else
    case $rows in
    *'Permission denied'* | *'Operation not permitted'*) put firewall "$key" 2 "$rows" ;;
    *) put firewall "$key" 3 "$rows" ;;
    esac
  fi
}

