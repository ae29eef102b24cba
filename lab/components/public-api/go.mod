module lab/public-api

go 1.26.3
