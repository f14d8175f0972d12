"""Counts the tests of a ctest run one by one, names what was skipped and why: test_summary.py RESULTS.xml

Exit 1 when a test failed or none ran.
"""

import re
import sys
import xml.etree.ElementTree

RAN = re.compile(r"^Ran (\d+) tests? in", re.MULTILINE)
PYTHON_SKIP = re.compile(r"^(\S+) \((\S+?)\).* \.\.\. skipped ['\"](.*)['\"]$", re.MULTILINE)
PYTHON_FAILED = re.compile(r"^(?:FAIL|ERROR): ", re.MULTILINE)
GOOGLE_SKIP = re.compile(r"Skipped\n(.*)\n")


def main(path):
    passed = failed = 0
    skipped = []
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        name, status = case.get("name"), case.get("status")
        output = case.findtext("system-out") or ""
        ran = sum(map(int, RAN.findall(output)))
        if RAN.search(output):  # a Python file: many tests in one
            skips = [(test, reason) for test, _, reason in PYTHON_SKIP.findall(output)]
            wrong = len(PYTHON_FAILED.findall(output))
            wrong = max(wrong, 1) if status == "fail" else wrong
            skipped += [(f"{name}.{test}", reason) for test, reason in skips]
            failed += wrong
            passed += max(ran - wrong - len(skips), 0)
        elif status == "run":
            passed += 1
        elif status == "fail":
            failed += 1
        else:
            reason = GOOGLE_SKIP.search(output)
            skipped.append((name, reason.group(1) if reason else case.find("skipped").get("message")))
    for name, reason in skipped:
        print(f"skipped {name}: {reason}")
    print(f"{passed} passed, {failed} failed, {len(skipped)} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
