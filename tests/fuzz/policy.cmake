fuzz_target(certificate policy-certificate)
