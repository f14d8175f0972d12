#!/usr/bin/env bash
# Installs the Debian packages of the named groups that are missing; where none is, apt is not called.
#   tools/install_packages.sh build [test] [browser] [lint] [photos] [fashion] [arm]
set -euo pipefail

fail() {
  echo "install_packages.sh: $*" >&2
  exit 1
}

packages_of() {
  case $1 in
    build) echo g++ cmake ninja-build pkg-config libhwy-dev libeigen3-dev libopencv-imgcodecs-dev libopencv-imgproc-dev \
      libjpeg62-turbo-dev libtiff-dev libgif-dev libsqlite3-dev libcli11-dev nlohmann-json3-dev libfmt-dev libxxhash-dev ;;
    test) echo clang libgtest-dev libgmock-dev libbenchmark-dev python3 python3-venv ;;
    browser) echo chromium chromium-driver ;;  # the page of `lookalike report` is tested in it
    lint) echo clang-format clang-tidy shellcheck ;;
    venv) echo python3 python3-venv ;;
    photos) echo tuxpaint-stamps-default ;;
    fashion) echo dataset-fashion-mnist ;;
    arm) echo g++-aarch64-linux-gnu ;;  # tools/check_arm.sh
    *) fail "no group '$1', groups are build, test, browser, lint, photos, fashion and arm" ;;
  esac
}

installed() {
  [[ $(dpkg-query -W -f '${db:Status-Status} ' "$1" 2>/dev/null) == *installed\ * ]]
}

command -v dpkg-query >/dev/null || fail "this is not Debian, install by hand: $(for group; do packages_of "$group"; done)"
missing=()
for group; do
  packages=$(packages_of "$group")
  for package in $packages; do
    installed "$package" || missing+=("$package")
  done
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

as_root=()
if [[ $(id -u) -ne 0 ]]; then
  command -v sudo >/dev/null || fail "not root and no sudo, install as root: apt-get install ${missing[*]}"
  as_root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
run_apt() {
  # sudo may drop the environment, hence env.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" >"$log" 2>&1 </dev/null
}

echo "Installing ${missing[*]}" >&2
run_apt update || { tail -n 5 "$log" >&2; fail "apt-get update failed, check the network and /etc/apt/sources.list"; }
run_apt install --yes --no-install-recommends "${missing[@]}" ||
  { tail -n 15 "$log" >&2; fail "apt-get install failed for: ${missing[*]}"; }
