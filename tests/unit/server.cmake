
# ---- launcher
add_executable(sandbox_probe sandbox_probe.c)
target_compile_options(sandbox_probe PRIVATE -fno-sanitize=all)
target_link_options(sandbox_probe PRIVATE -fno-sanitize=all)
set_target_properties(sandbox_probe PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})

unit_test(sandbox_cage sandbox)
target_compile_definitions(sandbox_cage PRIVATE PROBE="$<TARGET_FILE:sandbox_probe>")
add_dependencies(sandbox_cage sandbox_probe)
unit_test(launcher_words launcher-command)
unit_test(launcher_kubectl launcher-command)
foreach(test launcher_tools launcher_escapes)
  unit_test(${test} launcher-command policy-ticket)
  target_sources(${test} PRIVATE launcher_house.c)
  target_compile_definitions(${test} PRIVATE LAUNCHER="$<TARGET_FILE:gatehouse-launcher>"
                                             PROBE="$<TARGET_FILE:sandbox_probe>")
  add_dependencies(${test} gatehouse-launcher sandbox_probe)
endforeach()

# ---- listener and front
unit_test(limits listener-limits)
unit_test(known_keys listener-limits)
unit_test(listener_jump listener-limits)
target_sources(listener_jump PRIVATE ${CMAKE_SOURCE_DIR}/server/listener_jump.c)
unit_test(front base PkgConfig::SSH)
target_sources(front PRIVATE ${CMAKE_SOURCE_DIR}/server/child.c)
target_compile_definitions(front PRIVATE LIBSSH_LEGACY_0_4 FRONT="$<TARGET_FILE:gatehouse-front>")
add_dependencies(front gatehouse-front)

# ---- courier
unit_test(courier_text courier-parts)
foreach(test courier courier_post)
  unit_test(${test} base)
  target_sources(${test} PRIVATE courier_fixture.c tls_house.c house.c keygen.c)
  target_compile_definitions(${test} PRIVATE COURIER="$<TARGET_FILE:gatehouse-courier>"
                                             COURIER_SERVER="${CMAKE_CURRENT_SOURCE_DIR}/courier_server.py")
  add_dependencies(${test} gatehouse-courier)
endforeach()
target_link_libraries(courier_post PRIVATE courier-parts)

# ---- issuer: where keys come from; the tests play the courier, and move the clock
foreach(test issuer_provider issuer_device)
  unit_test(${test} issuer-provider)
  target_sources(${test} PRIVATE provider_fixture.c)
  target_link_options(${test} PRIVATE -Wl,--wrap=clock_ms)
endforeach()

# ---- issuer
foreach(test issuer issuer_revoked)
  unit_test(${test} policy-revocation PkgConfig::CRYPTO)
  target_sources(${test} PRIVATE issuer_fixture.c house.c keygen.c token_fixture.c)
  target_compile_definitions(${test} PRIVATE ISSUER="$<TARGET_FILE:gatehouse-issuer>")
  add_dependencies(${test} gatehouse-issuer)
endforeach()
