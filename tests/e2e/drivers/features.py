"""What every program here does: `PROGRAM PORT` runs its features one by one, each with a connection of its own, and
prints `ok NAME` or `FAIL NAME: why` for each. What the features are to show is listed in test_drivers.py."""
import sys
import traceback

CONNECT = {"host": "127.0.0.1", "port": int(sys.argv[1]) if len(sys.argv) > 1 else 0, "user": "whoever", "password": "unused"}
BIG = 16 << 20
NUMERIC = "12345678901234567890.0123456789"
VALUES = f"""select array[1, 2, null]::int[] as ints, array['a', 'ü,"'] as texts, '{{"k": [1, "ü", null]}}'::jsonb as doc,
    {NUMERIC}::numeric as n, timestamptz '2026-01-02 03:04:05.678901+00' as at, date '2026-02-28' as day, '\\x00ff10'::bytea as raw,
    true as yes, 1.5::float8 as f, 9007199254740993::bigint as big, null::text as nothing"""


def expect(condition, what="it"):
    if not condition:
        raise AssertionError(what)


def main(features):
    for name, feature in features.items():
        try:
            feature()
            print("ok", name, flush=True)
        except Exception as fault:  # whatever a driver throws is the answer
            traceback.print_exc()
            print(f"FAIL {name}: {type(fault).__name__}: {fault}".replace("\n", " | "), flush=True)
