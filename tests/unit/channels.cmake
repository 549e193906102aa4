unit_test(words channels-words)
unit_test(ssh_route channels-ssh)
unit_test(ssh_host_key channels-ssh)
unit_test(decision_words channels-operators)
unit_test(approvals_words channels-operators)
unit_test(approval_text channels-operators)
unit_test(bot_words channels-operators)

# PostgreSQL sessions between a real server and real clients.
add_executable(pg_harness pg_harness.c pg_effects.c)
target_link_libraries(pg_harness PRIVATE channels-pg)
set_target_properties(pg_harness PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
add_test(NAME pg_live COMMAND /usr/bin/python3 -m pytest -q -p no:cacheprovider pg_live.py
         WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
set_tests_properties(pg_live PROPERTIES ENVIRONMENT "PG_HARNESS=$<TARGET_FILE:pg_harness>" TIMEOUT 600)
# The bypass corpus: what statements do to a real server, and what is said that they do.
add_test(NAME pg_bypass COMMAND /usr/bin/python3 -m pytest -q -p no:cacheprovider pg_bypass.py
         WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
set_tests_properties(pg_bypass PROPERTIES ENVIRONMENT "PG_HARNESS=$<TARGET_FILE:pg_harness>" TIMEOUT 300)
unit_test(pg_wire channels-pg)
unit_test(pg_startup channels-pg)
unit_test(pg_prepared channels-pg)
unit_test(pg_front channels-pg)
unit_test(recorder channels-recorder)
unit_test(pg_back channels-pg)
unit_test(pg_session channels-pg)
unit_test(pg_path channels-pg)
unit_test(pg_shapes channels-pg)
unit_test(pg_limits channels-pg policy-config)
unit_test(pg_hold channels-pg policy-config)
unit_test(veil channels-veil)

# Transfers between real clients and the real programs of a target.
add_executable(transfer_harness transfer_harness.c)
target_link_libraries(transfer_harness PRIVATE channels-sftp)
set_target_properties(transfer_harness PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
add_test(NAME transfer_live COMMAND /usr/bin/python3 -m pytest -q -p no:cacheprovider transfer_live.py
         WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
set_tests_properties(transfer_live PROPERTIES ENVIRONMENT "TRANSFER_HARNESS=$<TARGET_FILE:transfer_harness>" TIMEOUT 300)
unit_test(sftp channels-sftp)
target_sources(sftp PRIVATE sftp_talk.c)
unit_test(kube_http channels-kube)
unit_test(transfer_command channels-sftp)
