// Command labnode starts one Talos node of the lab without a container engine, the way Talos' own "container" platform expects it.
//
// It is run inside the node's network namespace. The parent half joins the node's cgroups, starts the child half in new mount, pid, uts,
// ipc and cgroup namespaces, watches the length of its mount table, and ends when the node ends. The child half builds the mount tree
// (private propagation before anything else) and becomes /sbin/init.
package main

import (
	"bytes"
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const mountLimit = 2000

// controllers are the cgroup v1 hierarchies of a hybrid host.
var controllers = []string{"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids"}

type node struct{ name, rootfs, data, config, nameserver, cgroup, shares string }

func main() {
	var n node
	flag.StringVar(&n.name, "name", "", "node name")
	flag.StringVar(&n.rootfs, "rootfs", "", "assembled root file system, used read-only")
	flag.StringVar(&n.data, "data", "", "the node's own folder: volumes and generated files")
	flag.StringVar(&n.config, "config", "", "machine configuration")
	flag.StringVar(&n.cgroup, "cgroup", "", "name of the node's cgroup in every controller")
	flag.StringVar(&n.shares, "shares", "1024", "the node's share of the processor beside the other nodes")
	flag.StringVar(&n.nameserver, "nameserver", "", "address of the lab's DNS")
	flag.Parse()
	run, what := n.supervise, "supervise"
	if os.Getenv("LABNODE_CHILD") == "1" {
		run, what = n.becomeInit, "init"
	}
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "labnode %s %s: %v\n", what, n.name, err)
		os.Exit(1)
	}
}

func (n node) supervise() error {
	runtime.LockOSThread() // the death signal below belongs to this thread
	if err := n.joinCgroups(); err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), "LABNODE_CHILD=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWCGROUP,
		Pdeathsig:  syscall.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(n.data, "init.pid"), fmt.Appendf(nil, "%d\n", cmd.Process.Pid), 0o644); err != nil {
		return err
	}
	go guardMounts(cmd.Process)
	return cmd.Wait()
}

// guardMounts kills the node when its mount table grows without bound: a crashing kubelet on shared mounts doubles it at each start.
func guardMounts(p *os.Process) {
	for ; ; time.Sleep(3 * time.Second) {
		table, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", p.Pid))
		if err != nil {
			return
		}
		if lines := bytes.Count(table, []byte("\n")); lines > mountLimit {
			fmt.Fprintf(os.Stderr, "labnode guard: %d mounts, limit %d: node killed\n", lines, mountLimit)
			_ = p.Kill()
			return
		}
	}
}

func (n node) joinCgroups() error {
	for _, c := range append(append([]string{}, controllers...), "systemd", "unified") {
		dir := filepath.Join("/sys/fs/cgroup", c, n.cgroup)
		if _, err := os.Stat(filepath.Dir(dir)); err != nil {
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if c == "cpuset" {
			for _, f := range []string{"cpuset.cpus", "cpuset.mems"} {
				all, err := os.ReadFile(filepath.Join(filepath.Dir(dir), f))
				if err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(dir, f), all, 0o644); err != nil {
					return err
				}
			}
		}
		if c == "cpu" {
			if err := os.WriteFile(filepath.Join(dir, "cpu.shares"), []byte(n.shares), 0o644); err != nil {
				return err
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), fmt.Appendf(nil, "%d", os.Getpid()), 0o644); err != nil {
			return fmt.Errorf("join %s: %w", dir, err)
		}
	}
	return nil
}

func (n node) becomeInit() error {
	steps := []func(string) error{n.rootMounts, n.volumes, n.files, n.kernelMounts, n.devices, n.pivot}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(n.name)); err != nil {
		return err
	}
	config, err := os.ReadFile(n.config)
	if err != nil {
		return err
	}
	root := filepath.Join(n.data, "root")
	for i, step := range steps {
		if err := step(root); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	env := []string{
		"PATH=/usr/bin:/usr/sbin:/opt/cni/bin", "PLATFORM=container", "TALOSSKU=2CPU-2048RAM",
		"USERDATA=" + base64.StdEncoding.EncodeToString(config),
	}
	return unix.Exec("/sbin/init", []string{"/sbin/init"}, env)
}

func (n node) rootMounts(root string) error {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(n.rootfs, root, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	if err := unix.Mount("", root, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
		return err
	}
	for _, d := range []string{"run", "system", "tmp"} {
		if err := unix.Mount("tmpfs", filepath.Join(root, d), "tmpfs", 0, "mode=755"); err != nil {
			return err
		}
	}
	return os.MkdirAll(filepath.Join(root, "system/state"), 0o700)
}

// volumes binds the node's own folders; those that the image fills are copied from it once.
func (n node) volumes(root string) error {
	for name, seeded := range map[string]bool{
		"var": false, "system/state": false, "etc/cni": true, "etc/kubernetes": true, "usr/libexec/kubernetes": true, "opt": true,
	} {
		volume := filepath.Join(n.data, "vol", strings.ReplaceAll(name, "/", "-"))
		mark := volume + ".seeded"
		if err := os.MkdirAll(volume, 0o755); err != nil {
			return err
		}
		if _, err := os.Stat(mark); seeded && os.IsNotExist(err) {
			if out, err := exec.Command("cp", "-a", filepath.Join(n.rootfs, name)+"/.", volume).CombinedOutput(); err != nil {
				return fmt.Errorf("seed %s: %w: %s", name, err, out)
			}
			if err := os.WriteFile(mark, nil, 0o644); err != nil {
				return err
			}
		}
		if err := unix.Mount(volume, filepath.Join(root, name), "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (n node) files(root string) error {
	for name, text := range map[string]string{
		"hostname": n.name + "\n", "resolv.conf": "nameserver " + n.nameserver + "\n", "hosts": "127.0.0.1 localhost\n",
	} {
		if err := n.bindFile(filepath.Join(root, "etc", name), name, text); err != nil {
			return err
		}
	}
	return nil
}

func (n node) bindFile(target, name, text string) error {
	file := filepath.Join(n.data, "etc", name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return err
	}
	return unix.Mount(file, target, "", unix.MS_BIND, "")
}

func (n node) kernelMounts(root string) error {
	if err := unix.Mount("proc", filepath.Join(root, "proc"), "proc", 0, ""); err != nil {
		return err
	}
	if err := unix.Mount("sysfs", filepath.Join(root, "sys"), "sysfs", 0, ""); err != nil {
		return err
	}
	groups := filepath.Join(root, "sys/fs/cgroup")
	if err := unix.Mount("tmpfs", groups, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	for _, c := range append([]string{"systemd"}, controllers...) {
		dir, options := filepath.Join(groups, c), c
		if c == "systemd" {
			options = "none,name=systemd"
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount("cgroup", dir, "cgroup", 0, options); err != nil {
			return fmt.Errorf("cgroup %s: %w", c, err)
		}
	}
	// A host without CAP_SYS_RESOURCE refuses a lower oom_score_adj. Talos takes that as fatal unless it believes itself in a user namespace.
	return n.bindFile(filepath.Join(root, "proc/1/uid_map"), "uid_map", "         0          0      65536\n")
}

func (n node) devices(root string) error {
	dev := filepath.Join(root, "dev")
	if err := unix.Mount("tmpfs", dev, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	for _, m := range []struct{ dir, kind, options string }{
		{"pts", "devpts", "newinstance,ptmxmode=0666,mode=620"}, {"shm", "tmpfs", "mode=1777"}, {"mqueue", "mqueue", ""},
	} {
		dir := filepath.Join(dev, m.dir)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.kind, dir, m.kind, 0, m.options); err != nil {
			return fmt.Errorf("%s: %w", m.kind, err)
		}
	}
	for name, number := range map[string][2]uint32{
		"null": {1, 3}, "zero": {1, 5}, "full": {1, 7}, "random": {1, 8}, "urandom": {1, 9}, "kmsg": {1, 11}, "tty": {5, 0}, "console": {5, 1},
	} {
		path := filepath.Join(dev, name)
		if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(number[0], number[1]))); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.Chmod(path, 0o666); err != nil {
			return err
		}
	}
	for link, target := range map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		if err := os.Symlink(target, filepath.Join(dev, link)); err != nil {
			return err
		}
	}
	return nil
}

func (n node) pivot(root string) error {
	old := filepath.Join(root, "run/.old")
	if err := os.MkdirAll(old, 0o700); err != nil {
		return err
	}
	if err := unix.PivotRoot(root, old); err != nil {
		return err
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Unmount("/run/.old", unix.MNT_DETACH); err != nil {
		return err
	}
	return os.Remove("/run/.old")
}
