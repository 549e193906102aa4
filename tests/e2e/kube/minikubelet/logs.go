package main

import (
	"bytes"
	"fmt"
	"io/ioutil"
	"net/http"
	"path/filepath"
	"strconv"
	"time"
)

const look = 100 * time.Millisecond

// What a container logged is the file CONTAINER.log in its pod's directory, which tests write; without one it is three
// lines, or a line after the other for who follows.
func (r runtime) logs(w http.ResponseWriter, q *http.Request, at place) {
	file := filepath.Join(r.directory(at), filepath.Base(at.container)+".log")
	follow := q.FormValue("follow") == "true"
	if text, err := ioutil.ReadFile(file); err == nil {
		if lines, err := strconv.Atoi(q.FormValue("tailLines")); err == nil {
			text = lastLines(text, lines)
		}
		sendLog(w, q, file, text, follow)
		return
	}
	for n := 0; follow || n < 3; n++ {
		if _, err := fmt.Fprintf(w, "%s/%s/%s line %d\n", at.namespace, at.pod, at.container, n); err != nil {
			return
		}
		if follow && !pause(w, q) {
			return
		}
	}
}

func lastLines(text []byte, lines int) []byte {
	all := bytes.SplitAfter(text, []byte("\n"))
	if len(all) > 0 && len(all[len(all)-1]) == 0 {
		all = all[:len(all)-1]
	}
	if lines < len(all) {
		all = all[len(all)-lines:]
	}
	return bytes.Join(all, nil)
}

func sendLog(w http.ResponseWriter, q *http.Request, file string, text []byte, follow bool) {
	whole, _ := ioutil.ReadFile(file)
	sent := len(whole)
	for {
		if _, err := w.Write(text); err != nil || !follow || !pause(w, q) {
			return
		}
		now, err := ioutil.ReadFile(file)
		if err != nil || len(now) < sent {
			return
		}
		text, sent = now[sent:], len(now)
	}
}

func pause(w http.ResponseWriter, q *http.Request) bool {
	if f, is := w.(http.Flusher); is {
		f.Flush()
	}
	select {
	case <-q.Context().Done():
		return false
	case <-time.After(look):
		return true
	}
}
