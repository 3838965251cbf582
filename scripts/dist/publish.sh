#!/usr/bin/env bash
# Publishes the artifacts of target/dist on GitLab: package registry, container registry, release. Runs in a job of a tag.
. "$(dirname "$0")/../common.sh"
. scripts/dist/settings.sh
project=$CI_API_V4_URL/projects/$CI_PROJECT_ID
packages=$project/packages/generic/bakeline/$VERSION
secrets=$(mktemp -d)
trap 'rm -rf "$secrets"' EXIT

# request OPTION...: call the API of GitLab. The token is not an argument, because other programs can read those.
request() {
    printf 'JOB-TOKEN: %s\n' "$CI_JOB_TOKEN" |
        curl --fail-with-body --silent --show-error --retry 3 --header @- --output "$secrets/answer" "$@" ||
        { say "GitLab answered: $(head -c 2000 "$secrets/answer" 2>/dev/null)" && return 1; }
}

if [ "$CI_COMMIT_TAG" != "$VERSION" ]; then
    say "the tag is $CI_COMMIT_TAG, but Cargo.toml has version $VERSION"
    exit 1
fi
(cd "$DIST" && sha256sum --check --quiet SHA256SUMS)
python3 scripts/dist/release.py "$VERSION" "$packages" "$DIST" >"$secrets/release.json"

for file in "$DIST"/*; do
    say "uploading $(basename "$file")"
    request --upload-file "$file" "$packages/$(basename "$file")"
done

say "pushing $CI_REGISTRY_IMAGE:$VERSION"
printf %s "$CI_REGISTRY_PASSWORD" |
    skopeo login --authfile "$secrets/auth.json" --username "$CI_REGISTRY_USER" --password-stdin "$CI_REGISTRY" >&2
skopeo copy --authfile "$secrets/auth.json" "oci-archive:$(echo "$DIST"/*.oci.tar)" "docker://$CI_REGISTRY_IMAGE:$VERSION" >&2

say "creating the release $VERSION"
request --header 'Content-Type: application/json' --data "@$secrets/release.json" "$project/releases"
