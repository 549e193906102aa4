fuzz_target(pg channels-pg)
fuzz_target(veil channels-veil)
fuzz_target(catalog channels-pg)
fuzz_target(sftp channels-sftp)
