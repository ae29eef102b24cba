module lab/cosign

go 1.26.3
