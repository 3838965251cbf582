# Whether D-Bus has an id of its own beside /etc/machine-id: absent, link, same or different; never the ids.
machine_id() {
  at='' theirs=''
  if resolve /var/lib/dbus/machine-id 0 && there "$real"; then theirs=$R$real; fi
  place /etc/machine-id 1 || at=''
  if [ -L "$theirs" ]; then
    put dbus_id - 0 link
  elif [ -z "$theirs" ]; then
    put dbus_id - 0 absent
  elif [ ! -r "$theirs" ] || { [ -e "$at" ] && [ ! -r "$at" ]; }; then
    put dbus_id - 2 'Permission denied'
  else
    mine='' other=''
    if [ -e "$at" ]; then read -r mine <"$at"; fi
    read -r other <"$theirs"
    if [ "$mine" = "$other" ]; then put dbus_id - 0 same; else put dbus_id - 0 different; fi
  fi
}

