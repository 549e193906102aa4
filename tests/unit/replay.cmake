function(replay_test name)
  unit_test(${name} ${ARGN})
  target_sources(${name} PRIVATE recording_fixture.c)
endfunction()

replay_test(verify replay-read)
