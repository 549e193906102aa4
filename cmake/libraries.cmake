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
file(GLOB PG_SERVER_INCLUDES /usr/include/postgresql/*/server)
list(SORT PG_SERVER_INCLUDES COMPARE NATURAL)
list(GET PG_SERVER_INCLUDES -1 PG_SERVER_INCLUDE)
