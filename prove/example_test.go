// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/mainstay-go/mainstay/prove"
)

// A server is put under load, judged, and found to lose nothing.
func ExampleLoad() {
	server := httptest.NewServer(new(prove.Echo))
	defer server.Close()
	report, err := prove.Load{Target: server.URL, Echo: "/", Want: []byte{}, Clients: 4, Requests: 200}.Run(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Count(prove.Lost), "lost", report.Count(prove.Doubled), "doubled")
	for _, line := range report.Judge(prove.Limits{}) {
		fmt.Println(line)
	}
	// Output: 0 lost 0 doubled
}

// What is wrong is said in one line for each kind.
func ExampleReport_Judge() {
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer broken.Close()
	report, err := prove.Load{Target: broken.URL, Want: []byte{}, Shapes: []prove.Shape{prove.Get}, Clients: 1, Requests: 3}.Run(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Count(prove.Wrong), "wrong")
	fmt.Println(len(report.Judge(prove.Limits{Faults: map[prove.Class]uint64{prove.Wrong: 3}})), "line, for there was no right answer")
	// Output:
	// 3 wrong
	// 1 line, for there was no right answer
}
