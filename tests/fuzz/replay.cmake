fuzz_target(recording replay-play replay-check)
fuzz_target(recording_postgres replay-play)
fuzz_target(approval replay-approval)
