fuzz_target(json_object base)
