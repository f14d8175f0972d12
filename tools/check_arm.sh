#!/usr/bin/env bash
# Compiles what Arm could break for 64-bit Arm, with the flags of CMakeLists.txt: kernels/cpu, and engine/ where it
# needs no library. Nothing is linked or run.
#   tools/check_arm.sh
# Exit code 77 without the cross-compiler, which tools/install_packages.sh arm installs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

compiler=${ARM_CXX:-aarch64-linux-gnu-g++}
if ! command -v "$compiler" > /dev/null; then
  echo "skipped: there is no $compiler, tools/install_packages.sh arm installs it"
  exit 77
fi
# Libraries of headers alone, taken from this machine; its C library's stay out.
headers=$(mktemp -d)
trap 'rm -rf "$headers"' EXIT
for name in hwy fmt; do
  if [[ -d /usr/include/$name ]]; then ln -s "/usr/include/$name" "$headers/$name"; fi
done
mapfile -t sources < <(
  find kernels/cpu -name '*.cpp'
  find engine -maxdepth 1 -name '*.cpp' -exec grep -LE '#include <(Eigen|fmt)' {} +
)
printf '%s\0' "${sources[@]}" | xargs -0 -n 1 -P "$(nproc)" "$compiler" -std=c++20 -march=armv8-a+crypto -O0 -ffp-contract=off \
  -Wall -Wextra -Werror -c -o /dev/null -I. -isystem "$headers" -DHWY_SHARED_DEFINE \
  '-DHWY_DISABLED_TARGETS=(HWY_SVE|HWY_SVE2|HWY_SVE_256|HWY_SVE2_128)'
echo "${#sources[@]} files compile for Arm"
