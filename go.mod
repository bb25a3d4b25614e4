module github.com/mainstay-go/mainstay

go 1.26
