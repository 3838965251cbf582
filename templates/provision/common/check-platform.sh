# Stops before any change if the system does not belong to the platform of the image.
# check_platform OS_RELEASE: compares ID and VERSION_ID of os-release(5) with the catalog.
check_platform() (
    set -eu
    image=@{ image }@ file=@{ file }@ expected=@{ platform }@ oldest=@{ oldest }@
    ID=linux ID_LIKE='' VERSION_ID='' PRETTY_NAME=''
    # shellcheck disable=SC1090 # os-release is a shell fragment
    if [ -r "$1" ]; then . "$1"; fi
    case $ID in
@% for platform in platforms %@    @% for id in platform.ids %@@{ id }@@% if not loop.last %@ | @% endif %@@% endfor %@) actual=@{ platform.name }@ ;;
@% endfor %@    *)
            # Derivatives of Debian have packages and paths of Debian (os-release(5), ID_LIKE).
            case " $ID_LIKE " in *' ubuntu '*) actual= ;; *' debian '*) actual=debian ;; *) actual= ;; esac
            ;;
    esac
    system="${PRETTY_NAME:-$ID} (ID=$ID, VERSION_ID=${VERSION_ID:-none})"
    major=${VERSION_ID%%.*}
    case $major in '' | *[!0-9]*) major=$oldest ;; esac
    if [ "$actual" != "$expected" ]; then
        text="image \`$image\` has \`platform: $expected\`, but its source runs $system"
        if [ -n "$actual" ]; then
            echo "$text: set \`platform: $actual\` in $file, or another \`source\`" >&2
        else
            echo "$text, which no platform supports: set another \`source\` in $file" >&2
        fi
        return 1
    fi
    if [ "$major" -lt "$oldest" ]; then
        echo "image \`$image\` has \`platform: $expected\`, which supports version $oldest and later, but its source runs $system: set another \`source\` in $file" >&2
        return 1
    fi
)
if [ -e /etc/os-release ]; then check_platform /etc/os-release || exit 1; else check_platform /usr/lib/os-release || exit 1; fi
