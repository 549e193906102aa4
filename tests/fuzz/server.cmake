fuzz_target(psql_words launcher-command)
fuzz_target(kubectl_words launcher-command)
fuzz_target(issuer_document issuer-documents)
fuzz_target(courier_answer courier-parts)
