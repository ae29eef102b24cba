module lab/etcd

go 1.26.3
