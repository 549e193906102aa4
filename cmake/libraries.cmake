# Third-party libraries. An executable's link list is its privileges: name them there, one by one.
foreach(pair "SSH:libssh>=0.10" "SODIUM:libsodium" "CRYPTO:libcrypto" "YAML:yaml-0.1" "PQ:libpq" "SQLITE:sqlite3"
             "ZSTD:libzstd" "SECCOMP:libseccomp")
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 name)
  list(GET pair 1 module)
  pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${module})
endforeach()
if(GATEHOUSE_TESTS)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()

# protobuf-c is linked statically: messages are part of base/, and so of every process (docs/adr).
find_library(PROTOBUF_C_ARCHIVE NAMES libprotobuf-c.a REQUIRED)
find_program(PROTOC_C protoc-c REQUIRED)

# PostgreSQL's parser and the headers of its parse nodes.
find_library(PG_QUERY_LIBRARY NAMES pg_query REQUIRED)
find_path(PG_QUERY_INCLUDE pg_query.h REQUIRED)
# libpg_query's own header names the PostgreSQL release whose grammar it holds; policy/sql.c checks it again.
file(STRINGS ${PG_QUERY_INCLUDE}/pg_query.h PG_MAJOR REGEX "define PG_MAJORVERSION ")
string(REGEX MATCH "[0-9]+" PG_MAJOR "${PG_MAJOR}")
find_path(PG_SERVER_INCLUDE postgres.h PATHS /usr/include/postgresql/${PG_MAJOR}/server NO_DEFAULT_PATH REQUIRED)
