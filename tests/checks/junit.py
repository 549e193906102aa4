"""Reads a JUnit report: prints `PASSED FAILED FILE`, or with --failed the names of what failed."""
import sys
import xml.etree.ElementTree as tree


def main():
    names_only = sys.argv[1] == "--failed"
    path = sys.argv[-1]
    try:
        cases = list(tree.parse(path).getroot().iter("testcase"))
    except (OSError, tree.ParseError) as fault:
        print(f"{path}: {fault}", file=sys.stderr)
        return 1
    if not cases:
        print(f"{path}: no tests ran", file=sys.stderr)
        return 1
    skipped = [case for case in cases if case.find("skipped") is not None]
    failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    if names_only:
        for case in failed:
            print(case.get("name"))
    else:
        print(len(cases) - len(skipped) - len(failed), len(failed), path)
    return 0


sys.exit(main())
