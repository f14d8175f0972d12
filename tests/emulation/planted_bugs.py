#!/usr/bin/env python3
"""Plants one bug at a time in the kernels and the CUDA engine and says which builds of the emulated tests notice it.

    planted_bugs.py BUILD [WORDS]    BUILD: a build folder with test_emulated, test_emulated_device, emulated_asan and
                                     emulated_tsan
                                     WORDS: only the bugs whose name has them

Takes half a minute a bug and is not part of every run: it is run when the emulator or a kernel's tests change.
Fails where a bug is noticed by none, or where a text to be replaced is no longer there.

clang 14's ThreadSanitizer has 255 slots and misses races between more threads: a kernel of 256 or 512 needs a
schedule that shows the wrong value.
"""
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
KERNELS = ROOT / "kernels/cuda"
ENGINE = ROOT / "engine/cuda"

# name, file, text, what takes its place, tests
NEAREST = "NearestTest.*"
ENCODE = "EncodeHalf.*"
PARTS = "CudaDeviceTest.Parts*"
DATASET = "DatasetTest.*"
BUGS = [
    ("pad: no tail test", "pad_bytes.cu", "if (i >= elements) return;", "", "PadBytes.*"),
    ("pad: right border read", "pad_bytes.cu", "x < kImageSize * kImageChannels", "x <= kImageSize * kImageChannels",
     "PadBytes.*"),
    ("pad: rows and columns swapped", "pad_bytes.cu", "within / kRow - kBorder", "within % kRow - kBorder", "PadBytes.*"),
    ("filter: largest residual read before all have come", "nearest_filter_tile.h",
     "  __syncthreads();\n  if (t < kFilterTile) {\n    float least", "  if (t < kFilterTile) {\n    float least", NEAREST),
    ("filter: rows at the limit left out", "nearest_filter_tile.h", "!(dot - row < least)", "dot - row > least * 1.001F", NEAREST),
    ("filter: NaN rows left out", "nearest_filter_tile.h", "!(dot - row < least)", "dot - row >= least", NEAREST),
    ("filter: residuals forgotten", "nearest_filter_tile.h", "residual + __uint_as_float(bounds.residual[0])", "0 * residual",
     NEAREST),
    ("filter: mask and groups forgotten", "nearest_filter_tile.h", "if (!may_get(task.choice, query, row)) return;", "", NEAREST),
    ("choice: mask forgotten", "nearest_choice_device.h", "choice.allowed[row] == 0", "false", NEAREST),
    ("choice: groups forgotten", "nearest_choice_device.h", "group != choice.row_groups[row]", "true", NEAREST),
    ("choice: no group is a group", "nearest_choice_device.h", "group < 0 || ", "", NEAREST),
    ("measure: mask and groups forgotten", "nearest_select.cu", "!may_get(candidates.choice, query, row)", "false", NEAREST),
    ("filter: counter not atomic", "nearest_filter_tile.h", "atomicAdd(&task.counts[query], 1U)", "task.counts[query]++", NEAREST),
    ("filter: no capacity test", "nearest_filter_tile.h", "if (at < task.capacity)", "", NEAREST),
    ("float: no barrier after the wait", "nearest_filter_float.cu", "gpu::cp_async_wait<kStages - 2>();\n    __syncthreads();",
     "gpu::cp_async_wait<kStages - 2>();", NEAREST),
    ("float: waits for one group too few", "nearest_filter_float.cu", "cp_async_wait<kStages - 2>", "cp_async_wait<kStages - 1>",
     NEAREST),
    ("float: reads beyond the rows", "nearest_filter_float.cu", "inside = first + row < side.count", "inside = true", NEAREST),
    ("half: no barrier after the wait", "nearest_filter_half.cu", "gpu::cp_async_wait<kStages - 2>();\n    __syncthreads();",
     "gpu::cp_async_wait<kStages - 2>();", NEAREST),
    ("half: waits for one group too few", "nearest_filter_half.cu", "cp_async_wait<kStages - 2>", "cp_async_wait<kStages - 1>",
     NEAREST),
    ("half: reads beyond the rows", "nearest_filter_half.cu", "first + row < side.count && ", "", NEAREST),
    ("half: B fragment halves swapped", "nearest_filter_half.cu", "r[n / 2][n % 2 * 2], r[n / 2][n % 2 * 2 + 1]",
     "r[n / 2][n % 2 * 2 + 1], r[n / 2][n % 2 * 2]", NEAREST),
    ("half: rows of ldmatrix by lane % 8", "nearest_filter_half.cu", "m * 16 + lane % 16]", "m * 16 + lane % 8]", NEAREST),
    ("half: last depth left out", "nearest_filter_half.cu", "(products + kDepth / kStep - 1) / (kDepth / kStep)",
     "products / (kDepth / kStep)", NEAREST),
    ("half: error bound of nothing", "nearest_filter_half.cu", "static_cast<double>(pitch + 16) * 0x1p-23", "pitch * 0.0 - 0.1",
     NEAREST),
    ("measure: one accumulator too many", "nearest_select.cu", "constexpr int kLanes = 8;", "constexpr int kLanes = 16;", NEAREST),
    ("measure: the later row wins ties", "nearest_select.cu", "distance == other_distance && row < other_row",
     "distance == other_distance && row > other_row", NEAREST),
    ("measure: fused", "nearest_select.cu", "__dadd_rn(sum, __dmul_rn(difference, difference))",
     "__fma_rn(difference, difference, sum)", NEAREST),
    ("merge: no barrier in the sort", "nearest_select.cu", "      __syncthreads();\n    }\n}", "    }\n}", NEAREST),
    ("merge: limit of the wrong place", "nearest_select.cu", "shared.distances[k - 1];\n", "shared.distances[0];\n", NEAREST),
    ("merge: total cleared without a barrier", "nearest_select.cu", "total[0] = kept;\n  __syncthreads();", "total[0] = kept;",
     NEAREST),
    ("prepare: residual rounded down", "nearest_prepare.cu", "__double2float_ru(sqrt(rest) * (1 + 0x1p-38)",
     "__double2float_rd(sqrt(rest) * 0.5", NEAREST),
    ("encode: no proxy fence", "sm90/encode_half.cu", "    gpu::fence_async_proxy();\n", "", ENCODE),
    ("encode: no barrier after the set-up", "sm90/encode_half.cu", "words[i] = 0;\n  __syncthreads();", "words[i] = 0;", ENCODE),
    ("encode: enc1 arrives before its lanes have written", "sm90/encode_half.cu",
     "      __syncwarp();\n      arrive_once(l, &shared.first_full[slot]);", "      arrive_once(l, &shared.first_full[slot]);",
     ENCODE),
    ("encode: enc2 arrives before its lanes have written", "sm90/encode_half.cu",
     "      __syncwarp();\n      arrive_once(l, &shared.second_full[slot]);", "      arrive_once(l, &shared.second_full[slot]);",
     ENCODE),
    ("encode: halo not cleared", "sm90/encode_half.cu", "i < kWords; i += kThreads) words[i] = 0;", "i < 0; i += kThreads) words[i] = 0;",
     ENCODE),
    ("encode: enc1 does not wait for its slot", "sm90/encode_half.cu",
     "      gpu::mbarrier_wait(&shared.first_empty[slot], group / kFirstSlots % 2 ^ 1);\n", "", ENCODE),
    ("encode: enc2 does not wait for its slot", "sm90/encode_half.cu",
     "      gpu::mbarrier_wait(&shared.second_empty[slot], group / kSecondSlots % 2 ^ 1);\n", "", ENCODE),
    ("encode: slot released before its last row is read", "sm90/encode_half.cu",
     "shared.first_empty[(first_group + row - 1) % kFirstSlots]", "shared.first_empty[(first_group + row) % kFirstSlots]", ENCODE),
    ("encode: wrong parity", "sm90/encode_half.cu", "gpu::mbarrier_wait(&shared.image_full[buffer], turn / 2 % 2);",
     "gpu::mbarrier_wait(&shared.image_full[buffer], turn / 2 % 2 ^ 1);", ENCODE),
    ("encode: wrong byte order", "sm90/encode_half.cu", "0x64646464U, 0x4342);\n          a[k][2]", "0x64646464U, 0x4140);\n          a[k][2]",
     ENCODE),
    ("encode: columns of the odd plane one off", "sm90/encode_half.cu", "from + 2 * kFirstPlane + 16", "from + 2 * kFirstPlane",
     ENCODE),
    ("encode: taps transposed", "encode_pack.cpp", "tap_y * 3 + tap_x", "tap_x * 3 + tap_y", ENCODE),
    ("encode: scale forgotten", "encode_pack.cpp", "kSecondScale, second.at", "1.0, second.at", ENCODE),
    ("feed: a slot is copied to while it is computed with", "image_feed.cpp",
     "  if (slot.in_use) gpu::wait(copies_, slot.used);\n", "", PARTS),
    ("feed: the host fills what is not yet copied", "image_feed.cpp", "  if (slot.copying) gpu::wait_for(slot.copied);\n", "",
     PARTS),
    ("feed: computes before the copy", "image_feed.cpp", "  gpu::wait(compute_, slot.copied);\n", "", PARTS),
    ("training: results are read before the step is done", "training.cpp",
     "  gpu::synchronize(stream_);\n  return result(count);", "  return result(count);", PARTS),
    ("training: a slot is done before its work", "training.cpp",
     "scale, first > 0, losses_.device() + first,\n                             {gradient_.data()});\n"
     "    room_.feed().done(slot);\n",
     "scale, first > 0, (room_.feed().done(slot), losses_.device() + first),\n                             {gradient_.data()});\n",
     PARTS),
    ("held: the host fills what is not yet copied", "held_images.cpp", "    gpu::synchronize(stream_);\n", "", DATASET),
]

WARNINGS = ["-std=c++20", "-w", "-ffp-contract=off"]
BUILDS = [  # name, below BUILD, compiler, schedules
    ("plain", ".", ["g++", "-O1"], [(o, a) for o in ("forward", "reverse", "random") for a in ("late", "early")]),
    ("asan", "emulated_asan", ["g++", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
     [("forward", "late"), ("reverse", "early")]),
    ("tsan", "emulated_tsan", ["clang++", "-O1", "-fsanitize=thread"], [("forward", "late"), ("forward", "early")]),
]
ENGINE_BUILDS = [("plain", ".", ["g++", "-O1"], [("reverse", "late"), ("reverse", "early")])]


def run(command, **options):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              timeout=120, check=False, **options)
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired:
        return "hang", ""


def reason(status, text):
    for mark, word in (("hang", "hang"), ("deadlock", "deadlock"), ("ERROR: AddressSanitizer", "AddressSanitizer"),
                       ("runtime error", "UBSan"), ("WARNING: ThreadSanitizer", "race"), ("C++ exception", "emulator")):
        if mark in text or mark == status:
            return word
    return "value" if status else None


def of_engine(file):
    return (ENGINE / file).exists()


def path_of(file):
    return (ENGINE if of_engine(file) else KERNELS) / file


def planted(folder, file, old, new):
    """Writes the kernel with its bug below `folder`; -> the sources to compile"""
    original = path_of(file)
    text = original.read_text()
    if old not in text:
        sys.exit(f"planted_bugs.py: {file} no longer has {old!r}")
    target = folder / original.relative_to(ROOT)
    target.parent.mkdir(parents=True)
    target.write_text(text.replace(old, new))
    if not file.endswith(".h"):
        return [target]
    users = [path for path in KERNELS.rglob("*.cu") if f'"kernels/cuda/{file}"' in path.read_text()]
    return [path for path in users]


def noticed(folder, sources, build, below, compiler, schedules, tests, device):
    emulation = build / below / "tests/emulation"
    objects = []
    for source in sources:
        objects.append(folder / f"{below.strip('.')}{source.name}.o")
        status, text = run([*compiler, *WARNINGS, "-I", str(folder), "-I", str(ROOT), "-x", "c++", "-c", str(source),
                            "-o", str(objects[-1])])
        if status:
            sys.exit(text)
    program = folder / f"test{below.strip('.')}"
    name = "test_emulated_device" if device else "test_emulated"
    parts = list((emulation / f"CMakeFiles/{name}.dir").rglob("*.o"))
    libraries = [emulation / "liblookalike_emulated_kernels.a", emulation / "liblookalike_emulator.a"]
    if device:
        libraries = [emulation / "liblookalike_emulated_cuda.a", *libraries, build / "liblookalike_engine.a",
                     build / "liblookalike_kernels.a", "-lhwy", "-ldl"]
    status, text = run([*compiler, *map(str, [*objects, *parts, *libraries]), "-lgmock", "-lgtest", "-lgtest_main", "-o",
                        str(program)])
    if status:
        sys.exit(text)
    results = []
    for order, late in schedules:
        status, text = run([str(program), f"--gtest_filter={tests}", "--gtest_brief=1"],
                           env={"EMU_SCHEDULE": f"{order}.{late}{'.starve' if late == 'early' else '.hasty'}",
                                "TSAN_OPTIONS": "halt_on_error=1"})
        results.append(reason(status, text))
    return results


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    words = " ".join(sys.argv[2:])
    missed = []
    for name, file, old, new, tests in BUGS:
        if words not in name:
            continue
        found = []
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            sources = planted(folder, file, old, new)
            device = of_engine(file)
            for title, below, compiler, schedules in ENGINE_BUILDS if device else BUILDS:
                results = noticed(folder, sources, build, below, compiler, schedules, tests, device)
                words_found = sorted({result for result in results if result})
                count = sum(1 for result in results if result)
                if words_found:
                    found.append(f"{title} {count}/{len(results)} ({', '.join(words_found)})")
                    break  # the later builds are for what the earlier ones cannot see
        print(f"{name}: {'; '.join(found) or 'NOT NOTICED'}", flush=True)
        if not found:
            missed.append(name)
    print(f"{len(missed)} not noticed" + "".join(f"\n  {name}" for name in missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
