#!/usr/bin/env bash
# Installs what the tests need, builds everything, runs every test, and says what was skipped and why.
set -euo pipefail

usage() {
  cat <<'END'
tools/test.sh [--preset release|debug|asan|tsan] [CTEST_OPTION...]
  --preset  a configuration of CMakePresets.json (default: release)
  others go to ctest: tools/test.sh -R kernels
END
}

fail() {
  echo "test.sh: $*" >&2
  exit 1
}

preset=release
while [[ $# -gt 0 ]]; do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --preset)
      [[ -n ${2:-} ]] || fail "$1 needs a name, see tools/test.sh --help"
      preset=$2
      shift 2
      ;;
    *) break ;;
  esac
done
case $preset in
  release) build=build ;;
  debug | asan | tsan) build=build-$preset ;;
  *) fail "no preset $preset, see tools/test.sh --help" ;;
esac
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools/install_packages.sh build test
tools/install_packages.sh browser || echo "test.sh: there is no Chromium, tests in a browser are skipped" >&2
tools/install_packages.sh arm || echo "test.sh: there is no compiler for Arm, its check is skipped" >&2

# One virtual environment, made again only when the pinned packages change.
if ! cmp -s tools/requirements-test.txt .venv-tests/installed.txt; then
  rm -rf .venv-tests
  python3 -m venv .venv-tests || fail "python3 cannot make a virtual environment, install python3-venv"
  .venv-tests/bin/pip install --quiet --disable-pip-version-check -r tools/requirements-test.txt ||
    fail "pip could not install tools/requirements-test.txt, see above"
  cp tools/requirements-test.txt .venv-tests/installed.txt
fi

configure=(cmake --preset "$preset" -DLOOKALIKE_TESTS=ON -DLOOKALIKE_PYTHON="$PWD/.venv-tests/bin/python")
[[ $preset != release ]] || configure+=(-DLOOKALIKE_BENCH=ON)
if command -v ccache >/dev/null; then
  configure+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_CUDA_COMPILER_LAUNCHER=ccache)
fi
"${configure[@]}"
cmake --build "$build"

status=0
results=$PWD/$build/test_results.xml
# ctest would cut what passed tests print, and with it what they skipped.
ctest --test-dir "$build" --output-on-failure --parallel "$(nproc)" --output-junit "$results" \
  --test-output-size-passed 1000000 --test-output-size-failed 1000000 "$@" || status=$?
.venv-tests/bin/python tools/lib/test_summary.py "$results" || status=1
exit "$status"
