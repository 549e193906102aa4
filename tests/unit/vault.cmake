unit_test(sealed vault-store)
target_sources(sealed PRIVATE keygen.c)
