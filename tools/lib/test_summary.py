"""Counts the tests of a ctest run one by one, names what was skipped and why: test_summary.py RESULTS.xml

Exit 1 when a test failed or none ran.
"""

import re
import sys
import xml.etree.ElementTree

RAN = re.compile(r"^Ran (\d+) tests? in", re.MULTILINE)
PYTHON_SKIP = re.compile(r"^(\S+) \((\S+?)\)(?:\n.*)?.* \.\.\. skipped ['\"](.*)['\"]$", re.MULTILINE)
PYTHON_FAILED = re.compile(r"^(?:FAIL|ERROR): ", re.MULTILINE)
GOOGLE_RAN = re.compile(r"^\[==========\] (\d+) tests? from .* ran\.", re.MULTILINE)
GOOGLE_SKIP = re.compile(r": Skipped\n(.*)\n+\[  SKIPPED \] (\S+) \(", re.MULTILINE)
GOOGLE_FAILED = re.compile(r"^\[  FAILED  \] \S+.* \(\d+ ms\)$", re.MULTILINE)
BENCHMARK_SKIP = re.compile(r"ERROR OCCURRED: '(.*)'")
SCRIPT_SKIP = re.compile(r"^skipped: (.*)$", re.MULTILINE)


def tests_within(output):
    """(ran, failed, [(name, reason)]) of a Python file or a whole GoogleTest program; None of anything else."""
    if RAN.search(output):
        skips = [(test, reason) for test, _, reason in PYTHON_SKIP.findall(output)]
        return sum(map(int, RAN.findall(output))), len(PYTHON_FAILED.findall(output)), skips
    ran = GOOGLE_RAN.search(output)
    if ran and int(ran.group(1)) > 1:
        skips = [(test, reason) for reason, test in GOOGLE_SKIP.findall(output)]
        return int(ran.group(1)), len(GOOGLE_FAILED.findall(output)), skips
    return None


def reason_of(case, output):
    for pattern in (GOOGLE_SKIP, BENCHMARK_SKIP, SCRIPT_SKIP):
        found = pattern.search(output)
        if found:
            return found.group(1)
    return case.find("skipped").get("message")


def main(path):
    passed = failed = 0
    skipped = []
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        name, status = case.get("name"), case.get("status")
        output = case.findtext("system-out") or ""
        within = tests_within(output)
        if within:
            ran, wrong, skips = within
            wrong = max(wrong, 1) if status == "fail" else wrong
            skipped += [(f"{name}.{test}", reason) for test, reason in skips]
            failed += wrong
            passed += max(ran - wrong - len(skips), 0)
        elif status == "run":
            passed += 1
        elif status == "fail":
            failed += 1
        else:
            skipped.append((name, reason_of(case, output)))
    for name, reason in skipped:
        print(f"skipped {name}: {reason}")
    print(f"{passed} passed, {failed} failed, {len(skipped)} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
