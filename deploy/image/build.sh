#!/bin/sh
# The image's root folder, from a clone: deploy/image/build.sh FOLDER. What deploy/Dockerfile runs, and a test of it.
# Wants what `npm run build` wants; builds for the machine that it runs on.
set -eu
cd "$(dirname "$0")/../.."
target=${1:?usage: deploy/image/build.sh FOLDER}
programs=$(mktemp -d)
trap 'rm -rf "$programs"' EXIT
node test/setup.mjs build
node deploy/build-sea.mjs "$programs"
node deploy/image/rootfs.mjs "$programs" "$target"
