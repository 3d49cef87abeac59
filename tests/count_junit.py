"""Prints "PASSED FAILED SKIPPED NAMES-OF-FAILED..." of a JUnit XML file, for tests/run."""
import sys
import xml.etree.ElementTree as tree

passed, skipped, bad = 0, 0, []
for case in tree.parse(sys.argv[1]).getroot().iter("testcase"):
    kinds = {child.tag: child.get("message", "") for child in case}
    asked_to_skip = "skipped" in kinds and (case.get("status") != "notrun" or "SKIP_" in kinds["skipped"])
    if kinds.keys() & {"failure", "error"} or (case.get("status") in ("fail", "notrun") and not asked_to_skip):
        bad.append(f'{case.get("classname", "")}.{case.get("name", "")}'.replace(" ", "_"))
    elif asked_to_skip or case.get("status") == "disabled":
        skipped += 1
    else:
        passed += 1
print(passed, len(bad), skipped, *bad)
