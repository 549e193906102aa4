fuzz_target(recording replay-play)
fuzz_target(recording_postgres replay-play)
