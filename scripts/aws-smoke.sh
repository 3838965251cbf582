#!/usr/bin/env bash
# Releases, promotes, revokes and prunes one small image in a real AWS account, then removes everything and verifies with
# awscli that nothing remains. It costs money, so it needs a confirmation and never runs in CI.
#
#   AWS_SMOKE_ACCOUNT    ID of the account; must be the one of the credentials
#   AWS_SMOKE_REGIONS    two Regions: of the build, and of the copy
#   AWS_SMOKE_MINUTES    time limit until the cleanup starts
#   AWS_SMOKE_RESOURCES  largest number of resources at any time
#   AWS_SMOKE_ENDPOINT   endpoint of a local EC2, for tests of this script
. "$(dirname "$0")/common.sh"

MINUTES=${AWS_SMOKE_MINUTES:-45}
LIMIT=${AWS_SMOKE_RESOURCES:-14}
CLEANUP_MINUTES=15
CLEANUP_TRIES=$((CLEANUP_MINUTES * 6))
read -r HOME_REGION COPY_REGION <<<"${AWS_SMOKE_REGIONS:-eu-central-1 eu-west-1}"
CATALOG=smoke-$(date -u +%m%d%H%M%S)-$(printf '%04x' $RANDOM)
OWNER=Name=tag:bakeline:catalog,Values=$CATALOG

fail() {
    say "error: $*"
    exit 1
}

print_estimate() {
    awk -v minutes="$((MINUTES + CLEANUP_MINUTES))" 'BEGIN {
        hours = minutes / 60; month = 730
        instances = 2 * (0.0120 + 0.005) * hours    # t3.micro and its public IPv4 address
        volumes = 2 * 8 * 0.0952 / month * hours    # gp3, 8 GiB
        snapshots = 2 * 8 * 0.054 / month * hours
        transfer = 8 * 0.02                         # copy to the second Region, at most the whole disk
        printf "Estimated cost of at most %d minutes, with the prices of eu-central-1 in 2026:\n", minutes
        printf "  2 instances t3.micro    %.3f USD\n  2 volumes of 8 GiB      %.3f USD\n", instances, volumes
        printf "  2 snapshots of 8 GiB    %.3f USD\n  copy to another Region  %.3f USD\n", snapshots, transfer
        printf "  total                   %.2f USD\n", instances + volumes + snapshots + transfer
    }' >&2
}

verify_account() {
    [ -z "${CI:-}" ] || fail "this script never runs in CI: it creates resources that cost money"
    local account
    account=$(aws sts get-caller-identity --query Account --output text) || fail "no credentials: aws sts get-caller-identity failed"
    say "account $account, Regions $HOME_REGION and $COPY_REGION, catalog $CATALOG"
    say "limits: $MINUTES minutes, $LIMIT resources"
    if [ "${AWS_SMOKE_ACCOUNT:-}" != "$account" ]; then
        fail "set AWS_SMOKE_ACCOUNT=$account to confirm that resources may be created there; nothing was created"
    fi
}

# list_kind REGION KIND: print Region, kind and ID of the resources of one kind that the catalog owns.
list_kind() {
    local region=$1 kind=$2 words query found
    case $kind in
    instance)
        words=(describe-instances --filters "$OWNER" "Name=instance-state-name,Values=pending,running,stopping,stopped,shutting-down")
        query='Reservations[].Instances[].InstanceId'
        ;;
    image) words=(describe-images --owners self --include-disabled --filters "Name=name,Values=$CATALOG/*") query='Images[].ImageId' ;;
    snapshot) words=(describe-snapshots --owner-ids self --filters "$OWNER") query='Snapshots[].SnapshotId' ;;
    volume) words=(describe-volumes --filters "$OWNER") query='Volumes[].VolumeId' ;;
    group) words=(describe-security-groups --filters "$OWNER") query='SecurityGroups[].GroupId' ;;
    key) words=(describe-key-pairs --filters "$OWNER") query='KeyPairs[].KeyPairId' ;;
    parameter) words=(get-parameters-by-path --recursive --path "/bakeline/$CATALOG") query='Parameters[].Name' ;;
    esac
    case $kind in parameter) words=(ssm "${words[@]}") ;; *) words=(ec2 "${words[@]}") ;; esac
    found=$(aws --region "$region" "${words[@]}" --query "$query" --output text) || return 1
    tr '\t' '\n' <<<"$found" | sed "/^None$/d; /^$/d; s/^/$region $kind /"
}

# list_everything: print Region, kind and ID of everything that the catalog owns. Fails if a list cannot be read.
list_everything() {
    local folder region kind pid failed=0 pids=()
    folder=$(mktemp -d "$WORK/lists.XXXXXX")
    for region in "$HOME_REGION" "$COPY_REGION"; do
        for kind in instance image snapshot volume group key parameter; do
            list_kind "$region" "$kind" >"$folder/$region.$kind" &
            pids+=($!)
        done
    done
    for pid in "${pids[@]}"; do
        wait "$pid" || failed=1
    done
    cat "$folder"/*
    rm -rf "$folder"
    return "$failed"
}

delete_resource() {
    local region=$1 kind=$2 id=$3
    case $kind in
    instance) aws ec2 --region "$region" terminate-instances --instance-ids "$id" >/dev/null ;;
    image) aws ec2 --region "$region" deregister-image --image-id "$id" >/dev/null ;;
    snapshot) aws ec2 --region "$region" delete-snapshot --snapshot-id "$id" >/dev/null ;;
    volume) aws ec2 --region "$region" delete-volume --volume-id "$id" >/dev/null ;;
    group) aws ec2 --region "$region" delete-security-group --group-id "$id" >/dev/null ;;
    key) aws ec2 --region "$region" delete-key-pair --key-pair-id "$id" >/dev/null ;;
    parameter) aws ssm --region "$region" delete-parameter --name "$id" >/dev/null ;;
    esac
}

# remove_everything: delete with awscli until lists of two rounds in a row are empty, because EC2 shows new resources late.
remove_everything() {
    local found empty=0 try region kind id
    for ((try = 0; try < CLEANUP_TRIES; try++)); do
        if found=$(list_everything) && [ -z "$found" ]; then
            empty=$((empty + 1))
            [ "$empty" -lt 2 ] || return 0
        else
            empty=0
            while read -r region kind id; do
                [ -z "$id" ] || delete_resource "$region" "$kind" "$id" 2>>"$WORK/cleanup.log" || true
            done <<<"${found:-}"
        fi
        sleep "$PAUSE"
    done
    return 1
}

# stop_child: end the running command. bakeline cleans up after SIGTERM, and is killed after five minutes.
stop_child() {
    local waited=0
    [ -n "${CHILD:-}" ] && kill -TERM "$CHILD" 2>/dev/null || return 0
    while kill -0 "$CHILD" 2>/dev/null && [ "$waited" -lt 300 ]; do
        sleep 1
        waited=$((waited + 1))
    done
    kill -KILL "$CHILD" 2>/dev/null || true
    wait "$CHILD" 2>/dev/null || true
}

clean_up() {
    local code=$?
    trap '' INT TERM HUP
    trap - EXIT
    heading "Cleanup"
    stop_child
    (cd "$WORK" && "$BAKELINE" sweep --apply) || say "sweep failed; awscli removes the rest"
    if remove_everything; then
        say "nothing with the tag bakeline:catalog=$CATALOG is left in $HOME_REGION and $COPY_REGION"
        rm -rf "$WORK"
    else
        say "error: these resources remain, or cannot be listed; delete them (log: $WORK/cleanup.log):"
        list_everything >&2 || true
        [ "$code" -ne 0 ] || code=1
    fi
    exit "$code"
}

# limited NAME COMMAND...: run a command until the time limit, and end it if there are too many resources.
limited() {
    local name=$1 found count checked=0 code=0
    shift
    heading "$name"
    (cd "$WORK" && exec "$@") &
    CHILD=$!
    while kill -0 "$CHILD" 2>/dev/null; do
        [ "$SECONDS" -lt $((MINUTES * 60)) ] || fail "$name: the time limit of $MINUTES minutes is reached"
        if [ $((SECONDS - checked)) -ge "$PAUSE" ]; then
            checked=$SECONDS
            found=$(list_everything) || fail "$name: the resources cannot be counted"
            count=$(grep -c . <<<"$found" || true)
            [ "$count" -le "$LIMIT" ] || fail "$name: $count resources exist, the limit is $LIMIT"
        fi
        sleep 1
    done
    wait "$CHILD" || code=$?
    CHILD=
    [ "$code" -eq 0 ] || fail "$name ended with exit code $code"
}

# expect NUMBER KIND: fail unless as many resources of a kind exist.
expect() {
    local found count
    found=$(list_everything) || fail "the resources cannot be listed"
    count=$(awk -v kind="$2" '$2 == kind' <<<"$found" | grep -c . || true)
    [ "$count" -eq "$1" ] || fail "expected $1 of kind $2, found $count:"$'\n'"$found"
}

write_catalog() {
    mkdir -p "$WORK/images"
    cat >"$WORK/bakeline.yaml" <<YAML
name: $CATALOG
regions: [$HOME_REGION, $COPY_REGION]
environments:
  - {name: Test, regions: [$HOME_REGION]}
  - {name: Prod}
builder: {instance_types: [t3.micro]}
retention: {keep: 1, disable_after: 0s, deregister_after: 0s}
brakes: {percent: 100}
YAML
    echo 'echo smoke >/etc/smoke' >"$WORK/smoke.sh"
    cat >"$WORK/images/smoke.yaml" <<'YAML'
source: {owner: "136693071363", name: "debian-12-amd64-*"}
scripts: [smoke.sh]
checks:
  - {file: /etc/smoke}
YAML
}

PATH=$PATH:$ROOT/.venv/bin
command -v aws >/dev/null || fail "the AWS CLI is missing: apt install awscli"
PAUSE=10
if [ -n "${AWS_SMOKE_ENDPOINT:-}" ]; then
    export AWS_ENDPOINT_URL=$AWS_SMOKE_ENDPOINT
    PAUSE=2
fi
export AWS_REGION=$HOME_REGION AWS_DEFAULT_REGION=$HOME_REGION AWS_PAGER=
if [ -z "${COPY_REGION:-}" ] || [ "$HOME_REGION" = "$COPY_REGION" ]; then fail "AWS_SMOKE_REGIONS needs two Regions"; fi
print_estimate
verify_account
[ -x "$BAKELINE" ] || cargo build
WORK=$(mktemp -d)
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
write_catalog

(cd "$WORK" && "$BAKELINE" validate)
limited "Release" "$BAKELINE" release
expect 1 image
limited "Promote" "$BAKELINE" promote smoke --to Prod
expect 2 image
limited "Doctor" "$BAKELINE" doctor
VERSION=$(cd "$WORK" && "$BAKELINE" latest smoke --env Prod --json | sed -n 's/.*"version": *"\([^"]*\)".*/\1/p')
limited "Revoke" "$BAKELINE" revoke smoke "$VERSION" --apply
limited "Prune" "$BAKELINE" prune --apply
expect 0 image
expect 0 snapshot
expect 0 instance
expect 0 parameter
say "release, promotion, revocation and prune succeeded after $SECONDS s"
