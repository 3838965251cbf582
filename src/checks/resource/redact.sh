# What looks like a password, a token or a key in a command line stays on the target.
redact() {
  value="('[^']*'|\"[^\"]*\"|[^ ;]+)"
  word='[A-Za-z_-]*([Pp][Aa][Ss][Ss]|[Pp][Ww][Dd]|[Ss][Ee][Cc][Rr][Ee][Tt]|[Tt][Oo][Kk][Ee][Nn]|[Kk][Ee][Yy])[A-Za-z_-]*'
  sed -E -e "s/($word *[=:] *)$value/\1.../g" -e "s/([[:blank:]]--?$word +)$value/\1.../g" -e 's#://[^/@ ]*@#://...@#g' \
    -e "s/([Bb]earer +|[Bb]asic +)$value/\1.../g" \
    -e "/mysql|mariadb/s/( -p)$value/\1.../g" -e "/curl|wget/s/( (-u|--user) *[^ :]+:)$value/\1.../g"
}

