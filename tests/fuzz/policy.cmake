fuzz_target(certificate policy-certificate)
fuzz_target(config policy-config)
fuzz_target(sql policy-explain)
fuzz_target(lineage policy-lineage)
