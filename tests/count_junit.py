"""Prints "PASSED FAILED NAMES..." of a JUnit XML file, for tests/run. A skipped test counts as failed: nothing is skipped."""
import sys
import xml.etree.ElementTree as tree

passed, bad = 0, []
for case in tree.parse(sys.argv[1]).getroot().iter("testcase"):
    kinds = {child.tag for child in case}
    if kinds & {"failure", "error", "skipped"} or case.get("status") in ("fail", "notrun", "disabled"):
        bad.append(f'{case.get("classname", "")}.{case.get("name", "")}'.replace(" ", "_"))
    else:
        passed += 1
print(passed, len(bad), *bad)
