// SPDX-License-Identifier: LGPL-3.0-or-later

// goroutines - many goroutines whose stacks grow, and so move, inside traced functions; panics are recovered on the way
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
)

//go:noinline
func grow(depth int, pad [16]int) int {
	if depth == 0 {
		runtime.Gosched()
		return pad[3]
	}
	pad[depth%16] += depth
	return grow(depth-1, pad) + pad[depth%16]
}

//go:noinline
func fails(depth int) int {
	if depth == 0 {
		panic("on purpose")
	}
	return fails(depth-1) + 1
}

//go:noinline
func recovers(depth int) (result int) {
	defer func() {
		if recover() != nil {
			result = -depth
		}
	}()
	return fails(depth)
}

//go:noinline
func worker(n int, results []int, done *sync.WaitGroup) {
	defer done.Done()
	for i := 1; i <= 3; i++ {
		results[n] += grow(50*i+n, [16]int{n}) + recovers(n%10)
		runtime.Gosched()
	}
}

func main() {
	n := 200
	if len(os.Args) > 1 {
		n, _ = strconv.Atoi(os.Args[1])
	}
	var done sync.WaitGroup
	results := make([]int, n)
	sum := 0

	done.Add(n)
	for i := 0; i < n; i++ {
		go worker(i, results, &done)
	}
	for i := 0; i < 3; i++ {
		runtime.GC()
	}
	done.Wait()
	for i, result := range results {
		sum = sum*31 + result
		if i%40 == 0 {
			fmt.Println("goroutine", i, result)
		}
	}
	fmt.Println("sum", sum)
	os.Exit(17)
}
