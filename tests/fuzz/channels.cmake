fuzz_target(pg channels-pg)
