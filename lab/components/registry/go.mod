module lab/registry

go 1.26.3
