#!/usr/bin/env bash
# Formatting, shell scripts, and with --tidy clang-tidy over every source file (minutes), or over those given.
#   tools/lint.sh [--fix] [--tidy [FILE...]]
set -euo pipefail
caller=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fix=0
tidy=0
while [[ ${1:-} == --* ]]; do
  case $1 in
    --fix) fix=1 ;;
    --tidy) tidy=1 ;;
    *)
      echo "lint.sh: no option $1, they are --fix and --tidy" >&2
      exit 1
      ;;
  esac
  shift
done

tools/install_packages.sh lint
mapfile -t sources < <(git ls-files '*.h' '*.cpp' '*.cu')
mapfile -t scripts < <(git ls-files '*.sh' .ci/run)
if [[ $fix -eq 1 ]]; then
  clang-format -i "${sources[@]}"
else
  clang-format --dry-run -Werror "${sources[@]}"
fi
shellcheck "${scripts[@]}"

if [[ $tidy -eq 1 ]]; then
  tools/install_packages.sh build test
  [[ -f build/compile_commands.json ]] || cmake --preset release
  if [[ $# -gt 0 ]]; then
    mapfile -t files < <(cd "$caller" && realpath -- "$@")
  else
    mapfile -t files < <(git ls-files '*.cpp')
  fi
  printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$(nproc)" clang-tidy --quiet -p build 2>/dev/null
fi
