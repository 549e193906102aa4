fuzz_target(sealed vault-store)
fuzz_target(connector vault-connector)
