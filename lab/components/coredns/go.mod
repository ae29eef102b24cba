module lab/coredns

go 1.26.3
