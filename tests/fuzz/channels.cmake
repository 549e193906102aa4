fuzz_target(pg channels-pg)
fuzz_target(veil channels-veil)
fuzz_target(catalog channels-pg)
fuzz_target(preview channels-pg)
fuzz_target(sftp channels-sftp)
fuzz_target(bot_words channels-operators)
fuzz_target(kube_http channels-kube)
fuzz_target(scp channels-sftp)
<<<<<<< HEAD
fuzz_target(echo channels-ssh)
=======
fuzz_target(screen channels-screen)
>>>>>>> 1b68377 (replay/play_approval, channels/recorder: signatures in recordings; tests)
