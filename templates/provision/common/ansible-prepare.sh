# Prepares the instance for a playbook: temporary files for tasks of any user. ansible.sh removes
# them.
set -eu
umask 022
: > /run/bakeline-playbook
# Root creates the folder, so that its mode does not depend on the user of the first task. Ansible creates a folder of
# mode 0700 in it for each task. It is not in /tmp, because /tmp may be mounted noexec and `script` executes its file.
install -d -o root -g root -m 1777 -- @{ remote_temp }@

# For `become_user`, Ansible calls setfacl(1) to give that user access to the files of a task (Ansible documentation,
# "Risks of becoming an unprivileged user"). Debian's image has no package `acl`; this program sets the same ACLs.
if ! command -v setfacl >/dev/null; then
    cat > /usr/local/bin/setfacl <<'PYTHON'
#!/usr/bin/env python3
"""bakeline's setfacl for Ansible, by extended attributes (acl(5)): `setfacl -m u:USER:MODE PATH...`, `setfacl -b PATH...`."""
import os
import pwd
import stat
import struct
import sys

REAL = "/usr/bin/setfacl"
ACL = "system.posix_acl_access"
VERSION, NO_ID = 2, 0xFFFFFFFF
OWNER, USER, GROUP, NAMED_GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20


def load(path, mode):
    """Returns the ACL as {(tag, ID): permissions}; a file without one has that of its mode."""
    try:
        raw = os.getxattr(path, ACL)
    except OSError:
        return {(OWNER, NO_ID): mode >> 6 & 7, (GROUP, NO_ID): mode >> 3 & 7, (OTHER, NO_ID): mode & 7}
    return {(tag, owner): bits for tag, bits, owner in struct.iter_unpack("<HHI", raw[4:])}


def store(path, acl):
    """Writes an ACL; one of only owner, group and others becomes the mode."""
    rows = [struct.pack("<HHI", tag, bits, owner) for (tag, owner), bits in sorted(acl.items())]
    os.setxattr(path, ACL, struct.pack("<I", VERSION) + b"".join(rows))


def grant(path, user, letters):
    """Adds the entry of one user, and a mask that lets it take effect."""
    mode = os.stat(path).st_mode
    acl = load(path, mode)
    search = "x" in letters or "X" in letters and (stat.S_ISDIR(mode) or mode & 0o111)
    acl[USER, user] = 4 * ("r" in letters) + 2 * ("w" in letters) + bool(search)
    acl[MASK, NO_ID] = 0
    for (tag, _), bits in acl.items():
        if tag in (USER, GROUP, NAMED_GROUP):
            acl[MASK, NO_ID] |= bits
    store(path, acl)


def strip(path):
    """Removes all entries but those of owner, group and others."""
    acl = load(path, os.stat(path).st_mode)
    store(path, {key: bits for key, bits in acl.items() if key[0] in (OWNER, GROUP, OTHER)})


words = sys.argv[1:]
if os.access(REAL, os.X_OK):  # the playbook installed it meanwhile
    os.execv(REAL, sys.argv)
elif words[:1] == ["-b"]:
    for path in words[1:]:
        strip(path)
elif words[:1] == ["-m"] and words[1].startswith("u:"):
    _, name, letters = words[1].split(":")
    for path in words[2:]:
        grant(path, pwd.getpwnam(name).pw_uid, letters)
else:
    sys.exit(f"setfacl: {words} is not supported here; install the package acl")
PYTHON
    chmod 0755 /usr/local/bin/setfacl
fi
