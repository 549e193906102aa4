package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/websocket"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/apimachinery/pkg/util/httpstream/spdy"
	tools "k8s.io/client-go/tools/remotecommand"
	utilexec "k8s.io/utils/exec"
)

// What Kubernetes has learnt since this server: written from the description of the protocols.

func wantsWebSocket(r *http.Request, protocol string) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket") &&
		strings.Contains(strings.Join(r.Header["Sec-Websocket-Protocol"], ","), protocol)
}

func serveWebSocket(w http.ResponseWriter, r *http.Request, protocol string, serve func(*websocket.Conn)) {
	websocket.Server{
		Handshake: func(c *websocket.Config, _ *http.Request) error { c.Protocol = []string{protocol}; return nil },
		Handler: func(ws *websocket.Conn) {
			ws.PayloadType = websocket.BinaryFrame
			ws.SetDeadline(time.Time{})
			serve(ws)
		},
	}.ServeHTTP(w, r)
}

type channel struct {
	ws     *websocket.Conn
	lock   *sync.Mutex
	number byte
}

func (c channel) Write(p []byte) (int, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if err := websocket.Message.Send(c.ws, append([]byte{c.number}, p...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (c channel) Close() error { return nil }

// hear takes the client's messages: a byte says the channel (0 stdin, 4 resize), 255 closes the one that the next names.
func hear(ws *websocket.Conn, in *io.PipeWriter, resize chan<- tools.TerminalSize) {
	defer close(resize)
	defer in.Close()
	for {
		var b []byte
		if err := websocket.Message.Receive(ws, &b); err != nil {
			return
		}
		if len(b) == 0 {
			continue
		}
		switch b[0] {
		case 0:
			in.Write(b[1:])
		case 4:
			var size tools.TerminalSize
			if json.Unmarshal(b[1:], &size) == nil {
				select {
				case resize <- size:
				default:
				}
			}
		case 255:
			if len(b) > 1 && b[1] == 0 {
				in.Close()
			}
		}
	}
}

func statusOf(err error) metav1.Status {
	if err == nil {
		return metav1.Status{Status: metav1.StatusSuccess}
	}
	if ended, is := err.(utilexec.CodeExitError); is {
		return metav1.Status{Status: metav1.StatusFailure, Reason: "NonZeroExitCode", Message: err.Error(),
			Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: "ExitCode", Message: fmt.Sprint(ended.Code)}}}}
	}
	return metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonInternalError, Message: err.Error()}
}

// serveExec5 speaks v5.channel.k8s.io: v4, and channel 255 with which a client closes its stdin.
func serveExec5(ws *websocket.Conn, r *http.Request, run func(streams) error) {
	q, lock := r.URL.Query(), &sync.Mutex{}
	in, typed := io.Pipe()
	resize := make(chan tools.TerminalSize, 8)
	t := streams{tty: q.Get("tty") == "1", resize: resize}
	if q.Get("input") == "1" {
		t.in = in
	}
	if q.Get("output") == "1" {
		t.out = channel{ws, lock, 1}
	}
	if q.Get("error") == "1" && !t.tty {
		t.err = channel{ws, lock, 2}
	}
	go hear(ws, typed, resize)
	text, _ := json.Marshal(statusOf(run(t)))
	channel{ws, lock, 3}.Write(text)
	ws.WriteClose(1000)
}

type pair struct{ data, errors httpstream.Stream }

func (p *pair) serve(ready <-chan struct{}) {
	<-ready
	defer p.errors.Close()
	defer p.data.Close()
	c, err := net.Dial("tcp", "127.0.0.1:"+p.data.Headers().Get("port"))
	if err != nil {
		fmt.Fprint(p.errors, err)
		return
	}
	defer c.Close()
	go func() { io.Copy(c, p.data); c.(*net.TCPConn).CloseWrite() }()
	io.Copy(p.data, c)
}

// servePortForward speaks SPDY/3.1+portforward.k8s.io: frames of SPDY inside of binary messages.
func servePortForward(ws *websocket.Conn) {
	var lock sync.Mutex
	pairs := map[string]*pair{}
	conn, err := spdy.NewServerConnection(ws, func(s httpstream.Stream, ready <-chan struct{}) error {
		id := s.Headers().Get("requestID")
		lock.Lock()
		defer lock.Unlock()
		p := pairs[id]
		if p == nil {
			p = &pair{}
			pairs[id] = p
		}
		if s.Headers().Get("streamType") == "error" {
			p.errors = s
		} else {
			p.data = s
		}
		if p.data != nil && p.errors != nil {
			delete(pairs, id)
			go p.serve(ready)
		}
		return nil
	})
	if err != nil {
		log.Print(err)
		return
	}
	<-conn.CloseChan()
}
