// Command runc stands before the real runc on the lab's nodes and fits a bundle to the host: a host that lacks CAP_SYS_RESOURCE refuses
// lower OOM scores and higher limits, and on a cgroup v1 host shared binds of /sys would double the mount table at each container start.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

const realRunc = "/usr/bin/runc.real"

type object = map[string]any

func main() {
	if slices.ContainsFunc(os.Args, func(a string) bool { return a == "create" || a == "run" || a == "restore" }) {
		if err := fit(filepath.Join(bundle(os.Args), "config.json")); err != nil {
			fmt.Fprintln(os.Stderr, "runc wrapper:", err)
			os.Exit(1)
		}
	}
	args := append([]string{"runc"}, os.Args[1:]...)
	if err := syscall.Exec(realRunc, args, os.Environ()); err != nil {
		fmt.Fprintln(os.Stderr, "runc wrapper:", err)
		os.Exit(1)
	}
}

func bundle(args []string) string {
	for i, a := range args[:len(args)-1] {
		if a == "--bundle" || a == "-b" {
			return args[i+1]
		}
	}
	return "."
}

func fit(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var spec object
	if err := json.Unmarshal(text, &spec); err != nil {
		return err
	}
	if process, ok := spec["process"].(object); ok {
		delete(process, "oomScoreAdj")
		delete(process, "rlimits")
		dropCapability(process, "CAP_SYS_RESOURCE")
	}
	if mounts, ok := spec["mounts"].([]any); ok {
		spec["mounts"] = fitMounts(mounts)
	}
	if text, err = json.Marshal(spec); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

func dropCapability(process object, name string) {
	sets, _ := process["capabilities"].(object)
	for set, list := range sets {
		if names, ok := list.([]any); ok {
			sets[set] = slices.DeleteFunc(names, func(n any) bool { return n == name })
		}
	}
}

// fitMounts leaves out binds of the host's /sys and makes a bind of the cgroup tree recursive, since each v1 controller is a mount of its own.
func fitMounts(mounts []any) []any {
	kept := []any{}
	for _, m := range mounts {
		mount, ok := m.(object)
		if ok && (mount["destination"] == "/sys/kernel/security" || mount["destination"] == "/sys" && mount["source"] == "/sys") {
			continue
		}
		if ok && mount["destination"] == "/sys/fs/cgroup" {
			options, _ := mount["options"].([]any)
			for i := range options {
				if options[i] == "bind" {
					options[i] = "rbind"
				}
			}
		}
		kept = append(kept, m)
	}
	return kept
}
