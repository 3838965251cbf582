# program: sends the rules that it prints in its own network namespace.
firewall() {
  key=$(printf %s "$1" | hex)
  case $1 in
  nft) set -- nft -s list ruleset ;;
  *) set -- "$1-save" ;;
  esac
  if ! command -v "$1" >/dev/null; then
    put firewall "$key" 1 ''
  elif rows=$(limit 20 "$@" 2>&1); then
    put firewall "$key" 0 "$rows"
  else
    case $rows in
    *'Permission denied'* | *'Operation not permitted'*) put firewall "$key" 2 "$rows" ;;
    *) put firewall "$key" 3 "$rows" ;;
    esac
  fi
}

