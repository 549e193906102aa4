package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/types"
	tools "k8s.io/client-go/tools/remotecommand"
	utilexec "k8s.io/utils/exec"
)

// What an exec talks to. in and err may be nil.
type streams struct {
	in     io.Reader
	out    io.WriteCloser
	err    io.WriteCloser
	tty    bool
	resize <-chan tools.TerminalSize
}

// A container is a process in a directory of its pod.
type runtime struct{ root string }

func (r runtime) directory(at place) string {
	place := filepath.Join(r.root, at.namespace+"_"+at.pod)
	if err := os.MkdirAll(place, 0o755); err != nil {
		log.Print(err)
	}
	return place
}

func (r runtime) run(at place, command []string, t streams) error {
	if len(command) == 0 {
		return fmt.Errorf("no command")
	}
	c := exec.Command(command[0], command[1:]...)
	c.Dir = r.directory(at)
	c.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + c.Dir, "POD=" + at.namespace + "/" + at.pod, "CONTAINER=" + at.container}
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var err error
	if t.tty {
		c.Env = append(c.Env, "TERM=xterm")
		err = runInTerminal(c, t)
	} else {
		err = runWithPipes(c, t)
	}
	if ended, is := err.(*exec.ExitError); is {
		code := ended.ExitCode()
		if code < 0 {
			code = 128 + int(ended.Sys().(syscall.WaitStatus).Signal())
		}
		return utilexec.CodeExitError{Err: fmt.Errorf("command terminated with exit code %d", code), Code: code}
	}
	return err
}

func runWithPipes(c *exec.Cmd, t streams) error {
	if t.in != nil {
		w, err := c.StdinPipe()
		if err != nil {
			return err
		}
		go func() { io.Copy(w, t.in); w.Close() }()
	}
	if t.out != nil {
		c.Stdout = t.out
	}
	if t.err != nil {
		c.Stderr = t.err
	}
	go func() {
		for range t.resize {
		}
	}()
	return c.Run()
}

// openTerminal returns both ends of a new pseudo terminal.
func openTerminal() (*os.File, *os.File, error) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	var slave *os.File
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		master.Close()
		return nil, nil, err
	}
	return master, slave, nil
}

func runInTerminal(c *exec.Cmd, t streams) error {
	master, slave, err := openTerminal()
	if err != nil {
		return err
	}
	defer master.Close()
	c.Stdin, c.Stdout, c.Stderr = slave, slave, slave
	c.SysProcAttr.Setsid, c.SysProcAttr.Setctty = true, true
	err = c.Start()
	slave.Close()
	if err != nil {
		return err
	}
	go func() {
		for size := range t.resize {
			unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: size.Height, Col: size.Width})
		}
	}()
	if t.in != nil {
		go io.Copy(master, t.in)
	}
	shown := make(chan struct{})
	go func() {
		if t.out != nil {
			io.Copy(t.out, master) // ends by EIO when the last program has closed the terminal
		}
		close(shown)
	}()
	err = c.Wait()
	select {
	case <-shown:
	case <-time.After(2 * time.Second): // something in the background has it still
	}
	return err
}

func placeOfName(name, container string) place {
	words := strings.SplitN(name, "/", 2)
	return place{words[0], words[1], container}
}

// The three calls of the real streaming server.

func (r runtime) ExecInContainer(name string, _ types.UID, container string, command []string, in io.Reader, out, errors io.WriteCloser, tty bool, resize <-chan tools.TerminalSize, _ time.Duration) error {
	return r.run(placeOfName(name, container), command, streams{in, out, errors, tty, resize})
}

// Attached to is a program that says back what it hears.
func (r runtime) AttachContainer(name string, _ types.UID, container string, in io.Reader, out, errors io.WriteCloser, _ bool, resize <-chan tools.TerminalSize) error {
	return r.run(placeOfName(name, container), []string{"cat"}, streams{in, out, errors, false, resize})
}

func (r runtime) PortForward(_ string, _ types.UID, port int32, stream io.ReadWriteCloser) error {
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	defer c.Close()
	go func() { io.Copy(c, stream); c.(*net.TCPConn).CloseWrite() }()
	io.Copy(stream, c) // over when the server has said all; the caller closes the stream
	return nil
}
