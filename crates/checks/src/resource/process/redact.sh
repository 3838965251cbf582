# address: removes text that looks like a password, token or key from command lines on lines that
# match the address.
without_secrets() {
  value="('[^']*'|\"[^\"]*\"|[^ ;]+)"
  word='[A-Za-z0-9_-]*([Pp][Aa][Ss][Ss]|[Pp][Ww][Dd]|[Ss][Ee][Cc][Rr][Ee][Tt]|[Tt][Oo][Kk][Ee][Nn]|[Kk][Ee][Yy])[A-Za-z0-9_-]*'
  sed -E -e "${1:-}{" -e "s/(${word}[\"']? *[=:] *)$value/\1.../g" -e "s/([[:blank:]]--?$word +)$value/\1.../g" \
    -e 's#://[^/@ ]*@#://...@#g' -e "s/([Bb]earer +|[Bb]asic +)$value/\1.../g" \
    -e "s/([Aa]uthorization: *)[^\"']*/\1.../g" -e "/sshpass/s/( -p *)$value/\1.../g" -e "/redis-cli/s/( -a +)$value/\1.../g" \
    -e "/mysql|mariadb/s/( -p)$value/\1.../g" -e "/curl|wget/s/( (-u|--user) *[^ :]+:)$value/\1.../g" -e '}'
}
