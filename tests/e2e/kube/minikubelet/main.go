// minikubelet: as much of a kubelet as a client can see. It is a node, its pods run as soon as they are bound to it, and
// exec, attach, port-forward and logs are answered with the streaming code of the real one. What runs in a "container" is
// a process of this machine with the rights of minikubelet: start it as somebody who may do nothing, on loopback alone.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"io/ioutil"
	"log"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/websocket"

	"k8s.io/kubernetes/pkg/kubelet/cri/streaming/portforward"
	"k8s.io/kubernetes/pkg/kubelet/cri/streaming/remotecommand"
)

const (
	idle     = 4 * time.Hour
	creation = 30 * time.Second
)

var protocols = []string{"v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"}

// The pod and container that a request's path /WHAT/NAMESPACE/POD[/CONTAINER] names.
type place struct{ namespace, pod, container string }

func placeOf(r *http.Request) (at place, good bool) {
	words := strings.Split(r.URL.Path, "/")
	if len(words) < 4 {
		return at, false
	}
	at.namespace, at.pod = words[2], words[3]
	if len(words) > 4 {
		at.container = words[4]
	}
	return at, true
}

type server struct {
	runtime runtime
	ws5     bool // v5.channel.k8s.io and SPDY inside of a WebSocket, which the real code of that time does not know
}

func (s *server) exec(w http.ResponseWriter, r *http.Request, at place) {
	command := r.URL.Query()["command"]
	if s.ws5 && wantsWebSocket(r, "v5.channel.k8s.io") {
		serveWebSocket(w, r, "v5.channel.k8s.io", func(ws *websocket.Conn) {
			serveExec5(ws, r, func(t streams) error { return s.runtime.run(at, command, t) })
		})
		return
	}
	options, err := remotecommand.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	remotecommand.ServeExec(w, r, s.runtime, at.namespace+"/"+at.pod, "", at.container, command, options, idle, creation, protocols)
}

func (s *server) attach(w http.ResponseWriter, r *http.Request, at place) {
	options, err := remotecommand.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	remotecommand.ServeAttach(w, r, s.runtime, at.namespace+"/"+at.pod, "", at.container, options, idle, creation, protocols)
}

func (s *server) portForward(w http.ResponseWriter, r *http.Request, at place) {
	if s.ws5 && wantsWebSocket(r, "SPDY/3.1+portforward.k8s.io") {
		serveWebSocket(w, r, "SPDY/3.1+portforward.k8s.io", servePortForward)
		return
	}
	options, err := portforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	portforward.ServePortForward(w, r, s.runtime, at.namespace+"/"+at.pod, "", options, idle, creation, portforward.SupportedProtocols)
}

func (s *server) logs(w http.ResponseWriter, r *http.Request, at place) { s.runtime.logs(w, r, at) }

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	for path, answer := range map[string]func(http.ResponseWriter, *http.Request, place){
		"/exec/": s.exec, "/attach/": s.attach, "/portForward/": s.portForward, "/containerLogs/": s.logs,
	} {
		answer := answer
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			log.Printf("%s %s upgrade=%q proto=%q/%q", r.Method, r.URL, r.Header.Get("Upgrade"),
				r.Header["X-Stream-Protocol-Version"], r.Header["Sec-Websocket-Protocol"])
			at, good := placeOf(r)
			if !good {
				http.NotFound(w, r)
				return
			}
			answer(w, r, at)
		})
	}
	return mux
}

func main() {
	address := flag.String("addr", "127.0.0.1:10250", "where to listen")
	certificate := flag.String("cert", "", "certificate of the server")
	key := flag.String("key", "", "its key")
	ca := flag.String("client-ca", "", "CA of who may ask")
	kubeconfig := flag.String("kubeconfig", "", "how to reach the API server")
	node := flag.String("node", "node1", "name of this node")
	root := flag.String("root", "/tmp", "a directory for each pod is made below; CONTAINER.log in it is what that container logged")
	ws5 := flag.Bool("ws5", true, "answer v5.channel.k8s.io and SPDY inside of a WebSocket; otherwise clients fall back to SPDY")
	flag.Parse()

	pem, err := ioutil.ReadFile(*ca)
	if err != nil {
		log.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	go beNode(*kubeconfig, *node, *address)
	answers := &server{runtime: runtime{root: *root}, ws5: *ws5}
	s := &http.Server{Addr: *address, Handler: answers.routes(), TLSConfig: &tls.Config{
		ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, NextProtos: []string{"http/1.1"}}}
	log.Fatal(s.ListenAndServeTLS(*certificate, *key))
}
