fuzz_target(sealed vault-store)
fuzz_target(connector vault-connector)
fuzz_target(agent vault-agent)
