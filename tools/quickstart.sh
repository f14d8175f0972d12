#!/usr/bin/env bash
# From a fresh Debian 12 to recommendations and a page to look through: installs what is missing, builds, trains,
# encodes, recommends, reports.
# The same command again goes on where it was stopped and reuses what is done.
set -euo pipefail

usage() {
  cat <<'END'
tools/quickstart.sh [-o FOLDER] [PHOTOS]
  PHOTOS     a folder of photos (searched through), a list file or a CSV;
             without it some 800 pictures of the Debian package tuxpaint-stamps-default
  -o FOLDER  where model, catalog and recommendations go (default: quickstart, beside this repository's README)
END
}

fail() {
  echo "quickstart.sh: $*" >&2
  exit 1
}

output=quickstart
photos=
while [[ $# -gt 0 ]]; do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
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

groups=(build)
if [[ -z $photos ]]; then
  groups+=(photos)
  photos=/usr/share/tuxpaint/stamps
fi
tools/install_packages.sh "${groups[@]}"

commands=()
run() {
  local line
  line=$(printf '%q ' "$@")
  commands+=("${line% }")
  echo "+ ${line% }" >&2
  "$@" || fail "stopped with exit code $? at: ${line% }"
}

started=$SECONDS
configure=(cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release)
if [[ ! -f build/build.ninja ]]; then
  run "${configure[@]}" -DLOOKALIKE_TESTS=OFF -DLOOKALIKE_BENCH=OFF >&2
fi
run cmake --build build --target lookalike >&2

run build/lookalike train "$photos" -o "$output/model"
run build/lookalike encode "$photos" -m "$output/model" -o "$output/catalog"
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
