#!/usr/bin/env bash
# The alternative that `bench/release.py` compares with: the same release by packer, awscli and ssh, as a team writes it.
# Usage: by-hand.sh WORKDIR NAME JOBS; WORKDIR/<image>/packer holds the rendered builds.
#        by-hand.sh checks ADDRESS KEY LINES COMMAND: the same controls as the catalog's, called by Packer.
set -euo pipefail
export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1 CHECKPOINT_DISABLE=1
query() { aws --output text "$@"; }

checks() {
    # shellcheck disable=SC2087 # $3 is a value of this side
    ssh -F /dev/null -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o LogLevel=ERROR -o ConnectTimeout=5 -i "$2" "admin@$1" sudo -n sh -s <<CHECKS
set -e
test -e /etc/mark
test "\$(stat -c '%a %U' /etc/passwd)" = '644 root'
dpkg-query -W -f '\${db:Status-Status}' openssh-server | grep -qx installed
test "\$(wc -l < /etc/mark)" = $3
$4
CHECKS
}
if [ "$1" = checks ]; then
    shift
    checks "$@"
    exit
fi
self=$(realpath "$0") work=$1 name=$2 jobs=$3

wait_ssh() { for _ in $(seq 300); do checks "$@" 2>/dev/null && return 0; sleep 0.3; done; return 1; }

release() { # release IMAGE BASE_AMI LAYERS
    local image=$1 base=$2 layers=$3 dir=$work/$name/$1
    mkdir -p "$dir"
    cp "$work/$image/packer/"* "$dir/"
    local key=$dir/key id=hand-$name-$image tags="{Key=Catalog,Value=$name},{Key=Image,Value=$image}"
    query ec2 create-key-pair --key-name "$id" --key-type ed25519 --tag-specifications "ResourceType=key-pair,Tags=[$tags]" \
        --query KeyMaterial > "$key"
    chmod 600 "$key"
    local group
    group=$(query ec2 create-security-group --group-name "$id" --description bench --query GroupId \
        --tag-specifications "ResourceType=security-group,Tags=[$tags]")
    query ec2 authorize-security-group-ingress --group-id "$group" --protocol tcp --port 22 --cidr 10.0.0.0/8 > /dev/null
    python3 - "$dir" "$image" "$base" "$id" "$group" "$layers" "$self" <<'PY'
import json, pathlib, sys
folder, image, base, name, group, layers, script = sys.argv[1:]
path = pathlib.Path(folder, "image.pkr.json")
build = json.loads(path.read_text())
source = build["source"]["amazon-ebs"][image]
source |= {"source_ami": base, "ami_name": name, "ssh_keypair_name": name, "ssh_private_key_file": f"{folder}/key",
           "security_group_ids": [group], "tags": {"Image": image}, "snapshot_tags": {"Image": image}}
for provisioner in build["build"][0]["provisioner"]:
    if "shell-local" in provisioner:
        provisioner["shell-local"] = {"inline": [f"{script} checks ${{build.Host}} {folder}/key {layers} true"]}
path.write_text(json.dumps(build))
PY
    (cd "$dir" && packer validate image.pkr.json > /dev/null && packer build -machine-readable image.pkr.json > packer.log)
    local ami snapshot instance address
    ami=$(query ec2 describe-images --owners self --filters "Name=name,Values=$id" --query 'Images[0].ImageId')
    snapshot=$(query ec2 describe-images --image-ids "$ami" --query 'Images[0].BlockDeviceMappings[0].Ebs.SnapshotId')
    query ec2 create-tags --resources "$ami" "$snapshot" --tags "Key=State,Value=candidate" > /dev/null
    instance=$(query ec2 run-instances --image-id "$ami" --instance-type t3.small --key-name "$id" --security-group-ids "$group" \
        --tag-specifications "ResourceType=instance,Tags=[$tags]" --query 'Instances[0].InstanceId')
    until [ "$(query ec2 describe-instances --instance-ids "$instance" --query 'Reservations[0].Instances[0].State.Name')" = running ]; do sleep 1; done
    address=$(query ec2 describe-instances --instance-ids "$instance" --query 'Reservations[0].Instances[0].PrivateIpAddress')
    wait_ssh "$address" "$key" "$layers" 'systemctl is-active --quiet ssh'
    query ec2 terminate-instances --instance-ids "$instance" > /dev/null
    until [ "$(query ec2 describe-instances --instance-ids "$instance" --query 'Reservations[0].Instances[0].State.Name')" = terminated ]; do sleep 1; done
    query ec2 delete-security-group --group-id "$group" > /dev/null
    query ec2 delete-key-pair --key-name "$id" > /dev/null
    query ec2 create-tags --resources "$ami" "$snapshot" --tags "Key=State,Value=released" "Key=Environment,Value=Test" > /dev/null
    query ssm put-parameter --name "/hand/$name/$image" --type String --data-type aws:ec2:image --overwrite --value "$ami" > /dev/null
    echo "$ami" > "$dir/ami"
}

vendor=$(query ec2 describe-images --owners 136693071363 --filters 'Name=name,Values=debian-12-amd64-*' \
    --query 'sort_by(Images, &CreationDate)[-1].ImageId')
release base "$vendor" 1
base=$(cat "$work/$name/base/ami")
running=0
for image in left right; do
    if [ "$running" -ge "$jobs" ]; then wait -n; running=$((running - 1)); fi
    release "$image" "$base" 2 &
    running=$((running + 1))
done
wait
test -s "$work/$name/left/ami" && test -s "$work/$name/right/ami"
