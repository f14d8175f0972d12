#!/usr/bin/env bash
# From a fresh Debian 12 to recommendations and a page to look through: installs what is missing, builds, trains,
# encodes, recommends, reports.
# The same command again goes on where it was stopped and reuses what is done.
set -euo pipefail

usage() {
  cat <<'END'
tools/quickstart.sh [--cuda] [-o FOLDER] [PHOTOS]
  PHOTOS     a folder of photos (searched through), a list file or a CSV;
             without it some 800 pictures of the Debian package tuxpaint-stamps-default
  --cuda     with the CUDA engine: without a toolkit (nvcc) one is installed in .venv-cuda, some 2 GB
  -o FOLDER  where model, catalog and results go (default: quickstart beside the README; quickstart_NAME for a
             folder of photos called NAME)
END
}

fail() {
  echo "quickstart.sh: $*" >&2
  exit 1
}

output=
photos=
cuda=0
while [[ $# -gt 0 ]]; do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --cuda) cuda=1 ;;
    -o | --output)
      [[ -n ${2:-} ]] || fail "$1 needs a folder"
      output=$(realpath -m -- "$2")
      shift
      ;;
    -*) fail "no option $1, see tools/quickstart.sh --help" ;;
    *)
      [[ -z $photos ]] || fail "one PHOTOS at most, got '$photos' and '$1'"
      [[ -e $1 ]] || fail "no such photos: $1"
      photos=$(realpath -- "$1")
      ;;
  esac
  shift
done
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# /sbin is not on every user's path.
if [[ $cuda -eq 1 && -z $(PATH=$PATH:/sbin:/usr/sbin ldconfig -p | grep 'libcuda\.so\.1' || true) ]]; then
  fail "--cuda needs an NVIDIA driver, and there is none (libcuda.so.1)"
fi

groups=(build)
if [[ -z $photos ]]; then
  groups+=(photos)
  photos=/usr/share/tuxpaint/stamps
  output=${output:-quickstart}
fi
output=${output:-quickstart_$(basename -- "$photos")}
tools/install_packages.sh "${groups[@]}"

# The toolkit: the system's, else the wheels'.
configure=(cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release)
device=()
if [[ $cuda -eq 1 ]]; then
  device=(--device cuda)
  if ! command -v nvcc >/dev/null && [[ ! -x /usr/local/cuda/bin/nvcc ]]; then
    tools/install_packages.sh venv
    if ! cmp -s tools/requirements-cuda.txt .venv-cuda/installed.txt; then
      rm -rf .venv-cuda
      python3 -m venv .venv-cuda || fail "python3 cannot make a virtual environment, install python3-venv"
      .venv-cuda/bin/pip install --quiet --disable-pip-version-check -r tools/requirements-cuda.txt ||
        fail "pip could not install tools/requirements-cuda.txt, see above"
      cp tools/requirements-cuda.txt .venv-cuda/installed.txt
    fi
    nvcc=$(echo "$PWD"/.venv-cuda/lib/python3*/site-packages/nvidia/cu13/bin/nvcc)
    configure+=("-DCMAKE_CUDA_COMPILER=$nvcc")
  fi
  configure+=(-DLOOKALIKE_CUDA_ARCHITECTURES=native)
fi

commands=()
run() {
  local line
  line=$(printf '%q ' "$@")
  commands+=("${line% }")
  echo "+ ${line% }" >&2
  "$@" || fail "stopped with exit code $? at: ${line% }"
}

started=$SECONDS
if [[ ! -f build/build.ninja || $cuda -eq 1 ]]; then
  run "${configure[@]}" -DLOOKALIKE_TESTS=OFF -DLOOKALIKE_BENCH=OFF >&2
fi
targets=(lookalike)
[[ $cuda -eq 0 ]] || targets+=(lookalike_cuda)
run cmake --build build --target "${targets[@]}" >&2

run build/lookalike train "$photos" -o "$output/model" "${device[@]}"
run build/lookalike encode "$photos" -m "$output/model" -o "$output/catalog" "${device[@]}"
run build/lookalike recommend -c "$output/catalog" -k 5 -o "$output/recommendations.csv"

# The picture's queries: four items, evenly spread over the list, of those whose names need no quotes.
mapfile -t items < <(tail -n +2 "$output/recommendations.csv" | grep -v '^["-]' | cut -d, -f1 | uniq)
[[ ${#items[@]} -gt 0 ]] || fail "$output/recommendations.csv has no item to show, see the lines above"
queries=()
for eighth in 1 3 5 7; do
  queries+=("${items[$((${#items[@]} * eighth / 8))]}")
done
run build/lookalike search "${queries[@]}" -c "$output/catalog" -k 5 --picture "$output/lookalikes.png"
run build/lookalike report -c "$output/catalog" -o "$output/report.html"

cat <<END

Done in $((SECONDS - started)) seconds. The commands, in $PWD:
$(printf '  %s\n' "${commands[@]}")

Results
  $output/recommendations.csv   every photo's 5 nearest others
  $output/lookalikes.png        four photos, their reconstructions, their neighbours
  $output/model                 weights, metrics.csv, previews of each epoch
  $output/catalog               codes of all photos, for lookalike search

Open in a browser: $(realpath -- "$output/report.html")
END
