module example.test/backwards

go 1.26.0
