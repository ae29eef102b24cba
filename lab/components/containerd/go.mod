module lab/containerd

go 1.26.3
