fuzz_target(psql_words launcher-command)
