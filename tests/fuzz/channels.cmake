fuzz_target(pg channels-pg)
fuzz_target(veil channels-veil)
