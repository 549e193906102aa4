unit_test(certificate policy-certificate)
target_sources(certificate PRIVATE keygen.c)
unit_test(ticket policy-ticket)
