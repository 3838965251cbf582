# What looks like a password, a token or a key in a command line or setting stays on the target.
redact() {
  sed -e 's/\([Pp][Aa][Ss][Ss][A-Za-z]*\|[Ss][Ee][Cc][Rr][Ee][Tt][A-Za-z]*\|[A-Za-z_]*[Tt][Oo][Kk][Ee][Nn]\|[A-Za-z_]*[Kk][Ee][Yy]\)\( *[=:] *\| \{1,\}\)[^ ;]\{1,\}/\1\2.../g' \
    -e 's#://[^/@ ]*@#://...@#g' -e 's/\( -p\)[^ ;]\{1,\}/\1.../g' -e 's/\( -u *[^ :]*:\)[^ ]\{1,\}/\1.../g'
}

