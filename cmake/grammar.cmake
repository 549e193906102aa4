# The grammar of bash, as C source: not in the tree (contrib/fetch-grammar).
set(TREE_SITTER_BASH "" CACHE PATH "Directory with the src/ of tree-sitter-bash; empty: npm fetches it")
set(TREE_SITTER_BASH_SOURCE "${TREE_SITTER_BASH}")
if(NOT TREE_SITTER_BASH)
  execute_process(COMMAND ${CMAKE_SOURCE_DIR}/contrib/fetch-grammar OUTPUT_VARIABLE TREE_SITTER_BASH_SOURCE
                  OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed)
  if(failed)
    message(SEND_ERROR "the grammar of bash could not be fetched: see above")
  endif()
elseif(NOT EXISTS ${TREE_SITTER_BASH}/parser.c)
  set(TREE_SITTER_BASH_SOURCE ${TREE_SITTER_BASH}/src)
endif()

# As it comes, without our warnings; its tables need no optimising.
add_library(tree-sitter-bash STATIC ${TREE_SITTER_BASH_SOURCE}/parser.c ${TREE_SITTER_BASH_SOURCE}/scanner.c)
target_include_directories(tree-sitter-bash SYSTEM PRIVATE ${TREE_SITTER_BASH_SOURCE})
target_compile_options(tree-sitter-bash PRIVATE -w -O1)
set_target_properties(tree-sitter-bash PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF)
