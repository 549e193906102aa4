# `cmake --install`: what people type, what it runs, and what describes it.
# The processes are found beside the command (server/gatehouse.c), so libexec is not GNUInstallDirs' to move.
install(TARGETS gatehouse RUNTIME DESTINATION bin)
foreach(kind listener front gate vault connector ledger launcher player issuer courier)
  install(TARGETS gatehouse-${kind} RUNTIME DESTINATION libexec/gatehouse)
endforeach()

# Helpers for the other side of the connection.
file(GLOB helpers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/contrib/gatehouse-*)
install(PROGRAMS ${helpers} DESTINATION bin)

file(GLOB pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/man/*.[1-8])
foreach(page ${pages})
  string(REGEX MATCH "[1-8]$" section ${page})
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
install(FILES ${CMAKE_SOURCE_DIR}/contrib/ssh_config ${CMAKE_SOURCE_DIR}/contrib/gatehouse.schema.json
        DESTINATION ${CMAKE_INSTALL_DATADIR}/gatehouse)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md")

# The unit names the command where it has been installed to.
install(CODE "
  file(READ \"${CMAKE_SOURCE_DIR}/contrib/gatehouse.service\" unit)
  string(REPLACE /usr/local/bin \"\${CMAKE_INSTALL_PREFIX}/bin\" unit \"\${unit}\")
  set(to \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/systemd/system/gatehouse.service\")
  file(WRITE \"\${to}\" \"\${unit}\")
  message(STATUS \"Installing: \${to}\")
")
