fuzz_target(sealed vault-store)
