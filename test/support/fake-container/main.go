// An engine for tests that needs nothing but a kernel, for images that are built from nothing.
//
// It answers as an OpenAI server does, and fails on demand: by flags, or by the lines of its model file that
// test/support/fake-backend knows (`fail: load`, `fail: never-healthy`, `fail: no-answer`).
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var (
	model        = flag.String("model", "", "model file, if any")
	alias        = flag.String("alias", "fake", "name of the model")
	host         = flag.String("host", "0.0.0.0", "address to listen on")
	port         = flag.Int("port", 8000, "port to listen on")
	text         = flag.String("text", "five", "what it answers")
	startDelay   = flag.Duration("start-delay", 0, "how long it takes until it listens")
	crashAfter   = flag.Duration("crash-after", 0, "when it ends with exit code 3; 0 is never")
	chunkDelay   = flag.Duration("chunk-delay", 0, "pause before each word of a stream")
	neverHealthy = flag.Bool("never-healthy", false, "its health path answers 503")
)

func main() {
	flag.Parse()
	stops := make(chan os.Signal, 1)
	// The first process of a container ends by a signal only if it asks for it.
	signal.Notify(stops, syscall.SIGTERM, syscall.SIGINT)
	go func() { <-stops; os.Exit(0) }()

	behaviour := readModel()
	fmt.Printf("fake: loading %s as %s\n", *model, *alias)
	if secret := os.Getenv("FAKE_SECRET"); secret != "" {
		fmt.Printf("fake: the secret is %s\n", secret)
	}
	if strings.Contains(behaviour, "fail: load") {
		for number := range 80 {
			fmt.Printf("fake: tensor %d is broken\n", number)
		}
		fail("failed to load the model")
	}
	time.Sleep(*startDelay)
	if *crashAfter > 0 {
		time.AfterFunc(*crashAfter, func() { fmt.Println("fake: crashing"); os.Exit(3) })
	}
	unhealthy := *neverHealthy || strings.Contains(behaviour, "fail: never-healthy")
	serve(unhealthy, strings.Contains(behaviour, "fail: no-answer"))
}

func readModel() string {
	if *model == "" {
		return ""
	}
	data, err := os.ReadFile(*model)
	if err != nil {
		fail(err.Error())
	}
	return string(data)
}

func serve(unhealthy, silent bool) {
	http.HandleFunc("GET /health", func(out http.ResponseWriter, _ *http.Request) {
		status := 200
		if unhealthy {
			status = 503
		}
		answer(out, status, map[string]any{"status": "fake"})
	})
	http.HandleFunc("GET /v1/models", protect(func(out http.ResponseWriter, _ *http.Request) {
		answer(out, 200, map[string]any{"data": []any{map[string]any{"id": *alias}}})
	}))
	for _, path := range []string{"/v1/completions", "/v1/chat/completions"} {
		http.HandleFunc("POST "+path, protect(func(out http.ResponseWriter, in *http.Request) {
			if silent {
				answer(out, 500, map[string]any{"error": "out of order"})
				return
			}
			complete(out, in, strings.Contains(path, "chat"))
		}))
	}
	address := net.JoinHostPort(*host, strconv.Itoa(*port))
	fmt.Printf("fake: listening on %s\n", address)
	fail(http.ListenAndServe(address, nil).Error())
}

func protect(next http.HandlerFunc) http.HandlerFunc {
	return func(out http.ResponseWriter, in *http.Request) {
		if key := os.Getenv("FAKE_API_KEY"); key != "" && in.Header.Get("authorization") != "Bearer "+key {
			answer(out, 401, map[string]any{"error": "no key"})
			return
		}
		next(out, in)
	}
}

func complete(out http.ResponseWriter, in *http.Request, chat bool) {
	var asked struct {
		Stream bool `json:"stream"`
	}
	_ = json.NewDecoder(in.Body).Decode(&asked)
	if !asked.Stream {
		answer(out, 200, map[string]any{"model": *alias, "choices": []any{choice(*text, chat, "message")}})
		return
	}
	out.Header().Set("content-type", "text/event-stream")
	for _, word := range strings.SplitAfter(*text, " ") {
		time.Sleep(*chunkDelay)
		data, _ := json.Marshal(map[string]any{"model": *alias, "choices": []any{choice(word, chat, "delta")}})
		fmt.Fprintf(out, "data: %s\n\n", data)
		out.(http.Flusher).Flush()
	}
	fmt.Fprint(out, "data: [DONE]\n\n")
}

func choice(text string, chat bool, part string) map[string]any {
	if !chat {
		return map[string]any{"index": 0, "text": text}
	}
	return map[string]any{"index": 0, part: map[string]any{"role": "assistant", "content": text}}
}

func answer(out http.ResponseWriter, status int, body map[string]any) {
	out.Header().Set("content-type", "application/json")
	out.WriteHeader(status)
	_ = json.NewEncoder(out).Encode(body)
}

func fail(reason string) {
	// An engine copies the two outputs apart, so lines of both have no order.
	fmt.Println("fake: " + reason)
	os.Exit(1)
}
