module lab/labnode

go 1.26.3

require golang.org/x/sys v0.38.0
