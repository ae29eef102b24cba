module lab/runcwrap

go 1.26.3
